"""The classes and functions of pymatgen and Robocrystallographer that are used here, all with fixed arithmetic."""

from __future__ import annotations

from typing import Any

from .fixed_copies import copy_of

_structure = copy_of("pymatgen.core.structure")
_component = copy_of("robocrys.condense.component")
_local_env = copy_of("pymatgen.core.local_env")

Lattice = copy_of("pymatgen.core.lattice").Lattice
get_integer_index = copy_of("pymatgen.core.lattice").get_integer_index
PeriodicSite = copy_of("pymatgen.core.sites").PeriodicSite
Structure = _structure.Structure
Molecule = _structure.Molecule
StructureMatcher = copy_of("pymatgen.core.structure_matcher").StructureMatcher
SpacegroupAnalyzer = copy_of("pymatgen.symmetry.analyzer").SpacegroupAnalyzer
CrystalNN = _local_env.CrystalNN
get_radius = _local_env._get_radius
get_default_radius = _local_env._get_default_radius
StructureCondenser = copy_of("robocrys.condense.condenser").StructureCondenser
MineralMatcher = copy_of("robocrys.condense.mineral").MineralMatcher
SiteAnalyzer = copy_of("robocrys.condense.site").SiteAnalyzer
components_are_vdw_heterostructure = _component.components_are_vdw_heterostructure
get_component_formula = _component.get_component_formula
get_reconstructed_structure = _component.get_reconstructed_structure
get_vdw_heterostructure_information = _component.get_vdw_heterostructure_information


def take(structure: Any) -> Any:  # noqa: ANN401
    """The same structure, with fixed arithmetic.

    Args:
        structure: A pymatgen `Structure`.
    """
    lattice = Lattice(structure.lattice.matrix, pbc=structure.lattice.pbc)
    sites = [
        PeriodicSite(site.species, site.frac_coords, lattice, properties=dict(site.properties), label=site._label)
        for site in structure
    ]
    return Structure.from_sites(sites, charge=structure._charge)
