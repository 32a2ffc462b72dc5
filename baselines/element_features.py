"""A composition as numbers: statistics of its elements' properties, weighted by their shares.

The scheme (mean, spread, extremes and range of elemental properties over a formula) is that of Ward et al. 2016,
doi:10.1038/npjcompumats.2016.28; the elemental data are pymatgen's.
"""

import math
import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..dataset_builder.crystals.formulas import element_amounts

PROPERTIES = (
    "Z",
    "X",
    "row",
    "group",
    "atomic_mass",
    "atomic_radius",
    "mendeleev_no",
    "melting_point",
    "molar_volume",
    "thermal_conductivity",
    "electron_affinity",
    "ionization_energy",
    "average_ionic_radius",
    "valence_s",
    "valence_p",
    "valence_d",
    "valence_f",
)
STATISTICS = ("mean", "deviation", "minimum", "maximum", "range")
NORMS = (2, 3, 5, 10)
FEATURE_NAMES = (
    "number_of_elements",
    *(f"norm_{p}" for p in NORMS),
    *(f"{statistic}_{name}" for name in PROPERTIES for statistic in STATISTICS),
)


def element_features(formulas: Sequence[str | None]) -> NDArray[np.float64]:
    """Turn formulas into features.

    Args:
        formulas: Chemical formulas; None gives a row of NaN.

    Returns:
        Shape ``(n, len(FEATURE_NAMES))``, rounded to single precision: a tree takes a feature by its order, and the
        last bits of a double may differ from processor to processor. NaN stands where an element lacks a property (the
        electronegativity of helium, say); tree ensembles read that as missing.

    Raises:
        ValueError: A formula cannot be read; the message names it and its row.
    """
    features = np.full((len(formulas), len(FEATURE_NAMES)), np.nan)
    for row, formula in enumerate(formulas):
        if formula is None:
            continue
        try:
            features[row] = _one(element_amounts(formula))
        except ValueError as error:
            raise ValueError(f"row {row + 1}: {error}") from error
    return features.astype(np.float32).astype(np.float64)


def _one(amounts: dict[str, float]) -> NDArray[np.float64]:
    shares = np.array(list(amounts.values()))
    shares = shares / shares.sum()
    table = np.array([_element(symbol) for symbol in amounts])
    weights = shares[:, None]
    # Sums of products instead of a matrix product, whose order of summation is the BLAS kernel's.
    mean = (weights * table).sum(axis=0)
    deviation = (weights * np.abs(table - mean)).sum(axis=0)
    statistics = np.stack([mean, deviation, table.min(axis=0), table.max(axis=0), np.ptp(table, axis=0)], axis=1)
    norms = [sum(math.pow(share, p) for share in shares.tolist()) ** (1 / p) for p in NORMS]
    return np.concatenate([[len(amounts)], norms, statistics.ravel()])


@cache
def _element(symbol: str) -> NDArray[np.float64]:
    from pymatgen.core import Element

    element = Element(symbol)
    valence = dict.fromkeys("spdf", 0.0)
    for _, shell, electrons in element.full_electronic_structure[-4:]:
        if shell in valence:
            valence[shell] = float(electrons)
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of every property that an element lacks; NaN says the same
        for name in PROPERTIES:
            if name.startswith("valence_"):
                values.append(valence[name[-1]])
                continue
            value = getattr(element, name, None)
            values.append(float(value) if value is not None else np.nan)
    return np.array(values)
