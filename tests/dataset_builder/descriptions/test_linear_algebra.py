"""Our linear algebra against NumPy's, which has the same bits where OpenBLAS runs the reference kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymatgen.core.lattice import get_integer_index
from reference_processor import differences

from llm4mat_bench.dataset_builder.descriptions.fast import directions, fixed_numpy, linear_algebra

exact = not differences()
numbers = st.one_of(st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-6), st.integers(-3, 3).map(float))
vectors, matrices = arrays(np.float64, 3, elements=numbers), arrays(np.float64, (3, 3), elements=numbers)
rows = st.integers(1, 20).flatmap(lambda n: arrays(np.float64, (n, 3), elements=numbers))


def same(ours: object, theirs: object, scale: float = 1.0) -> None:
    a, b = np.asarray(ours), np.asarray(theirs)
    assert a.shape == b.shape
    if exact:
        np.testing.assert_array_equal(a, b)
    else:
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * scale)


@given(vectors, vectors, matrices, matrices, rows)
def test_products(a: np.ndarray, b: np.ndarray, m: np.ndarray, n: np.ndarray, many: np.ndarray) -> None:
    for x, y in ((a, b), (a, m), (m, a), (m, n), (many, m), (m, m.T), (m.T, n), (many, a), (2.0, m)):
        same(linear_algebra.dot(x, y), np.dot(x, y), 1e6)
    same(linear_algebra.inner(many, m), np.inner(many, m), 1e6)
    same(linear_algebra.norm(a), np.linalg.norm(a))
    same(linear_algebra.norm(many), np.linalg.norm(many))
    same(linear_algebra.norm(many, axis=1), np.linalg.norm(many, axis=1))


def test_products_of_nothing_and_of_integers() -> None:
    m = np.arange(9).reshape(3, 3)
    assert linear_algebra.dot(np.zeros((3, 0)), np.zeros(0)).tolist() == [0, 0, 0]
    assert linear_algebra.dot(m, m).tolist() == np.dot(m, m).tolist()
    assert linear_algebra.dot([1, 2, 3], m * 1.0).tolist() == np.dot([1, 2, 3], m * 1.0).tolist()
    with pytest.raises(ValueError, match="not aligned"):
        linear_algebra.dot(np.zeros(3), np.zeros(4))
    with pytest.raises(NotImplementedError):
        linear_algebra.dot(np.zeros((2, 4)), np.zeros((4, 4)))


@given(matrices)
def test_inverse_and_determinant(m: np.ndarray) -> None:
    if np.linalg.matrix_rank(m) < 3 or np.linalg.cond(m) > 1e6:
        return
    expected = np.linalg.inv(m)
    same(linear_algebra.inv(m), expected, np.abs(expected).max() * 1e6)
    same(linear_algebra.det(m), np.linalg.det(m), 1e6)


def test_inverses_of_many() -> None:
    triangles = np.array([[[a, b, 1], [0, e, 2], [0, 0, 3]] for a in (1, 2, 3) for b in (0, 1, 2) for e in (1, 5)])
    same(linear_algebra.inv(triangles), np.linalg.inv(triangles))
    full = np.random.default_rng(0).normal(size=(5, 3, 3))
    same(linear_algebra.inv(full), np.linalg.inv(full), 10)
    with pytest.raises(np.linalg.LinAlgError):
        linear_algebra.inv(np.ones((3, 3)))
    assert linear_algebra.det(np.ones((3, 3))) == 0
    with pytest.raises(NotImplementedError):
        linear_algebra.inv(np.eye(4))


@given(st.floats(0.1, 1e3), st.floats(0.1, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_least_squares_with_a_diagonal_matrix(a: float, b: float, x: float, y: float) -> None:
    matrix, right = np.diag([a, b]), np.array([[x], [y]])
    same(linear_algebra.lstsq(matrix, right)[0], np.linalg.lstsq(matrix, right, rcond=None)[0], 1e4)
    with pytest.raises(NotImplementedError):
        linear_algebra.lstsq(np.ones((2, 2)), right)


def test_functions_are_those_of_the_c_library_and_the_rest_is_refused() -> None:
    fixed = fixed_numpy.make()
    values = np.linspace(-1, 1, 301)
    assert fixed.arccos(values).tolist() == [math.acos(value) for value in values.tolist()]
    assert fixed.exp(values).tolist() == [math.exp(value) for value in values.tolist()]
    assert fixed.arctan2(values, 0.5).tolist() == [math.atan2(value, 0.5) for value in values.tolist()]
    assert fixed.arccos(0.5) == math.acos(0.5)
    assert fixed.linalg.norm is linear_algebra.norm
    assert np.linalg.norm is not linear_algebra.norm
    for refused in (fixed.einsum, fixed.matmul, fixed.linalg.svd, fixed.linalg.solve):
        with pytest.raises(NotImplementedError):
            refused(np.eye(3), np.eye(3))


def test_directions_are_upstreams() -> None:
    """The singular value decomposition that upstream takes them from; the last bit of it decides the open signs."""
    points = [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-2, 0, 1)]
    checked = 0
    for a in points:
        for b in points:
            normal = directions.cross(a, b)
            if normal == (0, 0, 0) or (directions.sign_is_open(normal) and not exact):
                continue
            three = [(0, 0, 0), a, b]
            if directions.sign_is_open(normal) and tuple(three) not in directions._signs():
                continue
            vertices = np.array(three)
            axis = np.linalg.svd(vertices - vertices.sum(axis=0) / 3)[2][2]
            assert directions.of_sheet(three) == get_integer_index(axis), three
            checked += 1
        if a != (0, 0, 0):
            for two in ([(0, 0, 0), a], [a, (0, 0, 0)]):
                axis = np.linalg.svd(np.array(two) - np.array(two).sum(axis=0) / 2)[2][0]
                assert directions.of_ribbon(two) == get_integer_index(axis), two
    assert checked > 500


def test_open_signs_of_the_reference_kernel_are_tabulated() -> None:
    assert len(set(directions.undecided())) == 4 * len(directions.SIGNS)
    for three in directions.undecided():
        if exact:
            vertices = np.array(three)
            axis = np.linalg.svd(vertices - vertices.sum(axis=0) / 3)[2][2]
            assert directions.of_sheet(three) == get_integer_index(axis), three
        assert directions.sign_is_open(directions.of_sheet(three))
    far = [(0, 0, 0), (2, 2, 0), (0, 0, 1)]
    assert directions.of_sheet(far) == (1, -1, 0)
