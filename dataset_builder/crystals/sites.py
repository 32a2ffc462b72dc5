"""The cell and the atoms of a CIF: every number read or refused, none guessed."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cif_blocks import Column, Fields
from .errors import StructureError
from .operations import Operation
from .symbols import Symbol, of_label, of_type

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d*\))?")
_WATER = re.compile(r"(?:wat|ow|oh|h2o)(?![a-z])|wat", re.IGNORECASE)
_AXES = ("x", "y", "z")
_THIRDS = (1 / 3, 2 / 3)
SAME = 1e-4  # pymatgen's: images whose coordinates differ by less are one


class Site(NamedTuple):
    """One atom of the list.

    Attributes:
        label: Its name there.
        symbol: Its type as the CIF has it, or its element where the type says something else (isotope, group).
        element: Its element.
        place: Fractional coordinates as the CIF writes them, without standard uncertainties.
        occupancy: Share of the place that it takes.
    """

    label: str
    symbol: str
    element: str
    place: tuple[str, str, str]
    occupancy: float


class Cell(NamedTuple):
    """Lengths (Å) and angles (degrees) as the CIF writes them, without standard uncertainties."""

    texts: tuple[str, ...]

    @property
    def metric(self) -> NDArray[np.float64]:
        """Metric tensor (Å²), shape (3, 3)."""
        a, b, c, alpha, beta, gamma = map(float, self.texts)
        ca, cb, cg = (math.cos(math.radians(angle)) for angle in (alpha, beta, gamma))
        return np.array(
            [[a * a, a * b * cg, a * c * cb], [a * b * cg, b * b, b * c * ca], [a * c * cb, b * c * ca, c * c]]
        )

    @property
    def volume(self) -> float:
        """Volume (Å³)."""
        return math.sqrt(max(float(np.linalg.det(self.metric)), 0.0))


def number(text: str | None, what: str) -> str:
    """A number of a CIF without its standard uncertainty, as text.

    Raises:
        StructureError: It is none.
    """
    match = _NUMBER.fullmatch(text.strip()) if text is not None else None
    if match is None or not math.isfinite(float(match[1])):
        raise StructureError(f"{what} is {'not stated' if text is None else f'no number: {text}'[:60]}")
    return match[1]


def read_cell(fields: Fields) -> Cell:
    """The cell.

    Raises:
        StructureError: A length or angle is missing, no number, or none that a cell can have.
    """
    texts = []
    for kind, axes in (("length", "abc"), ("angle", ("alpha", "beta", "gamma"))):
        for axis in axes:
            name = f"_cell_{kind}_{axis}"
            text = number(fields.value(name), name)
            if not float(text) > 0 or (kind == "angle" and not float(text) < 180):
                raise StructureError(f"no cell: {name} is {text}")
            texts.append(text)
    cell = Cell(tuple(texts))
    if not cell.volume > 0:
        raise StructureError(f"no cell: the angles {', '.join(texts[3:])} do not close")
    return cell


def read_sites(fields: Fields, known: frozenset[str]) -> tuple[list[Site], list[str]]:
    """The list of atoms.

    Args:
        fields: The data block.
        known: Elements of the formula, which tell what a label without a type means.

    Returns:
        The atoms, and remarks about them (isotopes).

    Raises:
        StructureError: An atom has no position, no element, or an occupancy that is none.
    """
    places = [fields.column(f"_atom_site_fract_{axis}") for axis in _AXES]
    labels = fields.column("_atom_site_label")
    types = fields.column("_atom_site_type_symbol")
    if any(column is None for column in places):
        if any("_atom_site_cartn_" in name for name in fields.names()):
            raise StructureError("the atoms have Cartesian coordinates only (_atom_site_Cartn_x); give fractional ones")
        raise StructureError("no atoms: cut off?")
    x, y, z = (column or [] for column in places)
    if not len(x) == len(y) == len(z) or not x:
        raise StructureError("no atoms: cut off?")
    if labels is None and types is None:
        raise StructureError("the atoms have neither type nor label (_atom_site_type_symbol, _atom_site_label)")
    labels = _filled(labels, len(x))
    types = _filled(types, len(x))
    occupancies = _filled(fields.column("_atom_site_occupancy"), len(x))
    dummies = _filled(fields.column("_atom_site_calc_flag"), len(x))
    sites: list[Site] = []
    isotopes: dict[str, str] = {}
    empty: list[str] = []
    for index in range(len(x)):
        label, kind = labels[index], types[index]
        name = label or f"number {index + 1}"
        if (dummies[index] or "").casefold() == "dum":  # "a dummy site with meaningless coordinates"
            continue
        symbol, written = _symbol(label, kind, known, name)
        place = tuple(
            number(column[index], f"the atom {name} has no position: _atom_site_fract_{axis}")
            for column, axis in zip((x, y, z), _AXES, strict=True)
        )
        occupancy = float(number(occupancies[index] or "1", f"the occupancy of {name}"))
        if occupancy < 0:
            raise StructureError(f"the occupancy of {name} is {occupancy:g}")
        if symbol.isotope:
            isotopes[symbol.isotope] = "hydrogen" if symbol.element == "H" else symbol.element
        if occupancy == 0:
            empty.append(f"{name} has an occupancy of 0 and is left out")
            continue
        sites.append(Site(label or f"{symbol.element}{index + 1}", written, symbol.element, place, occupancy))  # type: ignore[arg-type]
    if not sites:
        raise StructureError("no atoms: cut off?")
    return sites, [f"{isotope} is described as {element}" for isotope, element in sorted(isotopes.items())] + empty[:3]


def _filled(column: Column | None, length: int) -> Column:
    if column is None:
        return [None] * length
    if len(column) != length:
        raise StructureError("the columns of the atoms have different lengths")
    return column


def _symbol(label: str | None, kind: str | None, known: frozenset[str], name: str) -> tuple[Symbol, str]:
    """The element, and what pymatgen may read for it (which keeps charges)."""
    if kind is not None:
        if "," in kind or " + " in kind:
            raise StructureError(f"disordered: the atom {name} is of several elements: {kind}")
        try:
            symbol = of_type(kind, known)
        except StructureError as error:
            raise StructureError(f"the atom {name}: {error}") from error
        plain = kind[:1].isupper() and symbol.isotope is None and kind[:2].rstrip("0123456789+-.") == symbol.element
        return symbol, kind if plain else symbol.element
    symbol = of_label(label or "", known)
    return symbol, symbol.element


def without_position(fields: Fields) -> list[str]:
    """Atoms that state hydrogens which have no position of their own (`_atom_site_attached_hydrogens`)."""
    counts = fields.column("_atom_site_attached_hydrogens") or []
    labels = _filled(fields.column("_atom_site_label"), len(counts)) if counts else []
    return [
        f"{count} at {label} (_atom_site_attached_hydrogens)"
        for count, label in zip(counts, labels, strict=True)
        if count is not None and float(number(count, "_atom_site_attached_hydrogens")) > 0
    ]


def waters(sites: Sequence[Site]) -> list[str]:
    """Oxygens that are called water or hydroxyl in a list without any hydrogen."""
    if any(site.element == "H" for site in sites):
        return []
    return [f"{site.label} by its name" for site in sites if site.element == "O" and _WATER.match(site.label)]


def coordinates(sites: Sequence[Site]) -> NDArray[np.float64]:
    """Fractional coordinates, shape (sites, 3); thirds cut to four digits or more are whole, as pymatgen has them."""
    found = np.array([[float(text) for text in site.place] for site in sites])
    for third in _THIRDS:
        found[np.abs(found / third - 1) <= SAME] = third
    return found


def steps(sites: Sequence[Site]) -> NDArray[np.float64]:
    """By so much coordinates may be cut, two thirds of the last decimal (0.0067 of ``0.66``); shape (sites, 3).

    Coordinates of one decimal or none are taken as they are.
    """

    def step(text: str) -> float:
        digits = len(text.casefold().partition("e")[0].partition(".")[2])
        return 0.67 * 10.0**-digits if digits > 1 else 0.0

    return np.array([[step(text) for text in site.place] for site in sites])


def orbit(
    point: NDArray[np.float64], step: NDArray[np.float64], operations: Sequence[Operation]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All images of a point in one cell.

    Args:
        point: Fractional coordinates, shape (3,).
        step: By so much a coordinate may be rounded, shape (3,).
        operations: A group.

    Returns:
        The images, shape (n, 3), and the point, moved onto the special position that it was rounded off, if any.
    """
    rotations = np.array([one.rotation for one in operations], float).reshape(-1, 3, 3)
    shifts = np.array([[float(part) for part in one.shift] for one in operations])
    images = rotations @ point + shifts
    apart = images - point
    apart -= np.round(apart)
    near = (np.abs(apart) <= np.maximum(4 * step, SAME)).all(axis=1)
    if (near & (np.abs(apart) >= SAME).any(axis=1)).any():
        move = apart[near].mean(axis=0)
        if (np.abs(move) <= np.maximum(step, SAME)).all():
            point = point + move
            images = rotations @ point + shifts
    images = images % 1
    kept = np.zeros((0, 3))
    for image in images:
        gap = kept - image
        if not (np.abs(gap - np.round(gap)) < SAME).all(axis=1).any():
            kept = np.vstack([kept, image])
    return kept, point
