"""What a trained model is asked: formulas, CIFs and tables, as texts of the modality that it reads."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..dataset_builder.catalogue import Modality
from ..dataset_builder.crystals.errors import StructureError
from ..dataset_builder.crystals.formulas import element_shares
from ..dataset_builder.descriptions import DescriptionError
from ..dataset_builder.descriptions.batch.entries import Entry, Source
from ..dataset_builder.descriptions.batch.inputs import open_source
from ..errors import DataError, LLM4MatError, UsageError, one_line
from .artifacts import TrainedModel

_OF_CIFS, _TABLES = (".cif", ".zip"), (".csv", ".parquet")
_BATCH = 1000
_COLUMNS: dict[Modality, tuple[str, ...]] = {
    "composition": ("composition", "formula", "formula_pretty"),
    "cif": ("cif", "cif_structure"),
    "description": ("description",),
}


class Question(NamedTuple):
    """One crystal: where it stands, what it is called, its text, or why there is none."""

    place: str
    name: str
    text: str | None
    error: str | None = None


class Prediction(NamedTuple):
    """What a model answered: the value (None where there is none) and, where it failed, why.

    Where several models are asked as one, the value is their mean and ``spread`` their standard deviation.
    """

    place: str
    name: str
    value: float | None
    error: str | None
    spread: float | None = None


def read_questions(inputs: Sequence[str], modality: Modality, column: str | None = None) -> Iterator[Question]:
    """Read what stands on a command line, one crystal at a time.

    Args:
        inputs: CIF files, folders or zips of them, tables (CSV, Parquet), other files with a text a line, or formulas.
        modality: What the model reads. A CIF becomes a formula or a description where it reads these.
        column: Column of the tables; one of the usual names if None.

    Yields:
        The crystals, in order; one that cannot be read carries the reason.

    Raises:
        UsageError: A table has no such column, or a column is named and there is no table.
        DataError: A file cannot be read.
    """
    if column is not None and not any(one.lower().endswith(_TABLES) for one in inputs):
        raise UsageError("--column is of use with a .csv or .parquet table only")
    for one in inputs:
        path = Path(one)
        if one.lower().endswith(_TABLES):
            yield from _of_table(path, modality, column)
        elif one.lower().endswith(".cif") and not path.exists():
            yield Question(one, path.stem, None, "no such file")
        elif one.lower().endswith(_OF_CIFS) or path.is_dir():
            yield from (
                _question(
                    str(path / (entry.origin or entry.id)) if path.is_dir() else one, entry, modality, is_cif=True
                )
                for entry in open_source(path).entries()
            )
        elif path.is_file():
            yield from _of_lines(path, modality)
        else:
            yield _checked(one, one, one, modality)


def predict_all(model: TrainedModel, questions: Iterable[Question]) -> Iterator[Prediction]:
    """Ask a model, a batch at a time; a text that it cannot read costs only its own row."""
    remaining = iter(questions)
    while batch := list(islice(remaining, _BATCH)):
        yield from _predict(model, batch)


def _predict(model: TrainedModel, batch: list[Question]) -> Iterator[Prediction]:
    asked = [question for question in batch if question.error is None]
    try:
        answers = model.predict_each([question.text for question in asked]) if asked else np.empty((1, 0))
    except LLM4MatError as error:
        if len(batch) > 1:
            for question in batch:
                yield from _predict(model, [question])
        else:
            yield Prediction(batch[0].place, batch[0].name, None, one_line(error))
        return
    spreads = answers.std(axis=0, ddof=1).tolist() if len(answers) > 1 else [None] * answers.shape[1]
    values = iter(zip(answers.mean(axis=0).tolist(), spreads, strict=True))
    for question in batch:
        if question.error is not None:
            yield Prediction(question.place, question.name, None, question.error)
            continue
        value, spread = next(values)
        if np.isfinite(value):
            yield Prediction(question.place, question.name, value, None, spread)
        else:
            why = None if question.text is None else model.fitted.reason(question.text)
            yield Prediction(question.place, question.name, None, why or "the model has no answer")


def _checked(place: str, name: str, text: str | None, modality: Modality) -> Question:
    """A text as it was given; formulas are looked at here, so that each has its own error."""
    if text is None or not text.strip():
        return Question(place, name, None, "no text")
    if modality == "composition" and not element_shares(text.strip()):
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        return Question(
            place, name, None, f"'{' '.join(shown.split())}' is no chemical formula, nor a file that is there"
        )
    return Question(place, name, text.strip() if modality == "composition" else text)


def _question(place: str, entry: Entry, modality: Modality, *, is_cif: bool) -> Question:
    if entry.text is None:
        return Question(place, entry.id, None, entry.problem)
    return (_of_cif if is_cif else _checked)(place, entry.id, entry.text, modality)


def _of_cif(place: str, name: str, text: str, modality: Modality) -> Question:
    """The text that a model reads, made of a CIF."""
    from ..dataset_builder.crystals.reading import read_structure
    from ..dataset_builder.descriptions import describe

    try:
        structure = read_structure(text)
        if modality == "composition":
            return Question(place, name, str(structure.composition.reduced_formula))
        return Question(place, name, text if modality == "cif" else describe(structure))
    except (StructureError, DescriptionError) as error:
        return Question(place, name, None, one_line(error))


def _of_lines(path: Path, modality: Modality) -> Iterator[Question]:
    """One text a line; a CIF has many lines and needs its own file, or a table."""
    if modality == "cif":
        raise UsageError(f"{path}: this model reads CIFs: give .cif files, or a table with a column of them")
    try:
        with path.open(encoding="utf-8") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    yield _checked(f"{path}:{number}", line.strip()[:60], line.rstrip("\n"), modality)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a text in UTF-8; give formulas one a line, a .csv or .parquet table, or .cif files"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _of_table(path: Path, modality: Modality, column: str | None) -> Iterator[Question]:
    table, is_cif = _open_table(path, modality, column)
    for row, entry in enumerate(table.entries(), 1):
        yield _question(f"{path}, row {row}", entry, modality, is_cif=is_cif)


def _open_table(path: Path, modality: Modality, column: str | None) -> tuple[Source, bool]:
    """Open a table at the column to read; say whether it holds CIFs that are to become something else."""
    if column is not None:
        return open_source(path, column), modality != "cif" and column in _COLUMNS["cif"]
    refused: LLM4MatError | None = None
    for view in dict.fromkeys((modality, "cif")):
        for name in _COLUMNS[view]:
            try:
                return open_source(path, name), view == "cif" and modality != "cif"
            except UsageError as error:
                refused = refused or error
    assert refused is not None  # noqa: S101 - there are names to try
    raise refused
