"""Local order parameters of many sites at once.

The order parameters say how much the neighbours of a site look like an octahedron, a tetrahedron and so on
(Zimmermann and Jain, RSC Adv. 10, 6063, 2020). pymatgen computes one of them for one site in nested Python loops;
here one call takes all sites with the same coordination number and shares angles and azimuths among the parameters.
The definitions are those of `pymatgen.core.local_env.LocalStructOrderParams`, whose types and parameters are read
from its objects.

Shapes: s sites, n neighbours; `theta[s, j, m]` is the angle between neighbours j and m, `phi[s, j, k, m]` the azimuth
of m around the axis j, counted from k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Floats, arccos, dots, exponential, norms, power

Flags = NDArray[np.bool_]
Parameters = dict[Any, float]

VERY_SMALL = 1e-12  # the threshold, in units of a unit vector, below which a direction counts as parallel
CHUNK = 400_000  # values of an (s, n, n, n) array worked on at once, which keeps it in the processor's cache


class Shell:
    """The directions of n neighbours around each of s sites, and what all order parameters need of them.

    Args:
        vectors: From the site to its neighbours, in Å, shape (s, n, 3).
    """

    def __init__(self, vectors: Floats) -> None:
        self.sites, self.size = vectors.shape[:2]
        self.directions: Floats = vectors / norms(vectors)[..., None]

    @cached_property
    def theta(self) -> Floats:
        """Angles between neighbours in radians, shape (s, n, n)."""
        return arccos(self._cosines)

    @cached_property
    def _cosines(self) -> Floats:
        result: Floats = dots(self.directions[:, :, None, :], self.directions[:, None, :, :])
        return result

    @cached_property
    def _across(self) -> tuple[Floats, Flags]:
        # the part of direction m that is orthogonal to the axis j, normalised, and where there is none
        squares = dots(self.directions, self.directions)
        factor = self._cosines / squares[:, :, None]
        across = self.directions[:, None, :, :] - factor[..., None] * self.directions[:, :, None, :]
        length = norms(across)
        parallel = length < VERY_SMALL
        return across / np.where(parallel, 1.0, length)[..., None], parallel

    @cached_property
    def distinct(self) -> Flags:
        """Whether k is another neighbour than j, shape (1, n, n)."""
        return ~np.eye(self.size, dtype=bool)[None]

    @cached_property
    def _others(self) -> Flags:
        # m is neither j nor k, and k is not parallel to the axis j: shape (s, n, n, n)
        other = self.distinct
        triples = other[:, :, :, None] & other[:, :, None, :] & other[:, None, :, :]
        return triples & ~self._across[1][:, :, :, None]

    @cached_property
    def poles(self) -> Flags:
        """Where m may count as the pole opposite to j, shape (s, n, n, n)."""
        return self._others

    @cached_property
    def around(self) -> Flags:
        """Where m has an azimuth around the axis j, counted from k; shape (s, n, n, n)."""
        return self._others & ~self._across[1][:, :, None, :]

    @cached_property
    def phi(self) -> Floats:
        """Azimuths in radians, shape (s, n, n, n)."""
        across, _ = self._across
        cosines = dots(across[:, :, :, None, :], across[:, :, None, :, :])
        result = np.zeros(cosines.shape)
        result[self.around] = arccos(cosines[self.around])
        return result

    def power(self, factor: float, exponent: float) -> Floats:
        """cos(factor φ) to a power, for all azimuths; kept, since several parameters share it."""
        key = (factor, exponent)
        if key not in self._powers:
            self._powers[key] = power(np.cos(factor * self.phi), exponent)
        return self._powers[key]

    @cached_property
    def _powers(self) -> dict[tuple[float, float], Floats]:
        return {}


def _gauss(theta: Floats, width: float, target: float) -> Floats:
    x = width * (theta * (1 / math.pi) - target)
    return exponential(-0.5 * x * x)


@dataclass
class _Sums:
    """A weighted sum of contributions for every pair (axis j, meridian k), and the sum of the weights."""

    value: Floats
    weight: Floats

    def add(self, terms: Floats, where: Flags) -> None:
        """Add what the neighbours m contribute, in their order; shape (s, n, n, n) each."""
        terms = np.where(where, terms, 0.0)
        for m in range(terms.shape[-1]):
            self.value += terms[..., m]
        self.weight += where.sum(axis=-1)

    def largest(self, distinct: Flags) -> Floats:
        mean = np.where(
            self.weight > VERY_SMALL, self.value / np.where(self.weight > VERY_SMALL, self.weight, 1.0), 0.0
        )
        result: Floats = np.where(distinct, mean, -np.inf).max(axis=(1, 2))
        return result


def _pairs(shell: Shell, value: Floats | float, where: Flags | bool, weight: float = 1.0) -> _Sums:
    on = np.broadcast_to(np.asarray(where) & shell.distinct, (shell.sites, shell.size, shell.size))
    return _Sums(np.where(on, value, 0.0), np.where(on, weight, 0.0))


def _total(values: Floats) -> Floats:
    # row by row, one after the other: the order decides the last bit
    total = np.zeros(values.shape[0])
    for j in range(values.shape[1]):
        row = np.zeros(values.shape[0])
        for k in range(values.shape[2]):
            row = row + values[:, j, k]
        total = total + row
    return total


def _bent(shell: Shell, p: Parameters) -> Floats:
    values = np.where(shell.distinct, _gauss(shell.theta, p["IGW_TA"], p["TA"]), 0.0)
    result: Floats = _total(values) / (shell.size * (shell.size - 1))
    return result


def _planar(shell: Shell, p: Parameters) -> Floats:
    gauss = _gauss(shell.theta, p["IGW_TA"], p["TA"])
    sums = _pairs(shell, gauss, where=True)
    sums.add(gauss[:, :, None, :] * shell.power(p["fac_AA"], p["exp_cos_AA"]), shell.around)
    return sums.largest(shell.distinct)


def _pentagonal_plane(shell: Shell, p: Parameters) -> Floats:
    x = p["IGW_TA"] * (shell.theta * (1 / math.pi) - np.where(shell.theta <= p["TA"] * math.pi, 0.4, 0.8))
    gauss = exponential(-0.5 * x * x)
    sums = _pairs(shell, gauss, where=True)
    cosine = shell.power(1, 1)
    sums.add(gauss[:, :, None, :] * cosine * cosine, shell.around)
    return sums.largest(shell.distinct)


def _pyramid(shell: Shell, p: Parameters) -> Floats:
    gauss = _gauss(shell.theta, p["IGW_EP"], 0.5)
    sums = _pairs(shell, gauss, where=True)
    sums.add(shell.power(p["fac_AA"], p["exp_cos_AA"]) * gauss[:, :, None, :], shell.around)
    return sums.largest(shell.distinct)


def _two_poles(shell: Shell, p: Parameters, *, hexagonal: bool = False, see_saw: bool = False) -> Floats:
    theta, south = shell.theta, shell.theta >= p["min_SPP"]
    if hexagonal:
        x = p["IGW_TA"] * (np.abs(theta * (1 / math.pi) - 0.5) - p["TA"])
        equator = exponential(-0.5 * x * x)
    else:
        equator = _gauss(theta, p["IGW_EP"], 0.5)
    pole = _gauss(theta, p["IGW_SPP"], 1.0)
    sums = _pairs(shell, equator, ~south)
    # a neighbour m is either at the pole or at the equator, so one pass in the order of m adds both kinds
    at_pole = shell.poles & south[:, :, None, :]
    at_equator = shell.around & ~south[:, :, None, :] & ~south[:, :, :, None]
    if see_saw:
        at_equator = at_equator & (shell.phi < 0.75 * math.pi)
    powers = shell.power(p["fac_AA"], p["exp_cos_AA"])
    terms = np.where(at_pole, pole[:, :, None, :], powers * equator[:, :, None, :])
    sums.add(terms, at_pole | at_equator)
    return sums.largest(shell.distinct)


def _cuboctahedron(shell: Shell, p: Parameters) -> Floats:
    theta = shell.theta
    south = theta >= p["min_SPP"]
    sums = _pairs(shell, p["w_SPP"] * _gauss(theta, p["IGW_SPP"], 1.0), south, p["w_SPP"])
    low, high = p[4], p[2]
    middle = (theta > low) & (theta < high)
    base = shell.around & ~south[:, :, None, :] & middle[:, :, :, None]
    cosine = shell.power(1, 1)
    x = 0.0556 * (np.cos(shell.phi[base] - 0.5 * math.pi) - 0.81649658)
    tilted = np.zeros(base.shape)
    tilted[base] = exponential(-0.5 * x * x)
    per_angle = np.where(
        middle,
        _gauss(theta, p[5], 0.5),
        np.where(theta < low, _gauss(theta, p[6], 1 / 3), _gauss(theta, p[6], 2 / 3.0)),
    )
    terms = np.where(middle[:, :, None, :], cosine * cosine, tilted) * per_angle[:, :, None, :]
    outside = (theta < low) | (theta > high)
    sums.add(terms, base & (middle | outside)[:, :, None, :])
    return sums.largest(shell.distinct)


def _body_centred(shell: Shell, p: Parameters) -> Floats:
    theta, n = shell.theta, shell.size
    if n <= 3:
        return np.full(shell.sites, np.nan)
    south = theta >= p["min_SPP"]
    later = np.triu(np.ones((n, n), dtype=bool), 1)[None]  # only k > j counts: the order of neighbours matters here
    sums = _pairs(shell, p["w_SPP"] * _gauss(theta, p["IGW_SPP"], 1.0), south & later, p["w_SPP"])
    sign = np.where(theta > math.pi / 2.0, 1, -1)
    x = (theta - math.pi / 2.0) / math.asin(1 / 3)
    gauss = exponential(-0.5 * x * x)
    terms = sign[:, :, :, None] * shell.power(3, 1) * (1 / math.exp(-0.5)) * x[:, :, None, :] * gauss[:, :, None, :]
    sums.add(terms, shell.around & (later & ~south)[:, :, :, None])
    result: Floats = _total(np.where(later, sums.value, 0.0)) / (0.5 * n * (6 + (n - 2) * (n - 3)))
    return result


@lru_cache(maxsize=8)
def _harmonics(degree: int) -> list[np.polynomial.Polynomial]:
    legendre = np.polynomial.Legendre.basis(degree)
    return [
        legendre.deriv(m).convert(kind=np.polynomial.Polynomial)
        * math.sqrt(math.factorial(degree - m) / math.factorial(degree + m))
        for m in range(degree + 1)
    ]


def bond_orientation(shell: Shell, degree: int) -> Floats:
    """Steinhardt's bond-orientational order parameter q of a degree, shape (s,) (Phys. Rev. B 28, 784, 1983).

    Spherical harmonics are written as polynomials in z times powers of x + iy, in real numbers: NumPy's complex product
    has other last bits where the processor has fused multiply-adds.
    """
    x, y, z = np.moveaxis(shell.directions, -1, 0)
    real, imaginary, total = np.ones_like(x), np.zeros_like(x), np.zeros(shell.sites)
    for m, polynomial in enumerate(_harmonics(degree)):
        factor = polynomial(z)
        across, up = (factor * real).sum(axis=1), (factor * imaginary).sum(axis=1)
        total += (1 if m == 0 else 2) * (across * across + up * up)
        real, imaginary = real * x - imaginary * y, real * y + imaginary * x
    result: Floats = np.sqrt(total) / shell.size
    return result


def _hexagonal_plane(shell: Shell, p: Parameters) -> Floats:
    return _two_poles(shell, p, hexagonal=True)


def _see_saw(shell: Shell, p: Parameters) -> Floats:
    return _two_poles(shell, p, see_saw=True)


FORMULAS: dict[str, Callable[[Shell, Parameters], Floats]] = {
    "bent": _bent,
    "tri_plan_max": _planar,
    "tet_max": _planar,
    "pent_plan_max": _pentagonal_plane,
    "T": _pyramid,
    "tri_pyr": _pyramid,
    "sq_pyr": _pyramid,
    "pent_pyr": _pyramid,
    "hex_pyr": _pyramid,
    "see_saw_rect": _see_saw,
    "tri_bipyr": _two_poles,
    "sq_bipyr": _two_poles,
    "pent_bipyr": _two_poles,
    "hex_bipyr": _two_poles,
    "oct_max": _two_poles,
    "sq_plan_max": _two_poles,
    "hex_plan_max": _hexagonal_plane,
    "cuboct_max": _cuboctahedron,
    "bcc": _body_centred,
}


def evaluate(vectors: Floats, kinds: list[tuple[str, Parameters | None]]) -> Floats:
    """Order parameters of sites that have the same number of neighbours.

    Args:
        vectors: From each site to its neighbours, in Å, shape (s, n, 3).
        kinds: Type (as in `LocalStructOrderParams`) and parameters of each order parameter wanted.

    Returns:
        Shape (s, number of kinds); 0 where a parameter is not defined for so few neighbours.

    Raises:
        KeyError: A type that is not known here.
    """
    sites, n = vectors.shape[:2]
    result = np.zeros((sites, len(kinds)))
    step = max(1, CHUNK // max(1, n**3))
    for start in range(0, sites, step):
        shell = Shell(vectors[start : start + step])
        for column, (kind, parameters) in enumerate(kinds):
            if kind == "sgl_bd":
                value: Floats | float = 1.0 if n == 1 else _single_bond(vectors[start : start + step])
            elif kind in {"q2", "q4", "q6"}:
                value = bond_orientation(shell, int(kind[1]))
            else:
                value = FORMULAS[kind](shell, parameters or {}) if n > 1 else 0.0
            result[start : start + step, column] = value
    return np.where(np.isnan(result), 0.0, result)


def _single_bond(vectors: Floats) -> Floats:
    lengths = np.sort(norms(vectors), axis=1)
    result: Floats = 1 - lengths[:, 0] / lengths[:, 1]
    return result
