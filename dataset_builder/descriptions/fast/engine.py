"""From a structure to its condensed form: every step computed once, and shared."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import DescriptionError
from . import components as component_kinds
from . import dimensionality, fingerprints, upstream
from .arithmetic import Floats
from .connectivity import Bonds
from .near_ties import NearTie
from .neighbours import SharedCrystalNN
from .prototypes import SharedMineralMatcher
from .sites import SharedSiteAnalyzer
from .upstream import take
from .writer import write

if TYPE_CHECKING:
    from pymatgen.core import PeriodicSite, Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

__all__ = ["SharedCondenser", "condense", "prepare", "take", "write"]

Component = dict[str, Any]


class SharedCondenser(upstream.StructureCondenser):  # type: ignore[misc]
    """Robocrystallographer's condenser with its default settings, without the repeated work and the molecule namer."""

    def __init__(self) -> None:
        super().__init__(near_neighbors=SharedCrystalNN(), mineral_matcher=SharedMineralMatcher())

    def condense_structure(self, structure: Structure, max_sites: int | None = None) -> dict[str, Any]:
        """The condensed form, in the same format as upstream's.

        Args:
            structure: An ordered structure.
            max_sites: How many sites the conventional cell may have.

        Raises:
            DescriptionError: The conventional cell is too large.
        """
        structure = take(structure).get_sorted_structure()
        structure.translate_sites(range(len(structure)), [1, 1, 1])
        symmetry = upstream.SpacegroupAnalyzer(structure, symprec=self.symprec)
        structure = symmetry.get_conventional_standard_structure()
        if max_sites is not None and len(structure) > max_sites:
            message = f"The conventional cell has {len(structure)} sites; at most {max_sites} are described"
            raise DescriptionError("too_many_sites", message)

        try:
            return self._condense(structure, symmetry, exact=False)
        except NearTie:
            return self._condense(structure, symmetry, exact=True)

    def _condense(self, structure: Structure, symmetry: SpacegroupAnalyzer, *, exact: bool) -> dict[str, Any]:
        neighbourhoods = self.near_neighbors.neighbourhoods(structure, exact=exact)
        site_fingerprints = fingerprints.site_fingerprints(neighbourhoods)
        bonds = Bonds(structure, neighbourhoods)
        components = dimensionality.components(bonds, exact=exact)
        analyzer = SharedSiteAnalyzer(bonds, site_fingerprints, self.symprec, exact=exact)
        makeup, order = self._makeup(components, analyzer)
        layers = None
        if upstream.components_are_vdw_heterostructure(components):
            layers = upstream.get_vdw_heterostructure_information(components)
        return {
            "formula": self._condense_formula(structure, components),
            "spg_symbol": symmetry.get_space_group_symbol(),
            "crystal_system": symmetry.get_crystal_system(),
            "mineral": self._mineral(structure, components, site_fingerprints, exact=exact),
            "dimensionality": max(component["dimensionality"] for component in components),
            "sites": analyzer.get_all_site_summaries(),
            "distances": analyzer.get_all_bond_distance_summaries(),
            "angles": analyzer.get_all_connectivity_angle_summaries(),
            "nnn_distances": analyzer.get_all_nnn_distance_summaries(),
            "components": makeup,
            "component_makeup": order,
            "vdw_heterostructure_info": layers,
        }

    def _mineral(
        self, structure: Structure, components: list[Component], sites: Floats, *, exact: bool
    ) -> dict[str, Any]:
        mineral = self.mineral_matcher.name(structure, fingerprints.structure_fingerprint(sites), exact=exact)
        if mineral["type"]:
            return {**mineral, "simplified": False}
        # once more with every molecule in place of one atom; without molecules it is the same structure again
        if any(component["dimensionality"] == 0 for component in components):
            simple = upstream.get_reconstructed_structure(components)
            if not _same(simple, structure):
                neighbourhoods = self.near_neighbors.neighbourhoods(simple, exact=exact)
                fingerprint = fingerprints.structure_fingerprint(fingerprints.site_fingerprints(neighbourhoods))
                mineral = self.mineral_matcher.name(simple, fingerprint, exact=exact)
        return {**mineral, "simplified": True}

    def _makeup(
        self, components: list[Component], analyzer: SharedSiteAnalyzer
    ) -> tuple[dict[int, dict[str, Any]], list[int]]:
        makeup, order = {}, []
        for index, component in enumerate(component_kinds.inequivalent(components)):
            makeup[index] = {
                "formula": upstream.get_component_formula(component),
                "dimensionality": component["dimensionality"],
                "orientation": component["orientation"],
                "molecule_name": None,  # upstream's namer never finds one offline
                "sites": analyzer.get_inequivalent_site_indices(component["site_ids"]),
            }
            order.extend([index] * component["count"])
        return makeup, order


def _same(a: Structure, b: Structure) -> bool:
    """Whether two structures on the same lattice have the same atoms at the same places, in any order."""
    if len(a) != len(b):
        return False

    def key(site: PeriodicSite) -> Any:  # noqa: ANN401
        return (site.species_string, *site.coords.round(6).tolist())

    first, second = sorted(a, key=key), sorted(b, key=key)
    return all(
        x.species == y.species and bool((abs(x.coords - y.coords) < 1e-5).all())
        for x, y in zip(first, second, strict=True)
    )


@cache
def _condenser() -> SharedCondenser:
    return SharedCondenser()


def condense(structure: Structure, max_sites: int) -> dict[str, Any]:
    """The condensed form, in upstream's format; see `SharedCondenser`."""
    return _condenser().condense_structure(structure, max_sites)


def prepare() -> None:
    """Load the tables and reduce the prototypes, e.g. before forking."""
    fingerprints.labels()
    _condenser().mineral_matcher.prepare()
