"""Symmetry operations: read without guessing, checked to form a group, named by the group they form."""

import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import StructureError

Rotation = tuple[int, ...]  # 9 integers, row by row
Shift = tuple[Fraction, Fraction, Fraction]

MOST = 1000
"""Operations of one crystal; the largest group in a conventional cell has 192."""

_TERM = re.compile(r"([+-]?)(\d+/\d+|\d+\.\d*|\.\d+|\d+)?\*?([xyz]?)")
_DENOMINATORS = (1, 2, 3, 4, 6, 8, 12, 24, 5, 10)
_METRIC = 0.01  # by so much an operation may change a length squared (relative) or the cosine of an angle


class Operation(NamedTuple):
    """``x' = R x + t``, t within one cell."""

    rotation: Rotation
    shift: Shift

    @property
    def text(self) -> str:
        """The operation as a CIF writes it."""
        parts = []
        for row, shift in enumerate(self.shift):
            part = ""
            for factor, axis in zip(self.rotation[3 * row : 3 * row + 3], "xyz", strict=True):
                if factor:
                    sign = "-" if factor < 0 else "+" if part else ""
                    part += sign + ("" if abs(factor) == 1 else f"{abs(factor)}*") + axis
            parts.append(part + (f"+{shift}" if shift else "") or "0")
        return ", ".join(parts)


IDENTITY = Operation((1, 0, 0, 0, 1, 0, 0, 0, 1), (Fraction(0), Fraction(0), Fraction(0)))


@lru_cache(maxsize=4096)
def read_operation(text: str) -> Operation:
    """Read ``-x, y+1/2, -z+1/2`` and its spellings.

    Raises:
        StructureError: A part of it is no sum of x, y, z and a number.
    """
    parts = re.sub(r"\s+", "", text.casefold()).strip("'\"").split(",")
    if len(parts) != 3:
        raise StructureError(f"the symmetry operation '{text}' has {len(parts)} parts instead of 3")
    rotation: list[int] = []
    shift: list[Fraction] = []
    for part in parts:
        row, constant = _read_part(part, text)
        rotation += row
        shift.append(constant % 1)
    if abs(round(np.linalg.det(np.array(rotation, float).reshape(3, 3)))) != 1:
        raise StructureError(f"the symmetry operation '{text}' changes the volume")
    return Operation(tuple(rotation), (shift[0], shift[1], shift[2]))


def _read_part(part: str, text: str) -> tuple[list[int], Fraction]:
    row = [0, 0, 0]
    constant = Fraction(0)
    position = 0
    while position < len(part):
        match = _TERM.match(part, position)
        if match is None or match.end() == position or not (match[2] or match[3]) or (position and not match[1]):
            break
        position = match.end()
        number = Fraction(1) if match[2] is None else _number(match[2], text)
        if match[1] == "-":
            number = -number
        if not match[3]:
            constant += number
        elif number.denominator == 1:
            row["xyz".index(match[3])] += number.numerator
        else:
            break
    if not part or position < len(part):
        raise StructureError(f"the symmetry operation '{text}' cannot be read")
    return row, constant


def _number(text: str, operation: str) -> Fraction:
    if "." not in text:
        try:
            return Fraction(text)
        except ZeroDivisionError as error:
            raise StructureError(f"the symmetry operation '{operation}' divides by zero") from error
    value = Fraction(text if text[-1] != "." else text[:-1])
    unit = Fraction(1, 10 ** len(text.partition(".")[2]))  # 0.6667 and 0.666 are two thirds
    for denominator in _DENOMINATORS:
        near = Fraction(round(value * denominator), denominator)
        if abs(near - value) < unit:
            return near
    return value


def check_group(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Check that operations form a group.

    Returns:
        The operations without repeats, in their order.

    Raises:
        StructureError: They form none: one is missing, or does not belong to the others.
    """
    unique = tuple(dict.fromkeys(operations))
    if len(unique) > MOST:
        raise StructureError(f"{len(unique)} symmetry operations; a crystal has at most {MOST}")
    base = math.lcm(*(part.denominator for one in unique for part in one.shift))
    if base > 5040:
        raise StructureError("the symmetry operations do not form a group")
    rotations, shifts = _arrays(unique, base)
    known = {(*map(int, rotation.ravel()), *map(int, shift)) for rotation, shift in zip(rotations, shifts, strict=True)}
    if (*IDENTITY.rotation, 0, 0, 0) not in known:
        raise StructureError("the symmetry operations do not form a group: x, y, z is missing")
    for rotation, shift in zip(rotations, shifts, strict=True):
        products = np.matmul(rotation, rotations).reshape(-1, 9)
        moved = (shifts @ rotation.T + shift) % base
        if any(tuple(row) not in known for row in np.hstack([products, moved]).tolist()):
            raise StructureError("the symmetry operations do not form a group: some are missing or wrong")
    return unique


def _arrays(operations: Sequence[Operation], base: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rotations = np.array([one.rotation for one in operations], np.int64).reshape(-1, 3, 3)
    shifts = np.array([[int(part * base) for part in one.shift] for one in operations], np.int64)
    return rotations, shifts


def keeps_metric(operations: Iterable[Operation], metric: NDArray[np.float64]) -> bool:
    """Whether the operations leave lengths and angles of a cell as they are.

    Args:
        operations: The operations.
        metric: Metric tensor of the cell (Å²), shape (3, 3).
    """
    lengths = np.sqrt(np.diag(metric))
    scale = np.outer(lengths, lengths)
    for rotation in {one.rotation for one in operations}:
        matrix = np.array(rotation, float).reshape(3, 3)
        if (np.abs(matrix.T @ metric @ matrix - metric) > _METRIC * scale).any():
            return False
    return True


@lru_cache(maxsize=512)
def group_number(operations: frozenset[Operation]) -> int:
    """Number of the space group (1 to 230) that operations form, in whatever setting."""
    import spglib

    rotations = np.array([one.rotation for one in operations], np.intc).reshape(-1, 3, 3)
    shifts = np.array([[float(part) for part in one.shift] for one in operations])
    found = spglib.get_spacegroup_type_from_symmetry(rotations, shifts, symprec=1e-3)
    if found is None:
        raise StructureError("the symmetry operations are of no space group")
    return int(found.number)


def same_but_for_origin(one: frozenset[Operation], other: frozenset[Operation]) -> bool:
    """Whether two groups differ in the choice of the origin alone (looked for in steps of 1/24)."""
    if len(one) != len(other) or {op.rotation for op in one} != {op.rotation for op in other}:
        return False
    base = 24
    if any(base % part.denominator for op in one | other for part in op.shift):
        return False
    steps = np.stack(np.meshgrid(*[np.arange(base)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    possible = np.ones(len(steps), np.bool_)
    targets: dict[Rotation, NDArray[np.int64]] = {}
    for op in other:
        shift = np.array([[int(part * base) for part in op.shift]])
        targets[op.rotation] = np.vstack([targets[op.rotation], shift]) if op.rotation in targets else shift
    for op in one:
        matrix = np.array(op.rotation).reshape(3, 3)
        moved = (np.array([int(part * base) for part in op.shift]) + steps - steps @ matrix.T) % base
        possible &= (moved[:, None, :] == targets[op.rotation][None]).all(axis=2).any(axis=1)
        if not possible.any():
            return False
    return True
