"""Values that cannot be: labels outside of the range that the catalogue gives their property."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from ...errors import UsageError
from ...progress import Progress, advance_of, silent
from ..catalogue import Property, get_source
from ..cleaning.cells import is_impossible
from ..dataset_folder import DatasetFolder, SourceFiles
from ..dataset_folder.layout import ID_COLUMN
from ..dataset_folder.shard_files import iter_batches

_EXAMPLES = 5


class ImpossibleValues(BaseModel):
    """Labels of one property (``name``) that cannot be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    name: str
    unit: str | None
    possible: str = Field(description="what the catalogue says is possible")
    counts: dict[str, int] = Field(description="labels outside of it, by split")
    examples: tuple[str, ...] = Field(description="split, id and value of the first of them")

    @property
    def total(self) -> int:
        """Labels of all splits."""
        return sum(self.counts.values())


def find_impossible_values(
    folder: DatasetFolder, *, sources: Sequence[str] | None = None, progress: Progress = silent
) -> tuple[ImpossibleValues, ...]:
    """Count the labels that lie outside of what is possible; texts are not read.

    Args:
        folder: The dataset.
        sources: Names of the sources to look at; all of them if left out.
        progress: Called as the work goes on.

    Returns:
        One entry a property that has any.

    Raises:
        DataError: A shard cannot be read.
        UsageError: An unknown source.
    """
    return tuple(found for source in folder.select(sources) for found in _of_source(source, progress))


def _of_source(source: SourceFiles, progress: Progress) -> list[ImpossibleValues]:
    ranged = [prop for prop in _declared(source) if prop.possible and prop.name in source.properties]
    if not ranged:
        return []
    advance = advance_of(f"{source.name}: possible values", source.total_rows, progress)
    counts: dict[str, dict[str, int]] = {prop.name: dict.fromkeys(source.shards, 0) for prop in ranged}
    examples: dict[str, list[str]] = {prop.name: [] for prop in ranged}
    for split, files in source.shards.items():
        for _, batch in iter_batches(files, [ID_COLUMN, *(prop.name for prop in ranged)], batch_rows=1 << 16):
            for prop in ranged:
                values = batch.column(prop.name)
                if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
                    continue
                outside = np.flatnonzero(is_impossible(values, prop.possible))
                counts[prop.name][split] += len(outside)
                room = _EXAMPLES - len(examples[prop.name])
                examples[prop.name] += [
                    f"{split} {batch.column(ID_COLUMN)[int(row)]}: {values[int(row)].as_py():g}"
                    for row in outside[: max(room, 0)]
                ]
            advance(batch.num_rows)
    return [
        ImpossibleValues(
            source=source.name,
            name=prop.name,
            unit=prop.unit,
            possible=str(prop.possible),
            counts=counts[prop.name],
            examples=tuple(examples[prop.name]),
        )
        for prop in ranged
        if any(counts[prop.name].values())
    ]


def _declared(source: SourceFiles) -> tuple[Property, ...]:
    """Properties as the build declared them; as the catalogue of today does, where there is no build report."""
    if source.report is not None:
        return source.report.declaration.properties
    try:
        return get_source(source.name).properties
    except UsageError:  # somebody's own
        return ()
