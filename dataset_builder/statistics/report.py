"""Count everything of a built dataset."""

from collections.abc import Sequence

from ...errors import UsageError
from ...progress import Progress, advance_of, silent
from ..catalogue import get_source
from ..dataset_folder.reading import DatasetFolder, SourceFiles
from .models import SourceStatistics, StatisticsReport
from .published import compare
from .targets import target_statistics
from .texts import text_statistics
from .tokens import TokenCounter


def compute_statistics(
    folder: DatasetFolder,
    *,
    sources: Sequence[str] | None = None,
    tokenizer: TokenCounter | None = None,
    progress: Progress = silent,
) -> StatisticsReport:
    """Count rows, words, tokens and missing values, and describe the targets, of a built dataset.

    Args:
        folder: The dataset.
        sources: Names of the sources to look at; all of them if left out.
        tokenizer: Counts subword tokens; words and bytes only if left out.
        progress: Called as the work goes on.

    Raises:
        DataError: A shard cannot be read.
        UsageError: An unknown source.
    """
    counted = [_of_source(source, tokenizer, progress) for source in folder.select(sources)]
    comparisons, notes = compare(counted)
    return StatisticsReport(
        tokenizer=tokenizer.name if tokenizer else None,
        tokenizer_sha256=tokenizer.sha256 if tokenizer else None,
        sources=tuple(counted),
        comparisons=tuple(comparisons),
        notes=tuple(notes),
    )


def _of_source(source: SourceFiles, tokenizer: TokenCounter | None, progress: Progress) -> SourceStatistics:
    texts = {}
    for modality in source.modalities:
        advance = advance_of(f"{source.name}: {modality}", source.total_rows, progress)
        texts[modality] = {
            split: text_statistics(paths, modality, tokenizer, advance) for split, paths in source.shards.items()
        }
    units = _units(source.name)
    targets, not_counted = [], []
    for index, name in enumerate(source.properties):
        progress(f"{source.name}: targets", index, len(source.properties))
        target = target_statistics(source, name, units.get(name))
        if target is None:
            not_counted.append(name)
        else:
            targets.append(target)
    progress(f"{source.name}: targets", len(source.properties), len(source.properties))
    return SourceStatistics(
        source=source.name, rows=dict(source.rows), texts=texts, targets=tuple(targets), not_counted=tuple(not_counted)
    )


def _units(source: str) -> dict[str, str | None]:
    try:
        return {prop.name: prop.unit for prop in get_source(source).properties}
    except UsageError:
        return {}  # a user's own source
