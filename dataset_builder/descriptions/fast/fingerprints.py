"""Fingerprints of sites and structures: how likely each coordination number is, and how close to each ideal geometry.

What matminer's `CrystalNNFingerprint` with its preset "ops" and `SiteStatsFingerprint` give, computed for all sites
of a structure from neighbours that are known already.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Floats
from .neighbours import Neighbourhood
from .order_parameters import Parameters, evaluate


class _Layout(NamedTuple):
    labels: list[str]
    weights: dict[int, int]  # coordination number -> column of its weight
    parameters: dict[int, list[tuple[int, str, Parameters | None]]]  # -> column, type and parameters of each


@cache
def _layout() -> _Layout:
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    featurizer = CrystalNNFingerprint.from_preset("ops", cation_anion=False)
    labels = featurizer.feature_labels()
    weights: dict[int, int] = {}
    parameters: dict[int, list[tuple[int, str, Parameters | None]]] = {}
    column = 0
    for number in range(1, max(featurizer.op_types) + 1):
        for parameter in featurizer.ops.get(number, []):
            if parameter == "wt":
                weights[number] = column
            else:
                entry = (column, parameter.get_type(0), parameter.get_parameters(0))
                parameters.setdefault(number, []).append(entry)
            column += 1
    if column != len(labels):
        raise RuntimeError("The columns of the fingerprint have no labels")
    return _Layout(labels, weights, parameters)


def labels() -> list[str]:
    """The name of every column of a site fingerprint, e.g. `octahedral CN_6`."""
    return _layout().labels


@cache
def is_weight() -> NDArray[np.bool_]:
    """Which columns hold the weight of a coordination number, not an order parameter."""
    return np.array(["wt" in label for label in labels()])


def site_fingerprints(neighbourhoods: list[Neighbourhood]) -> Floats:
    """The fingerprint of every site, shape (sites, columns)."""
    layout = _layout()
    result = np.zeros((len(neighbourhoods), len(layout.labels)))
    sites_of: dict[int, list[int]] = {}
    for site, neighbourhood in enumerate(neighbourhoods):
        for number, weight in neighbourhood.coordination.items():
            if number in layout.weights:
                result[site, layout.weights[number]] = weight
                if weight != 0 and number in layout.parameters:
                    sites_of.setdefault(number, []).append(site)
    for number, sites in sites_of.items():
        vectors = np.array([neighbourhoods[site].vectors[:number] for site in sites])
        columns, kinds = [], []
        for column, kind, parameters in layout.parameters[number]:
            columns.append(column)
            kinds.append((kind, parameters))
        weights = result[sites, layout.weights[number]]
        result[np.ix_(sites, columns)] = weights[:, None] * evaluate(vectors, kinds)
    return result


def structure_fingerprint(sites: Floats) -> Floats:
    """Mean and standard deviation of every column over all sites, alternating."""
    columns = np.ascontiguousarray(sites.T)
    result: Floats = np.stack([columns.mean(axis=1), columns.std(axis=1)], axis=1).ravel()
    return result
