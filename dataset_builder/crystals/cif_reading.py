"""A CIF to a crystal: right, or refused with a reason; never another crystal.

gemmi takes the text apart and knows the settings of the space groups; the checks here decide which operations hold; and
pymatgen builds the structure from a plain CIF of exactly those, so that its numbers are to the last bit those that
``CifParser`` gives for a good file. See ``docs/decisions.md``.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import stated_formula
from .cif_blocks import Fields, read_block
from .errors import StructureError
from .operations import (
    IDENTITY,
    Operation,
    check_group,
    group_number,
    keeps_metric,
    read_operation,
    same_but_for_origin,
)
from .settings import NUMBER, SYMBOL, SYSTEM, Setting, Stated, stated_group
from .sites import Cell, Site, coordinates, number, orbit, read_cell, read_sites, steps, waters, without_position
from .texts import Block

if TYPE_CHECKING:
    from pymatgen.core import Structure

OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
MAGNETIC = "_space_group_symop_magn_operation_xyz"
CENTRING = "_space_group_symop_magn_centering_xyz"
_MODULATED = ("_cell_modulation", "_cell_wave_vector", "_space_group_ssg", "_space_group_symop_ssg", "_cell_subsystem")
_ABOUT_SYMMETRY = re.compile("space_group|int_tables|equiv_pos|symop")

OVERLAP = 0.4  # Å; atoms of one list cannot be so close
CLOSE = 0.9  # Å; nearer than any two atoms but hydrogen: the wrong one of two settings
CLOSE_TO_HYDROGEN = 0.5  # Å
VOLUME = 0.03  # relative; the volume that a CIF states, against that of its cell
DENSITY = 0.05  # relative
MOST_COMPARED = 3000  # atoms; more are not described
SMALL = 1e-12  # a coordinate that changed by more was moved


class Crystal(NamedTuple):
    """A structure, and what must be said beside its description."""

    structure: "Structure"
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Listing:
    """What stands in a data block, read and checked, before symmetry."""

    cell: Cell
    sites: tuple[Site, ...]
    points: NDArray[np.float64]
    formula: str | None
    units: float | None
    density: float | None


@dataclass(frozen=True)
class _Expanded:
    """The atoms of the cell by one choice of operations."""

    operations: tuple[Operation, ...]
    images: tuple[NDArray[np.float64], ...]  # of each site
    points: NDArray[np.float64]  # of the list, moved onto their special positions
    counts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.counts.values())


def read_cif_block(block: Block, *, allow_mismatch: bool = False) -> Crystal:
    """Read the crystal of one data block.

    Args:
        block: The block.
        allow_mismatch: Take atoms that do not make the stated formula (hydrogens not located, say) as they are, with a
            remark.

    Raises:
        StructureError: There is none, or it is open which one it is.
    """
    fields = read_block(block.text)
    modulated = next((name for name in fields.names() if name.startswith(_MODULATED)), None)
    if modulated is not None and (fields.value("_cell_modulation_dimension") or "1") != "0":
        raise StructureError(f"a modulated structure ({modulated}); only periodic ones are described")
    formula = fields.value("_chemical_formula_sum")
    cell = read_cell(fields)
    sites, remarks = read_sites(fields, stated_formula.known_elements(formula))
    _check_volume(fields, cell)
    unplaced = without_position(fields)
    if not unplaced and not stated_formula.readings(formula or ""):
        unplaced = waters(sites)
    if unplaced:
        reason = f"hydrogens without a position: {', '.join(unplaced[:4])}"
        if not allow_mismatch:
            raise StructureError(reason)
        remarks.append(reason)
    listing = _Listing(
        cell, tuple(sites), coordinates(sites), formula, _optional(fields, "_cell_formula_units_z"),
        _optional(fields, "_exptl_crystal_density_diffrn"),
    )  # fmt: skip
    expanded = _symmetry(fields, listing, allow_mismatch=allow_mismatch)
    if MAGNETIC in fields.columns:
        remarks.append("magnetic moments are not described")
    ordered = _is_ordered(expanded)
    if ordered and (fault := _formula_fault(expanded, listing)):
        if not allow_mismatch:
            raise StructureError(fault)
        remarks.append(fault)
    moved = np.abs(expanded.points - listing.points).max(axis=1) > SMALL
    remarks += [f"{listing.sites[index].label} moved onto its special position" for index in np.flatnonzero(moved)[:3]]
    if ordered and (pair := _too_close(expanded, listing, OVERLAP, OVERLAP)):
        raise StructureError(
            f"atoms overlap: {pair}; are coordinates rounded or of another setting, or is the cell not in Å?"
        )
    return Crystal(_build(fields, listing, expanded), tuple(remarks))


def _optional(fields: Fields, name: str) -> float | None:
    try:
        return float(number(fields.value(name), name))
    except StructureError:
        return None


def _check_volume(fields: Fields, cell: Cell) -> None:
    stated = _optional(fields, "_cell_volume")
    if stated and abs(cell.volume / stated - 1) > VOLUME:
        raise StructureError(f"the cell has {cell.volume:.6g} Å³, but _cell_volume is {stated:g}")


# Symmetry


def _symmetry(fields: Fields, listing: _Listing, *, allow_mismatch: bool) -> _Expanded:
    """Choose the operations, and expand the list of atoms by them.

    Raises:
        StructureError: They cannot be read, contradict what is stated, or it is open which of several hold.
    """
    metric = listing.cell.metric
    given = _given_operations(fields)
    stated = stated_group(fields)
    if given is not None:
        if not keeps_metric(given, metric):
            raise StructureError("the symmetry operations do not fit the cell")
        if stated is not None and MAGNETIC not in fields.columns:
            _check_stated(given, stated)
        return _expand(given, listing)
    if stated is None:
        _refuse_unknown_words(fields)
        expanded = _expand((IDENTITY,), listing)
        system = fields.value(*SYSTEM)
        if system is not None and system.casefold() not in ("triclinic", "anorthic") and not _proven(expanded, listing):
            raise StructureError(f"the symmetry is not understood: the cell is {system}, but no space group is given")
        return expanded
    candidates = [one for one in stated.settings if keeps_metric(one.operations, metric)]
    if not stated.settings:
        raise StructureError(f"the symmetry is not understood: {stated.words}")
    if not candidates:
        raise StructureError(f"the cell does not fit the space group {stated.words}")
    found = [_expand(one.operations, listing) for one in candidates]
    if not stated.understood:
        fitting = [one for one in found if _proven(one, listing)]
        if len(fitting) != 1:
            raise StructureError(f"the symmetry is not understood: {stated.words}")
        return fitting[0]
    if len(found) == 1:
        return found[0]
    return _choose(found, candidates, stated, listing, allow_mismatch=allow_mismatch)


def _refuse_unknown_words(fields: Fields) -> None:
    """Refuse fields about symmetry that are not understood: most atoms would be missing."""
    for name in fields.names():
        if _ABOUT_SYMMETRY.search(name) and name not in SYSTEM:
            told = [value for value in fields.column(name) or [] if value not in (None, "1", "P1", "P 1")]
            if told:
                raise StructureError(f"the symmetry is not understood: {name} {told[0]}"[:120])


def _given_operations(fields: Fields) -> tuple[Operation, ...] | None:
    texts = next((column for name in OPERATIONS if (column := fields.column(name)) and any(column)), None)
    magnetic = fields.column(MAGNETIC)
    if texts is None and magnetic is not None:
        return _magnetic_operations(magnetic, fields.column(CENTRING) or ["x,y,z,+1"])
    unknown = [name for name in fields.names() if "symop" in name and name.endswith(("_xyz", "_algebraic"))]
    if texts is None and set(unknown) - {*OPERATIONS, MAGNETIC, CENTRING}:
        raise StructureError(f"the symmetry is not understood: {unknown[0]}")
    if texts is None:
        return None
    both = [column for name in OPERATIONS if (column := fields.column(name)) and any(column)]
    operations = [_operation(text) for text in texts]
    if len(both) > 1 and {_operation(text) for text in both[1]} != set(operations):
        raise StructureError("two lists of symmetry operations that differ")
    return check_group(operations)


def _operation(text: str | None) -> Operation:
    if text is None:
        raise StructureError("a symmetry operation is missing in the list (? or .)")
    return read_operation(text)


def _magnetic_operations(texts: Sequence[str | None], centring: Sequence[str | None]) -> tuple[Operation, ...]:
    """Operations of a magnetic group without their time reversal: those of the atoms."""

    def spatial(text: str | None) -> Operation:
        parts = (text or "").split(",")
        if len(parts) != 4 or parts[3].strip().strip("'\"") not in ("+1", "-1", "1"):
            raise StructureError(f"the symmetry operation '{text}' cannot be read")
        return read_operation(",".join(parts[:3]))

    shifts = [spatial(text) for text in centring]
    found = []
    for text in texts:
        one = spatial(text)
        for shift in shifts:
            moved = tuple((a + b) % 1 for a, b in zip(one.shift, shift.shift, strict=True))
            found.append(Operation(one.rotation, moved))  # type: ignore[arg-type]
    return check_group(found)


def _check_stated(given: tuple[Operation, ...], stated: Stated) -> None:
    """Compare the operations of a CIF with the space group that it names."""
    group = frozenset(given)
    found = group_number(group)
    if stated.number is not None and found != stated.number:
        only = "only x, y, z" if group == {IDENTITY} else f"those of space group {found}"
        raise StructureError(f"the symmetry operations are {only}, but the space group is {stated.words}")
    if not stated.settings or stated.short or any(one.group == group for one in stated.settings):
        return
    symbol_alone = not stated.exact
    if symbol_alone and any(same_but_for_origin(group, one.group) for one in stated.settings):
        return
    if symbol_alone and stated.words.startswith("number"):
        return
    if symbol_alone and all(len(one.group) != len(group) for one in stated.settings):
        return  # the operations of a primitive cell, whose type is the one that is stated
    raise StructureError(f"the symmetry operations are of another setting than {stated.words}")


def _expand(operations: tuple[Operation, ...], listing: _Listing) -> _Expanded:
    if len(operations) == 1:
        images = tuple(point[None] % 1 for point in listing.points)
        points = listing.points
    else:
        digits = steps(listing.sites)
        both = [orbit(point, step, operations) for point, step in zip(listing.points, digits, strict=True)]
        images = tuple(one for one, _ in both)
        points = np.array([point for _, point in both])
    counts: dict[str, float] = {}
    for site, places in zip(listing.sites, images, strict=True):
        if site.occupancy > 0:
            counts[site.element] = counts.get(site.element, 0.0) + site.occupancy * len(places)
    return _Expanded(operations, images, points, counts)


def _choose(
    found: list[_Expanded], settings: list[Setting], stated: Stated, listing: _Listing, *, allow_mismatch: bool
) -> _Expanded:
    """The one choice that the checks leave, or any of those that are the same crystal."""
    ordered = all(_is_ordered(one) for one in found)
    left = [one for one in found if _too_close(one, listing, CLOSE, CLOSE_TO_HYDROGEN) is None]
    if ordered and not allow_mismatch:
        fitting = [one for one in left if _formula_fault(one, listing) is None]
        if left and not fitting:
            raise StructureError(_formula_fault(left[0], listing) or "")
        left = fitting
    if len(left) > 1 and listing.density:
        left = [one for one in left if abs(_density(one, listing) / listing.density - 1) < DENSITY] or left
    if len(left) > 1 and all(_same_crystal(left[0], other, listing) for other in left[1:]):
        return left[0]
    if len(left) != 1:
        names = " or ".join(one.name for one in settings)
        atoms = " or ".join(f"{one.total:g}" for one in found)
        proof = "" if left else "; in each of them atoms are too close"
        raise StructureError(
            f"the setting of the space group {stated.words} is not said: {names} ({atoms} atoms in the cell){proof}. "
            "Write the one that is meant into the symbol, or list the symmetry operations"
        )
    return left[0]


def _proven(expanded: _Expanded, listing: _Listing) -> bool:
    """Whether formula and Z say that these are all atoms of the cell."""
    if listing.formula is None or listing.units is None or not _is_ordered(expanded):
        return False
    return _formula_fault(expanded, listing) is None and bool(stated_formula.readings(listing.formula))


def _is_ordered(expanded: _Expanded) -> bool:
    return all(abs(amount - round(amount)) < 1e-6 for amount in expanded.counts.values())


def _formula_fault(expanded: _Expanded, listing: _Listing) -> str | None:
    """What formula and Z have against the atoms, if anything."""
    if listing.formula is None or not (choices := stated_formula.readings(listing.formula)):
        return None
    fitting = [amounts for amounts in choices if stated_formula.same(expanded.counts, amounts)]
    if not fitting:
        return stated_formula.difference(expanded.counts, listing.formula, choices[0])
    units = listing.units
    if units and not any(stated_formula.fits_units(expanded.total, amounts, units) for amounts in fitting):
        return (
            f"the cell holds {expanded.total:g} atoms, but {units:g} formula units (_cell_formula_units_Z) of "
            f"{listing.formula} are another number"
        )
    return None


def _density(expanded: _Expanded, listing: _Listing) -> float:
    from pymatgen.core import Composition

    return float(Composition(expanded.counts).weight) / listing.cell.volume * 1.66053907


def _positions(expanded: _Expanded, listing: _Listing) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    elements = np.array(
        [site.element for site, places in zip(listing.sites, expanded.images, strict=True) for _ in places]
    )
    return np.vstack(expanded.images), elements


def _too_close(expanded: _Expanded, listing: _Listing, limit: float, with_hydrogen: float) -> str | None:
    """The first two atoms that are nearer than a limit (Å), another one where one of them is hydrogen."""
    places, elements = _positions(expanded, listing)
    if len(places) > MOST_COMPARED:
        return None
    metric = listing.cell.metric
    limits = np.where(elements == "H", with_hydrogen, limit)
    rows = max(1, 100_000 // len(places))  # so many at a time keep the arrays small
    for start in range(0, len(places), rows):
        gap = places[start : start + rows, None] - places[None]
        gap -= np.round(gap)
        squared = ((gap @ metric) * gap).sum(axis=2)
        own = np.arange(start, min(start + rows, len(places)))
        squared[own - start, own] = np.inf
        near = squared < np.minimum(limits[own, None], limits[None]) ** 2
        if near.any():
            one, other = (int(place[0]) for place in np.nonzero(near))
            distance = math.sqrt(max(float(squared[one, other]), 0.0))
            return f"{elements[start + one]} and {elements[other]} are {distance:.2g} Å apart"
    return None


def _same_crystal(one: _Expanded, other: _Expanded, listing: _Listing) -> bool:
    """Whether two sets of atoms differ by a shift of the origin alone."""
    if one.counts != other.counts:
        return False
    places, elements = _positions(one, listing)
    others, other_elements = _positions(other, listing)
    if len(places) != len(others) or len(places) > 500:
        return False
    rare = min(one.counts, key=lambda element: (one.counts[element], element))
    start = places[elements == rare][0]
    for target in others[other_elements == rare]:
        gaps = (places + (target - start))[:, None, :] - others[None]
        gaps -= np.round(gaps)
        hit = (np.abs(gaps) < 1e-3).all(axis=2) & (elements[:, None] == other_elements[None])
        if hit.any(axis=1).all():
            return True
    return False


# The structure


def _build(fields: Fields, listing: _Listing, expanded: _Expanded) -> "Structure":
    """Let pymatgen build the structure from a plain CIF of what was read."""
    from pymatgen.io.cif import CifParser

    lines = ["data_crystal"]
    for name, text in zip(("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"),
                          listing.cell.texts, strict=True):  # fmt: skip
        lines.append(f"_cell_{name} {text}")
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{text}'" for text in _operation_texts(fields, expanded))]
    lines += _oxidation_states(fields)
    lines += ["loop_", *(f"_atom_site_{name}" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))]
    lines.append("_atom_site_occupancy")
    for index, site in enumerate(listing.sites):
        moved = np.abs(expanded.points[index] - listing.points[index]).max() > SMALL
        place = [repr(float(part)) for part in expanded.points[index]] if moved else site.place
        label = "".join(site.label.split()) if not set(site.label) & set("'\"#_;$[]") else f"{site.element}{index + 1}"
        lines.append(f"{label} {site.symbol} {' '.join(place)} {site.occupancy!r}")
    parser = CifParser.from_str("\n".join(lines) + "\n", check_cif=False)
    structure: Structure = parser.parse_structures(primitive=False, on_error="raise")[0]
    found = {str(element): amount for element, amount in structure.composition.element_composition.items()}
    if found.keys() != expanded.counts.keys() or any(
        abs(found[element] - amount) > 1e-3 * max(1.0, amount) for element, amount in expanded.counts.items()
    ):
        raise StructureError("two ways of applying the symmetry operations disagree; are the coordinates rounded?")
    return structure


def _operation_texts(fields: Fields, expanded: _Expanded) -> Sequence[str]:
    """The operations as pymatgen shall read them: those of the file where it reads them rightly."""
    operations = expanded.operations
    column = next((column for name in OPERATIONS if (column := fields.column(name)) and any(column)), None)
    if column is not None and tuple(dict.fromkeys(map(_operation, column))) == operations:
        return _readable(tuple(text or "" for text in column), tuple(map(_operation, column)))
    if column is None and MAGNETIC not in fields.columns:
        usual = _as_pymatgen_orders(fields.value(*SYMBOL), fields.value(*NUMBER), frozenset(operations))
        if usual is not None:
            return usual
    return [one.text for one in operations]


@lru_cache(maxsize=256)
def _readable(texts: tuple[str, ...], operations: tuple[Operation, ...]) -> tuple[str, ...]:
    from pymatgen.core.operations import SymmOp

    found = []
    for text, operation in zip(texts, operations, strict=True):
        try:
            read = SymmOp.from_xyz_str(text)
            same = _is(read, operation) and "'" not in text
        except (ValueError, KeyError, ZeroDivisionError, IndexError):
            same = False
        found.append(text if same else operation.text)
    return tuple(found)


def _is(read: object, operation: Operation) -> bool:
    matrix = np.asarray(read.affine_matrix)  # type: ignore[attr-defined]
    rotation = np.array(operation.rotation, float).reshape(3, 3)
    gap = matrix[:3, 3] - np.array([float(part) for part in operation.shift])
    return bool((matrix[:3, :3] == rotation).all() and (np.abs(gap - np.round(gap)) < 1e-9).all())


@lru_cache(maxsize=256)
def _as_pymatgen_orders(symbol: str | None, text: str | None, group: frozenset[Operation]) -> tuple[str, ...] | None:
    """The operations in the order in which pymatgen makes them of a symbol, None where it makes others."""
    from pymatgen.io.cif import CifFile, CifParser

    lines = ["data_x"]
    if symbol is not None and "'" not in symbol:
        lines.append(f"_symmetry_space_group_name_H-M '{symbol}'")
    if text is not None and "'" not in text:
        lines.append(f"_symmetry_Int_Tables_number '{text}'")
    cif = "\n".join(lines) + "\n"
    try:
        made = CifParser.from_str(cif, check_cif=False).get_symops(CifFile.from_str(cif).data["x"])
        texts = tuple(operation.as_xyz_str() for operation in made)
        operations = tuple(map(read_operation, texts))
    except (ValueError, KeyError, IndexError, StructureError):
        return None
    return texts if frozenset(operations) == group else None


def _oxidation_states(fields: Fields) -> list[str]:
    symbols = fields.columns.get("_atom_type_symbol")
    states = fields.columns.get("_atom_type_oxidation_number")
    if not symbols or not states or None in symbols or None in states or len(symbols) != len(states):
        return []
    lines = ["loop_", "_atom_type_symbol", "_atom_type_oxidation_number"]
    return [*lines, *(f"{symbol} {state}" for symbol, state in zip(symbols, states, strict=True))]
