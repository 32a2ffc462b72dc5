"""Which components of a structure are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import upstream
from .prototypes import _reduced

if TYPE_CHECKING:
    from pymatgen.core import Structure

Component = dict[str, Any]


def inequivalent(components: list[Component]) -> list[Component]:
    """The first of every kind of component, with its `count`; as `get_structure_inequiv_components`.

    Every component is reduced to its primitive cell once; upstream does so for every pair.
    """
    copies = [{**component, "count": 1} for component in components]
    if len(copies) == 1:
        return copies
    matcher = upstream.StructureMatcher()
    reduced: dict[int, Structure] = {}

    def cell(index: int) -> Structure:
        if index not in reduced:
            reduced[index] = _reduced(copies[index]["structure_graph"].structure)
        return reduced[index]

    kinds = [copies[0]]
    of_kind = [0]
    formulas = [component["structure_graph"].structure.composition.fractional_composition for component in copies]
    for index, component in enumerate(copies[1:], start=1):
        for kind, first in zip(kinds, of_kind, strict=True):
            if formulas[index] == formulas[first] and matcher.fit(
                cell(index), cell(first), skip_structure_reduction=True
            ):
                kind["count"] += 1
                break
        else:
            kinds.append(component)
            of_kind.append(index)
    return kinds
