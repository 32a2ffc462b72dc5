"""A composition as numbers: statistics of its elements' properties, weighted by their shares.

The scheme (mean, spread, extremes and range of elemental properties over a formula) is that of Ward et al. 2016,
doi:10.1038/npjcompumats.2016.28; the elemental data are pymatgen's.

Nothing here goes through linear algebra, whose last bits depend on the processor, and elements are summed in the order
of their numbers, so a formula gives the same numbers however it is written.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..dataset_builder.crystals.formulas import element_shares
from ..errors import DataError
from ..files import write_json

if TYPE_CHECKING:
    from pymatgen.core import Element

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


class UnreadableFormulaError(ValueError):
    """A text is no chemical formula."""

    def __init__(self, formula: str, row: int) -> None:
        """Name the formula and its row, counted from one."""
        super().__init__(f"row {row}: '{formula}' is no chemical formula")
        self.formula = formula


@dataclass(frozen=True)
class ElementTable:
    """Properties of the elements.

    Attributes:
        symbols: In the order of their atomic numbers.
        values: Shape ``(len(symbols), len(PROPERTIES))``, in pymatgen's units; NaN where a property is not known.
    """

    symbols: tuple[str, ...]
    values: NDArray[np.float64]

    def write(self, path: Path) -> None:
        """Write the table as JSON: a saved model must not change with the next version of pymatgen."""
        rows = [[None if np.isnan(value) else value for value in row] for row in self.values.tolist()]
        table = {"properties": PROPERTIES, "elements": dict(zip(self.symbols, rows, strict=True))}
        write_json(path, table)

    @staticmethod
    def read(path: Path) -> "ElementTable":
        """Read a table that `write` wrote.

        Raises:
            DataError: It has other properties than this version knows.
        """
        table = json.loads(path.read_text(encoding="utf-8"))
        if tuple(table["properties"]) != PROPERTIES:
            raise DataError(f"{path}: the properties of the elements are not those of this version; train again")
        values = [[np.nan if value is None else value for value in row] for row in table["elements"].values()]
        return ElementTable(tuple(table["elements"]), np.array(values, dtype=np.float64))


@cache
def element_table() -> ElementTable:
    """The installed pymatgen's properties of all elements."""
    from pymatgen.core import Element

    elements = sorted((element for element in Element if element.symbol not in ("D", "T")), key=lambda one: one.Z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of every property that an element lacks; NaN says the same
        values = np.array([[_property(element, name) for name in PROPERTIES] for element in elements])
    return ElementTable(tuple(element.symbol for element in elements), values)


def element_features(formulas: Sequence[str | None], table: ElementTable | None = None) -> NDArray[np.float64]:
    """Turn formulas into features.

    Args:
        formulas: Chemical formulas; None gives a row of NaN.
        table: Properties of the elements; those of the installed pymatgen if None.

    Returns:
        Shape ``(n, len(FEATURE_NAMES))``, rounded to single precision: a tree takes a feature by its order, and the
        last bits of a double may differ from processor to processor. NaN stands where an element lacks a property (the
        electronegativity of helium, say); tree ensembles read that as missing.

    Raises:
        UnreadableFormulaError: A formula cannot be read; the message names it and its row.
    """
    table = table or element_table()
    number = {symbol: at for at, symbol in enumerate(table.symbols)}
    places, elements, shares, sizes = [], [], [], []
    for row, formula in enumerate(formulas):
        if formula is None:
            continue
        found = element_shares(formula)
        if not found:
            raise UnreadableFormulaError(formula, row + 1)
        ordered = sorted((number[symbol], share) for symbol, share in found.items())
        places.append(row)
        sizes.append(len(ordered))
        elements += [element for element, _ in ordered]
        shares += [share for _, share in ordered]
    features = np.full((len(formulas), len(FEATURE_NAMES)), np.nan)
    if places:
        features[places] = _statistics(table.values[elements], np.array(shares), np.array(sizes))
    return features.astype(np.float32).astype(np.float64)


def _statistics(
    values: NDArray[np.float64], shares: NDArray[np.float64], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Statistics of runs of elements: ``sizes[i]`` rows of ``values`` belong to formula i."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    weights = shares[:, None]
    mean = np.add.reduceat(weights * values, starts, axis=0)
    deviation = np.add.reduceat(weights * np.abs(values - np.repeat(mean, sizes, axis=0)), starts, axis=0)
    least, most = np.minimum.reduceat(values, starts, axis=0), np.maximum.reduceat(values, starts, axis=0)
    statistics = np.stack([mean, deviation, least, most, most - least], axis=2).reshape(len(sizes), -1)
    norms = [_norm(shares, starts, p) for p in NORMS]
    return np.column_stack([sizes.astype(np.float64), *norms, statistics])


def _norm(shares: NDArray[np.float64], starts: NDArray[np.int64], p: int) -> NDArray[np.float64]:
    power = shares.copy()
    for _ in range(p - 1):  # not NumPy's power, whose last bits depend on the processor
        power *= shares
    return np.array([total ** (1 / p) for total in np.add.reduceat(power, starts).tolist()])


def _property(element: "Element", name: str) -> float:
    try:
        if name.startswith("valence_"):
            outer = {shell: electrons for _, shell, electrons in element.full_electronic_structure[-4:]}
            return float(outer.get(name[-1], 0.0))
        value = getattr(element, name)
    except (AttributeError, KeyError):  # pymatgen raises for some of what it does not know of the heaviest elements
        return float("nan")
    return float("nan") if value is None else float(value)
