"""The published prompt files, read as they are: which question belongs to which row of the test split."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from ..dataset_builder.catalogue import Modality, Task
from ..errors import DataError
from .messages import Message, from_llama2

PublishedShots = Literal["zero_shot", "few_shot"]
_INPUTS: dict[Modality, str] = {"composition": "formula", "cif": "cif_structure", "description": "description"}
_TOLERANCE = 1e-9


class PublishedPrompt(NamedTuple):
    """One question of a prompts file; ``row`` counts the file's rows from 1, ``target`` is as written."""

    row: int
    prompt: str
    target: str


class PublishedQuestion(NamedTuple):
    """A question with the test row that it belongs to."""

    material_id: str
    target: float | bool
    messages: tuple[Message, ...]


def prompt_column(task: Task, modality: Modality, shots: PublishedShots) -> str:
    """Name of the column that holds a task's prompts."""
    return f"{task.property.published_column}_{_INPUTS[modality]}_{shots}"


def read_published_prompts(
    path: Path, task: Task, modality: Modality, shots: PublishedShots
) -> Iterator[PublishedPrompt]:
    """Read the prompts of one task from a published ``{source}_inference_prompts_data.csv``, in the file's order.

    Rows without a target are left out, as the published code does before it asks. The file is read in pieces: memory
    does not grow with it.

    Raises:
        DataError: The file cannot be read, or lacks a column, or a row has a target and no prompt.
    """
    import pyarrow as pa
    from pyarrow import csv

    prompts, targets = prompt_column(task, modality, shots), task.property.published_column
    read = csv.ReadOptions(block_size=1 << 24)
    parse = csv.ParseOptions(newlines_in_values=True)
    convert = csv.ConvertOptions(
        include_columns=[prompts, targets],
        column_types={prompts: pa.string(), targets: pa.string()},
        strings_can_be_null=False,
    )
    row = 0
    try:
        with csv.open_csv(path, read, parse, convert) as batches:
            for batch in batches:
                for prompt, target in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
                    row += 1
                    if _is_missing(target, task):
                        continue
                    if not prompt:
                        raise DataError(f"{path}: row {row} has a target in {targets} and no prompt in {prompts}")
                    yield PublishedPrompt(row, prompt, target)
    except (KeyError, pa.ArrowKeyError) as error:
        raise DataError(
            f"{path}: no column {prompts} or {targets}; is this the prompts file of {task.source.title}?"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a CSV of prompts: {' '.join(str(error).split())}") from error


def match_to_test(
    prompts: Iterable[PublishedPrompt],
    test_rows: Iterable[tuple[str, str | None, float | bool | None]],
    task: Task,
    path: Path,
) -> Iterator[PublishedQuestion]:
    """Give every prompt the test row that it belongs to, and check that there is one for each.

    A prompts file names no material: its rows are those of ``test.csv``, in that order, and the target says whether
    that is so.

    Args:
        prompts: As `read_published_prompts` gives them.
        test_rows: The test rows in the published order: id, text, target. Rows without a target are left out.
        task: The task.
        path: The prompts file, for messages.

    Raises:
        DataError: A target differs, or there are more or fewer prompts than test rows; the message names the row.
    """
    rows = (
        (material_id, target) for material_id, _, target in test_rows if target is not None and math.isfinite(target)
    )
    matched = 0
    questions = iter(prompts)
    for material_id, target in rows:
        question = next(questions, None)
        if question is None:
            raise DataError(
                f"{path}: {matched} prompts of {task.name}, but the test split has more rows; {material_id} is the "
                "first without one. Is the file whole, and of this version of the data?"
            )
        if not _same_target(question.target, target, task):
            raise DataError(
                f"{path}: row {question.row}: target {question.target!r} of {task.name}, but {material_id}, test "
                f"row {matched + 1}, has {target!r}: rows are missing, doubled or in another order, or "
                "it is another test split"
            )
        matched += 1
        try:
            messages = from_llama2(question.prompt)
        except ValueError as error:
            raise DataError(f"{path}: row {question.row}: {error}") from error
        yield PublishedQuestion(material_id, target, tuple(messages))
    extra = next(questions, None)
    if extra is not None:
        raise DataError(
            f"{path}: row {extra.row} and later belong to no test row of {task.name}, which has {matched}: rows are "
            "doubled, or it is another test split"
        )


def _is_missing(target: str, task: Task) -> bool:
    folded = target.strip()
    if folded.casefold() in ("", "nan", "none", "null", "na", "n/a"):
        return True
    classes = task.property.classes
    if classes is not None:
        return folded in classes.dropped
    try:
        return not math.isfinite(float(folded))  # an infinite value is no label
    except ValueError:
        return False


def _same_target(written: str, target: float | bool, task: Task) -> bool:
    classes = task.property.classes
    if classes is not None:
        named = {classes.positive: True, classes.negative: False, "1": True, "0": False, "1.0": True, "0.0": False}
        return named.get(written.strip()) == bool(target)
    try:
        value = float(written)
    except ValueError:
        return False
    return math.isclose(value, float(target), rel_tol=_TOLERANCE, abs_tol=1e-300) or value == target
