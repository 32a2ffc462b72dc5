"""Distributions of the targets: one column at a time, exact."""

import numpy as np
from numpy.typing import NDArray

from ..dataset_folder.columns import numbers_of
from ..dataset_folder.reading import SourceFiles
from ..dataset_folder.shard_files import read_column
from .models import ClassTarget, Distribution, Histogram, RegressionTarget

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 40
Floats = NDArray[np.float64]


def target_statistics(source: SourceFiles, name: str, unit: str | None) -> RegressionTarget | ClassTarget | None:
    """Describe one property, split by split; None where the column is neither numbers nor classes.

    Raises:
        DataError: A shard cannot be read, or a class is none of the declared ones.
    """
    columns: dict[str, Floats] = {}
    nulls: dict[str, int] = {}
    for split, paths in source.shards.items():
        column = read_column(paths, name)
        values = numbers_of(source, name, column)
        if values is None:
            return None
        nulls[split] = column.null_count
        columns[split] = values
    if name in source.classes:
        return _classes(source, name, columns)
    splits = {split: _distribution(values, nulls[split]) for split, values in columns.items()}
    every = np.concatenate(list(columns.values()))
    finite = {split: values[np.isfinite(values)] for split, values in columns.items()}
    return RegressionTarget(
        name=name,
        unit=unit,
        splits=splits,
        all=_distribution(every, sum(nulls.values())),
        histogram=_histogram(finite),
    )


def _classes(source: SourceFiles, name: str, columns: dict[str, Floats]) -> ClassTarget:
    labels = source.classes[name]
    return ClassTarget(
        name=name,
        splits={
            split: {label: int(np.sum(values == code)) for code, label in enumerate(labels)}
            for split, values in columns.items()
        },
        missing={split: int(np.isnan(values).sum()) for split, values in columns.items()},
    )


def _distribution(values: Floats, nulls: int) -> Distribution:
    finite = values[np.isfinite(values)]
    counts = {"count": len(finite), "missing": nulls, "not_finite": len(values) - len(finite) - nulls}
    if len(finite) == 0:
        return Distribution(**counts)
    mean = float(finite.mean())
    return Distribution(
        **counts,
        least=float(finite.min()),
        greatest=float(finite.max()),
        mean=mean,
        std=float(finite.std()),
        mad=float(np.abs(finite - mean).mean()),
        zeros=int(np.sum(finite == 0)),
        quantiles={
            f"{level:g}": float(cut) for level, cut in zip(QUANTILES, np.quantile(finite, QUANTILES), strict=True)
        },
    )


def _histogram(finite: dict[str, Floats]) -> Histogram | None:
    every = np.concatenate(list(finite.values()))
    if len(every) == 0:
        return None
    low, high = np.quantile(every, [0.005, 0.995])
    if low == high:
        low, high = every.min(), every.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    return Histogram(
        edges=tuple(edges.tolist()),
        counts={split: tuple(np.histogram(values, edges)[0].tolist()) for split, values in finite.items()},
        below={split: int(np.sum(values < edges[0])) for split, values in finite.items()},
        above={split: int(np.sum(values > edges[-1])) for split, values in finite.items()},
    )
