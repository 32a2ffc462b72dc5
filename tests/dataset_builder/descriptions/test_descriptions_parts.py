"""Each vectorised piece against the pymatgen or matminer code that it stands for, on random and on symmetric input.

Upstream's last bits are those of the kernel of the linear algebra, ours always those of the reference kernel; so this
runs in a process with that kernel, started by `test_descriptions_reference.py`. Upstream's sums are plain ones here, as
they are in Python before 3.12.
"""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

pytest.importorskip("robocrys")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.analysis import dimensionality as upstream_dimensionality
from pymatgen.core import Lattice, Site, Structure
from pymatgen.core.local_env import CrystalNN, LocalStructOrderParams, solid_angle
from reference_processor import differences
from robocrys.condense import fingerprint as upstream_fingerprint
from robocrys.condense import site as upstream_site
from robocrys.condense.component import get_structure_inequiv_components

from llm4mat_bench.dataset_builder.descriptions.fast import (
    arithmetic,
    components,
    dimensionality,
    dual_cells,
    fingerprints,
    order_parameters,
    upstream,
    voronoi,
)
from llm4mat_bench.dataset_builder.descriptions.fast.connectivity import Bonds
from llm4mat_bench.dataset_builder.descriptions.fast.neighbours import SharedCrystalNN
from llm4mat_bench.dataset_builder.descriptions.fast.sites import SharedSiteAnalyzer

warnings.simplefilter("ignore")
pytestmark = pytest.mark.skipif(
    bool(differences()), reason=f"run by test_descriptions_reference.py, since here {'; '.join(differences())}"
)


def plain_sum(values: Iterable[float], start: float = 0) -> float:
    for value in values:
        start = start + value
    return start


@pytest.fixture(autouse=True, scope="module")
def sums_as_before_python_3_12() -> Iterator[None]:
    original = builtins.sum
    builtins.sum = plain_sum  # type: ignore[assignment]
    yield
    builtins.sum = original


numbers = st.integers(0, 2**32 - 1)
some = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def symmetric() -> dict[str, Structure]:
    third = 1 / 3
    return {
        "rock salt": Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
        "bcc": Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5] * 3]),
        "sheets": Structure.from_spacegroup(
            "P6_3/mmc", Lattice.hexagonal(3.16, 12.29), ["Mo", "S"], [[third, 2 / 3, 0.25], [third, 2 / 3, 0.621]]
        ),
        "molecules": Structure.from_spacegroup("Pa-3", Lattice.cubic(5.62), ["C", "O"], [[0, 0, 0], [0.1185] * 3]),
        "ribbons": Structure.from_spacegroup(
            "Ibam", Lattice.orthorhombic(9.58, 5.61, 5.55), ["Si", "S"], [[0, 0, 0.25], [0.117, 0.208, 0]]
        ),
        "perovskite": Structure(
            Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"],
            [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        ),
    }  # fmt: skip


def random_structure(seed: int) -> Structure:
    rng = np.random.default_rng(seed)
    sites = int(rng.integers(1, 9))
    volume = sites * rng.uniform(9, 30)
    lattice = Lattice.from_parameters(*rng.uniform(0.8, 1.25, 3), *rng.uniform(65, 115, 3))
    lattice = lattice.scale(volume)
    structure = Structure(lattice, [], [])
    for _ in range(sites * 20):
        point = rng.random(3)
        if len(structure) == 0 or min(structure.lattice.get_all_distances(point, structure.frac_coords)[0]) > 1.5:
            structure.append(str(rng.choice(["Na", "O", "Si", "Cl", "Fe", "H", "Cs"])), point)
        if len(structure) == sites:
            break
    return structure


@some
@given(numbers)
def test_arithmetic_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, matrix = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), rng.normal(size=(3, 3))
    assert arithmetic.norms(a).tolist() == [np.linalg.norm(x) for x in a]
    assert arithmetic.dots(a, b).tolist() == [np.inner(x, y) for x, y in zip(a, b, strict=True)]
    for length in (1, 2, 15, 16, 17, 31, 48, 122):
        long, other = rng.normal(size=(4, length)), rng.normal(size=(4, length))
        assert arithmetic.dots(long, other).tolist() == [np.inner(x, y) for x, y in zip(long, other, strict=True)]
    assert arithmetic.cartesian(a, matrix).tolist() == [np.dot(x, matrix).tolist() for x in a]
    cosines = np.clip(rng.normal(size=50), -1.5, 1.5)
    assert arithmetic.arccos(cosines).tolist() == [math.acos(max(-1, min(1, x))) for x in cosines]
    assert arithmetic.exponential(cosines).tolist() == [math.exp(x) for x in cosines]
    groups = np.sort(rng.integers(0, 5, 50))
    for group, total in enumerate(arithmetic.sums(cosines, groups, 5)):
        one_by_one = 0.0
        for value in cosines[groups == group]:
            one_by_one += value
        assert total == one_by_one


def shells(seed: int, number: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    ideal = np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1],
         [1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1], [1, -1, -1]], dtype=float,
    )  # fmt: skip
    cube = np.array([[x, y, z] for x in (1, -1) for y in (1, -1) for z in (1, -1)], dtype=float)
    result = [rng.normal(size=(number, 3)), rng.permutation(ideal)[:number] * rng.uniform(1, 3)]
    if number <= 8:
        result.append(rng.permutation(cube)[:number] + rng.normal(size=(number, 3)) * 0.05)
    opposite = rng.normal(size=(number, 3))
    if number > 1:
        opposite[1] = -opposite[0]
    return [*result, opposite]


KINDS = [
    (number, kind, parameters)
    for number, entries in fingerprints._layout().parameters.items()
    for _, kind, parameters in entries
]


@pytest.mark.parametrize(("number", "kind", "parameters"), KINDS, ids=[f"{kind} {number}" for number, kind, _ in KINDS])
@settings(max_examples=8, deadline=None)
@given(seed=numbers)
def test_order_parameters(seed: int, number: int, kind: str, parameters: dict | None) -> None:
    vectors = np.array(shells(seed, number))
    got = order_parameters.evaluate(vectors, [(kind, parameters)])[:, 0]
    reference = LocalStructOrderParams([kind], parameters=[parameters])
    for value, shell in zip(got.tolist(), vectors, strict=True):
        sites = [Site("H", [0, 0, 0]), *(Site("H", vector) for vector in shell)]
        expected = reference.get_order_parameters(sites, 0, indices_neighs=list(range(1, number + 1)))[0] or 0
        if kind in {"q2", "q4", "q6"}:
            assert value == pytest.approx(expected, abs=1e-13)
        else:
            assert value == pytest.approx(expected, rel=0, abs=2e-16)


def test_one_call_for_many_sites_is_many_calls_for_one() -> None:
    vectors = np.random.default_rng(3).normal(size=(3000, 6, 3))
    kinds = [(kind, parameters) for number, kind, parameters in KINDS if number == 6]
    together = order_parameters.evaluate(vectors, kinds)
    assert (
        together[::500] == np.concatenate([order_parameters.evaluate(v[None], kinds) for v in vectors[::500]])
    ).all()


@some
@given(numbers)
def test_cells(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(60, 3)) * 3
    points = points[np.argsort(np.linalg.norm(points, axis=1))]
    points -= points[0]
    try:
        cell = voronoi.cell(points)
    except voronoi.InfiniteCellError:
        with pytest.raises(dual_cells.OpenCellError):
            dual_cells.cell(points)
        return
    ((angles, areas),) = voronoi.faces([cell], [points])
    expected = [solid_angle(points[0], cell.vertices[face]) for face in cell.faces]
    assert angles.tolist() == expected
    assert angles.sum() == pytest.approx(4 * math.pi)
    quick = dual_cells.cell(points)
    if quick is not None:
        ((quick_angles, quick_areas),) = dual_cells.faces([quick])
        assert sorted(quick.others) == sorted(cell.others)
        order, quick_order = np.argsort(cell.others), np.argsort(quick.others)
        np.testing.assert_allclose(quick_angles[quick_order], angles[order], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(quick_areas[quick_order], areas[order], rtol=1e-7, atol=1e-9)


def check_neighbours(structure: Structure, *, exact: bool) -> None:
    reference = CrystalNN()
    for index, got in enumerate(SharedCrystalNN().neighbourhoods(upstream.take(structure), exact=exact)):
        data = reference.get_nn_data(structure, index)
        assert got.coordination == data.cn_weights
        expected = [(int(e["site"].index), tuple(int(x) for x in e["site"].image)) for e in data.all_nninfo]
        found = list(zip(got.indices, got.images, strict=True))
        if exact:
            assert found == expected
            vectors = [(e["site"].coords - structure[index].coords).tolist() for e in data.all_nninfo]
            assert got.vectors.tolist() == vectors
        for number in data.cn_weights:
            assert set(found[:number]) == set(expected[:number])


@pytest.mark.parametrize("name", symmetric())
@pytest.mark.parametrize("exact", [True, False])
def test_neighbours_of_symmetric_structures(name: str, exact: bool) -> None:
    check_neighbours(symmetric()[name], exact=exact)


@few
@given(numbers)
def test_neighbours_of_random_structures(seed: int) -> None:
    check_neighbours(random_structure(seed), exact=True)
    check_neighbours(random_structure(seed), exact=False)


def check_bonds(structure: Structure) -> None:
    taken = upstream.take(structure)
    neighbourhoods = SharedCrystalNN().neighbourhoods(taken, exact=True)
    bonds = Bonds(taken, neighbourhoods)
    graph = CrystalNN().get_bonded_structure(structure)
    for index in range(len(structure)):
        for image in ((0, 0, 0), (1, -2, 0)):
            expected = [(site.index, site.jimage, site.dist) for site in graph.get_connected_sites(index, image)]
            assert [tuple(bond) for bond in bonds.of(index, image)] == expected

    sites = fingerprints.site_fingerprints(neighbourhoods)
    expected_sites = upstream_fingerprint.get_site_fingerprints(structure, as_dict=False)
    # nearly always to the last bit; the square of a cosine can differ there from what `**` gives in Python
    exactly = [not label.startswith("q") for label in fingerprints.labels()]
    np.testing.assert_allclose(sites[:, exactly], expected_sites[:, exactly], rtol=0, atol=1e-16)
    np.testing.assert_allclose(sites, expected_sites, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        fingerprints.structure_fingerprint(sites), upstream_fingerprint.get_structure_fingerprint(structure), atol=1e-7
    )

    analyzer = SharedSiteAnalyzer(bonds, sites, 0.01, exact=True)
    reference = upstream_site.SiteAnalyzer(graph)
    assert analyzer.equivalent_sites == reference.equivalent_sites
    assert analyzer.symmetry_labels == reference.symmetry_labels
    for index in range(len(structure)):
        got = analyzer.get_next_nearest_neighbors(index)
        want = reference.get_next_nearest_neighbors(index)
        assert [(n["element"], n["connectivity"], n["angles"], n["distance"], n["inequiv_index"]) for n in got] == [
            (n["element"], n["connectivity"], n["angles"], n["distance"], n["inequiv_index"]) for n in want
        ]
        assert [n["geometry"]["type"] for n in got] == [n["geometry"]["type"] for n in want]

    found = dimensionality.components(bonds, exact=True)
    wanted = upstream_dimensionality.get_structure_components(
        graph, inc_orientation=True, inc_site_ids=True, inc_molecule_graph=True
    )
    assert [(c["dimensionality"], c["orientation"], set(c["site_ids"])) for c in found] == [
        (c["dimensionality"], c["orientation"], set(c["site_ids"])) for c in wanted
    ]
    for mine, theirs in zip(found, wanted, strict=True):
        if mine["dimensionality"] == 0:
            centre = mine["molecule_graph"].molecule.center_of_mass
            assert centre.tolist() == theirs["molecule_graph"].molecule.center_of_mass.tolist()
    counts = [component["count"] for component in components.inequivalent(found)]
    assert counts == [component["count"] for component in get_structure_inequiv_components(wanted)]


@pytest.mark.slow
@pytest.mark.parametrize("name", symmetric())
def test_bonds_sites_and_components_of_symmetric_structures(name: str) -> None:
    check_bonds(symmetric()[name])


@pytest.mark.slow
@few
@given(numbers)
def test_bonds_sites_and_components_of_random_structures(seed: int) -> None:
    check_bonds(random_structure(seed))


@some
@given(numbers)
def test_integer_rank(seed: int) -> None:
    rng = np.random.default_rng(seed)
    span = dimensionality._Span()
    added: list[tuple[int, int, int]] = []
    for _ in range(12):
        image = tuple(int(x) for x in rng.integers(-3, 4, 3))
        if span.grows(image):
            span.add(image)
            added.append(image)
        vectors = np.array(added)[1:] - np.array(added)[0]
        assert span.rank == (np.linalg.matrix_rank(vectors) if len(vectors) else 0)
    assert set(added) == span.images
