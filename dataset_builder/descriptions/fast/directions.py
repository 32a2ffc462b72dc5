"""Directions of ribbons and sheets, as upstream prints them.

Upstream takes them from a singular value decomposition and makes them whole numbers. That leaves nothing to rounding,
but for the sign of a direction such as (1, -1, 0) of a sheet, for which upstream's rules have no preference: there the
sign is that of a vector whose singular value is zero, which is to say of a rounding error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, permutations, product

import numpy as np

from . import upstream

Image = tuple[int, int, int]

# one bit for each of `undecided()`: whether the first of the two numbers is positive, under the reference kernel
SIGNS = "00f41c3ff0000000077c530d240c0000f00000f2600003cf73b103f0000d2b8ff3fc0fb2ffffffffffffffffff341fdcfef01c7ff00f"


def cross(a: Image, b: Image) -> Image:
    """The cross product of two vectors of integers."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def sign_is_open(direction: Sequence[int]) -> bool:
    """Whether upstream's rules leave both signs: (1, -1, 0) or (-1, 1, 0)."""
    parts = sorted(x for x in direction if x != 0)
    return len(parts) == 2 and parts[0] == -parts[1]


def undecided() -> Iterator[tuple[Image, Image, Image]]:
    """Three lattice points, one of them the origin and none further than a cell away, whose plane has an open sign."""
    points: list[Image] = [(a, b, c) for a, b, c in product((-1, 0, 1), repeat=3)]
    for a, b in combinations(points, 2):
        if sign_is_open(cross(a, b)):
            yield from permutations(((0, 0, 0), a, b))


@cache
def _signs() -> dict[tuple[Image, ...], int]:
    return {
        points: 1 if bit == "1" else -1
        for points, bit in zip(undecided(), f"{int(SIGNS, 16):0{4 * len(SIGNS)}b}", strict=True)
    }


def of_ribbon(points: Sequence[Image]) -> tuple[int, ...]:
    """The direction in which a ribbon runs.

    Args:
        points: Two lattice points that it joins.
    """
    return _whole(_minus(points[1], points[0]))


def of_sheet(points: Sequence[Image]) -> tuple[int, ...]:
    """The Miller index of a sheet.

    Args:
        points: Three lattice points in it, in upstream's order; one of them is the origin.
    """
    normal = cross(_minus(points[1], points[0]), _minus(points[2], points[0]))
    index = _whole(normal)
    if not sign_is_open(index):
        return index
    place = next(i for i in range(3) if index[i])
    # further points are rare; for these the sign of the first one is upstream's more often than not
    wanted = _signs().get(tuple(points)) or next(point[place] for point in points if point[place])
    return index if index[place] * wanted > 0 else tuple(-x for x in index)


def _minus(a: Image, b: Image) -> Image:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _whole(direction: Image) -> tuple[int, ...]:
    return tuple(upstream.get_integer_index(np.array(direction, dtype=np.float64)))
