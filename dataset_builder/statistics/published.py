"""Compare what was counted with what was published."""

from ...errors import UsageError
from ..catalogue import Source, get_benchmark, get_source, list_sources
from .models import ClassTarget, Comparison, SourceStatistics


def compare(sources: list[SourceStatistics]) -> tuple[list[Comparison], list[str]]:
    """Set rows, labelled rows and words beside the published ones.

    Returns:
        The comparisons, and notes on what cannot be compared.
    """
    found: list[Comparison] = []
    notes: list[str] = []
    known = {}
    for statistics in sources:
        try:
            source = get_source(statistics.source)
        except UsageError:
            notes.append(f"{statistics.source} is not in the catalogue: there is nothing published to compare with.")
            continue
        known[source.id] = source
        found += _rows(statistics, source)
        found += _labels(statistics, source)
    found += _words(sources, set(known), notes)
    return found, notes


def _rows(statistics: SourceStatistics, source: Source) -> list[Comparison]:
    sizes = source.published.splits.model_dump()
    rows = [
        Comparison(
            what=f"{source.id}: rows of {split}", published=size, found=statistics.rows.get(split, 0),
            agrees=statistics.rows.get(split, 0) == size,
        )
        for split, size in sizes.items()
    ]  # fmt: skip
    total = sum(statistics.rows.values())
    published = source.published.rows
    return [*rows, Comparison(what=f"{source.id}: rows", published=published, found=total, agrees=total == published)]


def _labels(statistics: SourceStatistics, source: Source) -> list[Comparison]:
    """Compare labelled rows; those of the benchmark are published in thousands with one decimal, not always rounded."""
    slack = 100 if source.benchmark else 0
    by_name = {target.name: target for target in statistics.targets}
    result = []
    for prop in source.properties:
        target = by_name.get(prop.name)
        labelled = 0
        if isinstance(target, ClassTarget):
            labelled = sum(sum(counts.values()) for counts in target.splits.values())
        elif target is not None:
            labelled = target.all.count
        result.append(
            Comparison(
                what=f"{source.id}/{prop.name}: labelled rows",
                published=prop.samples,
                found=labelled,
                agrees=abs(labelled - prop.samples) <= slack,
                note=None if target is not None else "the folder has no such column",
            )
        )
    return result


def _words(sources: list[SourceStatistics], known: set[str], notes: list[str]) -> list[Comparison]:
    benchmark = get_benchmark()
    missing = [source.id for source in list_sources() if source.id not in known]
    if missing:
        notes.append(
            f"Words are published for the ten sources together; {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not here, so they are not compared."
        )
        return []
    names = {source.id for source in list_sources()}
    result = []
    for modality, stated in benchmark.stated_words.items():
        counted = [
            text for one in sources if one.source in names for text in one.texts.get(modality, {}).values()
        ]  # fmt: skip
        for what, total in (
            ("words", sum(text.words.total for text in counted if text.words)),
            ("words and punctuation", sum(text.word_pieces.total for text in counted if text.word_pieces)),
        ):
            result.append(
                Comparison(
                    what=f"{modality}: {what}",
                    published=stated.words,
                    found=total,
                    agrees=abs(total - stated.words) <= stated.rounded_to / 2,
                    note=benchmark.stated_words_note,
                )
            )
    return result
