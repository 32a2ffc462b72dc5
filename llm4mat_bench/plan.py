"""What a benchmark would cost, before anything runs: rows, tokens, disk, core-hours, GPU-hours, money."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from .baselines.rates import Rate
from .dataset_builder.catalogue import SPLITS, Modality, Source, Task, get_benchmark
from .dataset_builder.statistics.models import StatisticsReport
from .errors import DataError

STATISTICS_FILE = "stats.json"


class Pass(BaseModel):
    """What a model does with the rows.

    Attributes:
        trained: Whether it is trained; a prompted model reads the test rows only.
        epochs: How often a trained model reads training and validation rows.
        shots: Examples, as long as the rows themselves, in each question to a prompted model.
        other_tokens: Tokens of the rest of a question, and of its answer.
        seeds: How many runs of each task.
        max_tokens: Texts are cut there.
    """

    model_config = ConfigDict(frozen=True)

    trained: bool = True
    epochs: int = Field(default=1, ge=1)
    shots: int = Field(default=0, ge=0)
    other_tokens: int = Field(default=0, ge=0)
    seeds: int = Field(default=1, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)


class Line(BaseModel):
    """One task in one modality."""

    model_config = ConfigDict(frozen=True)

    task: str
    modality: Modality
    rows: dict[str, int] = Field(description="labelled rows by split")
    rows_from: str = Field(description="published, or the folder they were counted in")
    tokens_a_text: float
    tokens_from: str
    tokens: float = Field(description="read in all runs")
    core_hours: float | None
    gpu_hours: float | None
    cost: float | None


class Plan(BaseModel):
    """What all of it costs."""

    model_config = ConfigDict(frozen=True)

    model: str | None
    lines: tuple[Line, ...]
    runs: int
    tokens: float
    text_bytes: float = Field(description="of the texts, unpacked once for each source and modality")
    result_bytes: float | None
    core_hours: float | None
    gpu_hours: float | None
    cost: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Prices:
    """What the user knows of a machine: tokens a second on one GPU, and what an hour or a million tokens cost."""

    gpu_rate: float | None = None
    price_per_hour: float | None = None
    price_per_million: float | None = None


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts of one modality, as far as they are known.

    Attributes:
        tokens: Of each text of the sample, scaled to the mean that is planned for, shape ``(n,)``.
        bytes_a_text: Mean size.
        origin: Where the mean is from.
    """

    tokens: NDArray[np.float64]
    bytes_a_text: float
    scale: float
    origin: str

    def mean_tokens(self, max_tokens: int | None) -> float:
        """Mean number of tokens a text, texts cut at so many."""
        return float(np.minimum(self.tokens, max_tokens if max_tokens else np.inf).mean())


TokenCount = Callable[[Sequence[str]], Sequence[int]]


def make_plan(
    tasks: Sequence[Task],
    modalities: Sequence[Modality],
    passes: Pass,
    *,
    model: str | None = None,
    rates: dict[Modality, Rate] | None = None,
    prices: Prices | None = None,
    data_of: Callable[[Task], str | None] = lambda task: None,
    count_tokens: TokenCount | None = None,
) -> Plan:
    """Add up what runs of a model would cost.

    Args:
        tasks: What is predicted.
        modalities: Which views of the crystals are read.
        passes: How often the rows are read.
        model: Name of the model.
        rates: What a run of it costs on this machine, by modality; None where that is not known.
        prices: What the user knows of another machine.
        data_of: Where the data of a task is, if it is at hand: rows are counted there.
        count_tokens: Counts tokens of texts; words and punctuation are counted without.

    Raises:
        LLM4MatError: Data that is at hand cannot be read.
    """
    prices = prices or Prices()
    lines = [
        _line(task, modality, passes, (rates or {}).get(modality), prices, data_of(task), count_tokens)
        for task in tasks
        for modality in modalities
    ]
    texts = {
        (task.source.id, modality): _text_bytes(task.source, modality, data_of(task), count_tokens)
        for task in tasks
        for modality in modalities
    }
    runs = len(lines) * passes.seeds
    results = None
    if rates:
        results = float(sum(passes.seeds * rates[line.modality].run_bytes for line in lines if line.modality in rates))
    return Plan(
        model=model,
        lines=tuple(lines),
        runs=runs,
        tokens=sum(line.tokens for line in lines),
        text_bytes=sum(texts.values()),
        result_bytes=results,
        core_hours=_total([line.core_hours for line in lines]),
        gpu_hours=_total([line.gpu_hours for line in lines]),
        cost=_total([line.cost for line in lines]),
        notes=tuple(_notes(lines, passes, rates, prices, count_tokens)),
    )


def _line(
    task: Task,
    modality: Modality,
    passes: Pass,
    rate: Rate | None,
    prices: Prices,
    data: str | None,
    count_tokens: TokenCount | None,
) -> Line:
    rows, rows_from = _rows(task, data)
    lengths = _lengths(task.source, modality, data, count_tokens)
    each = lengths.mean_tokens(passes.max_tokens)
    if passes.trained:
        read = each * (passes.epochs * (rows["train"] + rows["validation"]) + rows["test"])
    else:
        read = rows["test"] * ((passes.shots + 1) * each + passes.other_tokens)
    tokens = passes.seeds * read
    core_hours = None
    if rate is not None and passes.trained:
        # What is spent on a row grows with its text, but for formulas, which are short everywhere.
        longer = lengths.scale if modality != "composition" else 1.0
        core_hours = passes.seeds * rate.core_seconds(rows["train"], longer) / 3600
    gpu_hours = None if prices.gpu_rate is None else tokens / prices.gpu_rate / 3600
    return Line(
        task=task.name,
        modality=modality,
        rows=rows,
        rows_from=rows_from,
        tokens_a_text=round(each, 1),
        tokens_from=lengths.origin,
        tokens=tokens,
        core_hours=core_hours,
        gpu_hours=gpu_hours,
        cost=_cost(tokens, core_hours, gpu_hours, prices),
    )


def _cost(tokens: float, core_hours: float | None, gpu_hours: float | None, prices: Prices) -> float | None:
    parts = []
    if prices.price_per_million is not None:
        parts.append(tokens / 1e6 * prices.price_per_million)
    hours = gpu_hours if gpu_hours is not None else core_hours
    if prices.price_per_hour is not None and hours is not None:
        parts.append(hours * prices.price_per_hour)
    return sum(parts) if parts else None


def _rows(task: Task, data: str | None) -> tuple[dict[str, int], str]:
    """Labelled rows by split: counted where the data is at hand, else as published."""
    if data is not None or not task.source.benchmark:
        from .dataset_builder.dataset_folder import read_labels

        return {split: len(one) for split, one in read_labels(task, data).splits.items()}, data or "embedded sample"
    published = task.source.published
    share = task.property.samples / published.rows
    sizes = published.splits
    return {split: round(getattr(sizes, split) * share) for split in SPLITS}, "published"


def _lengths(source: Source, modality: Modality, data: str | None, count_tokens: TokenCount | None) -> Lengths:
    sample = _sample(modality, count_tokens)
    counted = None if data is None else _counted(data, source.id, modality)
    if counted is not None:
        words, origin = counted, f"{data}/{STATISTICS_FILE}"
    elif not source.benchmark:
        words, origin = sample.words, "embedded sample"
    elif modality == "composition":
        words, origin = sample.words, "embedded sample"  # how the publication counts words of a formula is not known
    else:
        benchmark = get_benchmark()
        words, origin = benchmark.stated_words[modality].words / benchmark.stated_rows, "published"
    scale = words / sample.words
    return Lengths(sample.tokens * scale, sample.bytes_a_text * scale, scale, origin)


@dataclass(frozen=True)
class _Sample:
    words: float
    tokens: NDArray[np.float64]
    bytes_a_text: float


@cache
def _sample(modality: Modality, count_tokens: TokenCount | None) -> _Sample:
    """Measure the texts of the embedded sample."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from .dataset_builder.sample import read_sample
    from .dataset_builder.statistics.texts import WORD_PIECE

    column = pa.concat_tables([read_sample(split, [modality]) for split in SPLITS])[modality].drop_null()
    words = pc.mean(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(column)))).as_py()
    if count_tokens is None:
        tokens = pc.count_substring_regex(column, WORD_PIECE).to_numpy().astype(np.float64)
    else:
        tokens = np.asarray(count_tokens(column.to_pylist()), dtype=np.float64)
    return _Sample(words, tokens, pc.mean(pc.binary_length(column)).as_py())


def _counted(data: str, source: str, modality: Modality) -> float | None:
    """Mean words a text that `llm4mat-bench stats` counted in a folder, None where it did not."""
    path = Path(data) / STATISTICS_FILE
    if not path.is_file():
        return None
    try:
        report = StatisticsReport.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: not what `llm4mat-bench stats` writes; run it again") from error
    for one in report.sources:
        if one.source == source and modality in one.texts:
            splits = [text for text in one.texts[modality].values() if text.words is not None]
            texts = sum(text.texts for text in splits)
            return sum(text.words.total for text in splits if text.words) / texts if texts else None
    return None


def _text_bytes(source: Source, modality: Modality, data: str | None, count_tokens: TokenCount | None) -> float:
    """Size of all texts of a source, which are unpacked once whatever the number of tasks."""
    return source.published.rows * _lengths(source, modality, data, count_tokens).bytes_a_text


def _total(values: Sequence[float | None]) -> float | None:
    """A sum, None where a part is not known."""
    return None if not values or any(value is None for value in values) else sum(value or 0.0 for value in values)


def _notes(
    lines: Sequence[Line],
    passes: Pass,
    rates: dict[Modality, Rate] | None,
    prices: Prices,
    count_tokens: TokenCount | None,
) -> list[str]:
    notes = []
    if any(line.rows_from == "published" for line in lines):
        notes.append("Rows are the published ones, dealt to splits in proportion; --data counts them where it is.")
    if any(line.tokens_from == "published" for line in lines):
        notes.append(
            "Lengths are the published words a text over all sources, spread as in the embedded sample; a folder with "
            f"a {STATISTICS_FILE} from `llm4mat-bench stats` gives each source its own."
        )
    notes.append(
        "A token is a word or a punctuation mark; --tokenizer counts those of a model."
        if count_tokens is None
        else "Tokens a word are measured on the embedded sample."
    )
    if passes.trained and passes.epochs == 1 and prices.gpu_rate is not None:
        notes.append("One pass over the training rows; --epochs for more.")
    for rate in (rates or {}).values():
        steps = rate.steps
        notes.append(
            f"{rate.model} on {rate.modality}: {rate.seconds_a_run:.2f} core-seconds a run and "
            f"{1e3 * rate.seconds_a_row:.3f} ms a training row, measured on {rate.rows[0]} and {rate.rows[1]} rows "
            f"of the sample on {rate.processor}, and taken to grow in proportion (--measure measures again)."
            if steps is None
            else f"{rate.model} on {rate.modality}: {rate.seconds_a_run:.2f} core-seconds a run, "
            f"{1e3 * rate.seconds_a_row:.3f} ms a training row, and steps: {steps.taken[0]} and {steps.taken[1]} on "
            f"{rate.rows[0]} and {rate.rows[1]} rows of the sample, {steps.number(1_000_000, rate.rows):,.0f} expected "
            f"on a million (of {steps.most} at most), {1e3 * steps.each(0):.1f} ms each and "
            f"{steps.each(1_000_000) - steps.each(0):.2f} µs a row, timed on {steps.rows[0]:,} and "
            f"{steps.rows[1]:,} rows on {rate.processor} (--measure measures again)."
        )
    return notes
