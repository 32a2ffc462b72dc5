"""Whether the libraries installed are those whose work the shortcuts repeat.

A shortcut gives the text of upstream only as long as upstream computes what it did when the shortcut was tested. So
two things are looked at once: the versions, and the source of every function that is replaced or whose details are
relied on. Where either differs, descriptions are made by the plain upstream code, slowly, with a warning.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from functools import cache, reduce
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from packaging.specifiers import SpecifierSet

TESTED = {
    "robocrys": ">=0.2.13,<0.3",
    "matminer": ">=0.10.1,<0.11",
    "pymatgen-core": ">=2026.10,<2028",
    "numpy": ">=2.0,<3",
}

# module:name -> first 16 digits of the SHA-256 of its source; remake with `python -m ...fast.compatibility`
SOURCES = {
    "pymatgen.core.local_env:CrystalNN.__init__": "664fad2f0da36002",
    "pymatgen.core.local_env:CrystalNN.get_nn_data": "9cfc4926744461a9",
    "pymatgen.core.local_env:CrystalNN.get_nn_info": "4863ea422da76ec6",
    "pymatgen.core.local_env:CrystalNN._semicircle_integral": "a918273c03921f04",
    "pymatgen.core.local_env:VoronoiNN.__init__": "7905304ec40fbbcc",
    "pymatgen.core.local_env:VoronoiNN.get_voronoi_polyhedra": "43c9fb1f18eb58db",
    "pymatgen.core.local_env:VoronoiNN._extract_cell_info": "def5e5fa01a0cf9e",
    "pymatgen.core.local_env:VoronoiNN._extract_nn_info": "e1336820a1030785",
    "pymatgen.core.local_env:NearNeighbors.get_bonded_structure": "bef7e7162f831fff",
    "pymatgen.core.local_env:LocalStructOrderParams.__init__": "614b5fc1c8e85fc8",
    "pymatgen.core.local_env:LocalStructOrderParams.get_order_parameters": "3d272fd6ced284dd",
    "pymatgen.core.local_env:solid_angle": "83ccea6037c7ec81",
    "pymatgen.core.local_env:vol_tetra": "94e1142c741d0419",
    "pymatgen.core.local_env:gramschmidt": "bd5649a20fbf9e57",
    "pymatgen.core.local_env:_get_radius": "9a30271efee64b1d",
    "pymatgen.core.local_env:_get_default_radius": "d37c7f3e24ba9c6c",
    "pymatgen.core.structure:IStructure.get_sites_in_sphere": "90160ffe1da3fb42",
    "pymatgen.core.structure:PeriodicNeighbor": "099ad5415847de2c",
    "pymatgen.core.lattice:Lattice.get_points_in_sphere": "5f8974c5fb43fb9a",
    "pymatgen.core.lattice:Lattice.get_distance_and_image": "ae4c2400d4d613c2",
    "pymatgen.core.lattice:get_integer_index": "e65be384777772b1",
    "pymatgen.core.sites:PeriodicSite.__hash__": "fcec34168fad619a",
    "pymatgen.core.graphs:StructureGraph.from_local_env_strategy": "54d75825cdddc652",
    "pymatgen.core.graphs:StructureGraph.add_edge": "9a3ac9961b5269a5",
    "pymatgen.core.graphs:StructureGraph.get_connected_sites": "8d576bdda27d8321",
    "pymatgen.core.graphs:ConnectedSite": "b68d208ecf379032",
    "pymatgen.analysis.dimensionality:get_structure_components": "ccb24506a05ee007",
    "pymatgen.analysis.dimensionality:calculate_dimensionality_of_site": "50ef4bdfb51f6c2f",
    "pymatgen.analysis.dimensionality:zero_d_graph_to_molecule_graph": "0cb2f1459ff1db6e",
    "pymatgen.core.structure_matcher:StructureMatcher.fit": "6143ecceb08f8f7d",
    "pymatgen.core.structure_matcher:StructureMatcher.fit_anonymous": "5f489feb06c141d9",
    "pymatgen.core.structure_matcher:StructureMatcher._anonymous_match": "0a34aa08d1558b8e",
    "pymatgen.core.structure_matcher:StructureMatcher._preprocess": "6694582f24d389e1",
    "pymatgen.core.structure_matcher:StructureMatcher._get_reduced_structure": "7456f5369a4505aa",
    "pymatgen.analysis.prototypes.matcher:PrototypeDatabaseMatcher._preprocess_structure": "1bf9afc259cb733c",
    "pymatgen.analysis.prototypes.matcher:PrototypeDatabaseMatcher._match_single_prototype": "8a00663202888c1d",
    "pymatgen.util.coord:get_angle": "526e5805f160a163",
    "matminer.featurizers.site.fingerprint:CrystalNNFingerprint.from_preset": "6b959c69bacf537a",
    "matminer.featurizers.site.fingerprint:CrystalNNFingerprint.featurize": "02be28f517f6a492",
    "matminer.featurizers.site.fingerprint:CrystalNNFingerprint.feature_labels": "2b6da4572ec27969",
    "matminer.featurizers.structure.sites:SiteStatsFingerprint.featurize": "248f796bcd605e5d",
    "matminer.featurizers.utils.stats:PropertyStats.mean": "38a47a1c58179da9",
    "matminer.featurizers.utils.stats:PropertyStats.std_dev": "f9d88c8071aafc82",
    "pymatgen.core.lattice:Lattice.inv_matrix": "ba41d600d75ca49b",
    "pymatgen.core.lattice:Lattice.get_cartesian_coords": "d8670080a2abc3c1",
    "pymatgen.core.lattice:Lattice.get_fractional_coords": "fd8e459887472c5e",
    "pymatgen.core.lattice:Lattice.find_all_mappings": "c6b6ddf315fc15ef",
    "pymatgen.core.lattice:Lattice._calculate_lll": "c828177f537f172a",
    "pymatgen.core.lattice:Lattice.get_niggli_reduced_lattice": "44666b6ee1ba21c3",
    "pymatgen.core.sites:PeriodicSite.__init__": "ff4c367362a8ae1b",
    "pymatgen.core.structure:IStructure.get_primitive_structure": "417ceadc25a07953",
    "pymatgen.core.structure:IStructure.get_reduced_structure": "c51b9fa1b125e2e3",
    "pymatgen.core.structure:IStructure.get_sorted_structure": "29e8b66dd99c3a96",
    "pymatgen.symmetry.analyzer:SpacegroupAnalyzer.get_refined_structure": "fd1ded3dc4c0b4ef",
    "pymatgen.symmetry.analyzer:SpacegroupAnalyzer.get_conventional_standard_structure": "e05d53e81d067ca4",
    "pymatgen.core.structure_matcher:StructureMatcher._strict_match": "1b1114b71721e655",
    "pymatgen.core.structure_matcher:StructureMatcher._cart_dists": "3c08a870e420c574",
    "pymatgen.core.structure_matcher:StructureMatcher._get_supercells": "4087f43c63f7bea8",
    "pymatgen.util.coord:lattice_points_in_supercell": "2211edcbf5eba911",
    "robocrys.condense.component:get_vdw_heterostructure_information": "f1109fae096a2fdf",
    "robocrys.condense.condenser:StructureCondenser": "785d43d93fc7e674",
    "robocrys.condense.site:SiteAnalyzer": "297c0807b5404d1e",
    "robocrys.condense.site:geometries_match": "2f5ca3c0e5336fb3",
    "robocrys.condense.site:nn_summaries_match": "eba4396523952fc8",
    "robocrys.condense.site:nnn_summaries_match": "8ddee28a9f4f5450",
    "robocrys.condense.mineral:MineralMatcher": "d404a9c679502c03",
    "robocrys.condense.mineral:ReducedAflowPrototypeMatcher": "d44e6b70cf8e0278",
    "robocrys.condense.fingerprint:get_site_fingerprints": "a57ca3522c1c224e",
    "robocrys.condense.fingerprint:get_structure_fingerprint": "bc59dde94959c1ff",
    "robocrys.condense.fingerprint:get_fingerprint_distance": "4247b014282e4bb8",
    "robocrys.condense.component:get_structure_inequiv_components": "1696893265bb32a8",
    "robocrys.condense.component:get_reconstructed_structure": "f6984a7655153274",
    "robocrys.condense.molecule:MoleculeNamer.get_name_from_molecule_graph": "60befbf77e03e738",
    "robocrys.describe.describer:StructureDescriber": "48d6f50869b4b5d1",
    "robocrys.describe.adapter:DescriptionAdapter": "25c36b305e2443fc",
}


def _function(path: str) -> object:
    module, _, name = path.partition(":")
    return reduce(getattr, name.split("."), import_module(module))


def digest(path: str) -> str:
    """The fingerprint of the source of a function or class, given as `module:name`.

    Raises:
        OSError: There is no source.
        AttributeError, ImportError: There is no such function.
    """
    target = _function(path)
    if isinstance(target, property):
        target = target.fget
    return hashlib.sha256(inspect.getsource(inspect.unwrap(target)).encode()).hexdigest()[:16]  # type: ignore[arg-type]


def problems() -> list[str]:
    """What keeps the shortcuts from being used, one line each; empty where all is as tested."""
    found = []
    for package, tested in TESTED.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            found.append(f"{package} is not installed")
            continue
        if not SpecifierSet(tested).contains(installed, prereleases=True):
            found.append(f"{package} {installed} is outside the tested range {tested}")
    for path, expected in SOURCES.items():
        try:
            if digest(path) != expected:
                found.append(f"{path} has changed")
        except (OSError, AttributeError, ImportError, TypeError) as error:
            found.append(f"{path}: {type(error).__name__}")
    return found


@cache
def shortcuts() -> bool:
    """Whether the shortcuts can be used; warns, once, where they cannot."""
    found = problems()
    if found:
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        warnings.warn(
            f"Descriptions are made by the plain Robocrystallographer, some fifty times slower, because {shown}. "
            "Install the versions in constraints.txt for the fast way.",
            stacklevel=2,
        )
    return not found


if __name__ == "__main__":
    for name in SOURCES:
        print(f'    "{name}": "{digest(name)}",')  # noqa: T201
