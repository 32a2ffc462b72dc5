"""Ask a model what it knows by heart of the test crystals of a task."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...dataset_builder.catalogue import Modality, Task
from ...dataset_builder.dataset_folder import load_task
from ...errors import DataError, LLM4MatError, UsageError
from ...files import write_json
from ...metrics.results.controls import other_crystals
from ...metrics.results.names import slug
from ...progress import Progress, silent
from ..asking import Asked, ask_missing
from ..engines.interface import Answer, Engine, EngineInfo, Question
from ..messages import Message
from ..run import known_model
from ..store import AnswerStore
from .questions import continuation_question, id_question, is_exact, names_id, overlap, parted

PROBES = "probes"
"""Folder of what probes found, in a folder of results; no run, so that no score table reads it."""
_EXAMPLES = 5


class ProbeExample(BaseModel):
    """One question of a probe and its answer, cut to some hundred characters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    material_id: str
    expected: str
    answer: str


class Probe(BaseModel):
    """What a model knows by heart.

    Attributes:
        kind: ``id`` or ``continuation``.
        exact: Share of the crystals whose id was named, or whose text went on with the same ten words.
        by_chance: The same for another crystal's id or text: what a guess in the right form is worth.
        overlap: Mean share of the expected words that came in the same order; None for ids.
        overlap_by_chance: The same against another crystal's continuation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    revision: str
    engine: str
    source: str
    modality: Modality
    kind: Literal["id", "continuation"]
    seed: int
    asked: int
    exact: float = Field(ge=0, le=1)
    by_chance: float = Field(ge=0, le=1)
    overlap: float | None
    overlap_by_chance: float | None
    examples: tuple[ProbeExample, ...]

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        if self.kind == "id":
            known = (
                f"Asked for the database ids of {self.asked} crystals from their {self.modality}, it named "
                f"{self.exact:.1%} rightly (another crystal's: {self.by_chance:.1%})."
            )
            return known + (
                " It knows crystals of this database by heart." if self.exact > 0.05 + self.by_chance else ""
            )
        known = (
            f"Asked how {self.asked} texts ({self.modality}) go on, it wrote {self.exact:.1%} of them word by word "
            f"(another crystal's: {self.by_chance:.1%}); {self.overlap:.0%} of the words were those of the text, "
            f"{self.overlap_by_chance:.0%} those of another crystal's."
        )
        known_by_heart = self.exact > 0.05 + self.by_chance
        return known + (" It knows these texts by heart." if known_by_heart else "")


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True)

    material_id: str
    question: Question
    expected: str


def probe_memory(
    engine: Engine,
    task: Task,
    modality: Modality,
    kind: Literal["id", "continuation"],
    store: AnswerStore,
    *,
    limit: int = 100,
    seed: int = 0,
    data: str | Path | None = None,
    revision: str | None = None,
    progress: Progress = silent,
) -> Probe:
    """Ask about some test crystals, drawn by the seed; answers are kept, and none is paid twice.

    Args:
        engine: Who answers.
        task: Whose test crystals.
        modality: Which text of them is shown.
        kind: What is asked for.
        store: Where answers are and go.
        limit: How many crystals.
        seed: Which ones.
        data: Folder that `llm4mat-bench build` wrote, or a dataset repo on the Hub; None for the embedded sample.
        revision: Revision of the Hub repo.
        progress: Called as the work goes on.

    Raises:
        UsageError: No text is long enough to go on.
        LLM4MatError: Questions got no answer; those that did are kept.
    """
    items = _items(task, modality, kind, limit, seed, data, revision, progress)
    info = known_model(engine, store)
    answers: dict[int, Answer] = {}

    def questions() -> Iterator[Asked]:
        for row, item in enumerate(items):
            yield Asked(row, 0, item.question.key(info), item.question)

    def seen(asked: Asked, answer: Answer, _paid: bool) -> None:
        answers[asked.row] = answer
        progress("asking", len(answers), len(items))

    asyncio.run(ask_missing(engine, store, questions(), seen))
    for row, item in enumerate(items):  # equal questions are asked once
        if row not in answers and (known := store.get(item.question.key(info))) is not None:
            answers[row] = known
    if len(answers) < len(items):
        raise LLM4MatError(
            f"{len(items) - len(answers)} of {len(items)} questions got no answer; all others are kept, the same "
            "command asks these again"
        )
    return _weighed(info, task, modality, kind, seed, items, [answers[row].text for row in range(len(items))])


def write_probe(probe: Probe, results: Path) -> Path:
    """Keep what was found beside the runs."""
    name = slug(f"{probe.model}-{probe.source}-{probe.modality}-{probe.kind}-seed{probe.seed}-{probe.asked}", 150)
    path = results / PROBES / f"{name}.json"
    write_json(path, probe.model_dump(mode="json"))
    return path


def read_probes(results: Path) -> list[Probe]:
    """What probes found, from a folder of results.

    Raises:
        DataError: A file is none that `write_probe` wrote.
    """
    found = []
    for path in sorted((results / PROBES).glob("*.json")):
        try:
            found.append(Probe.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            raise DataError(f"{path}: no file of a probe: {' '.join(str(error).split())[:200]}") from error
    return found


def _items(
    task: Task,
    modality: Modality,
    kind: Literal["id", "continuation"],
    limit: int,
    seed: int,
    data: str | Path | None,
    revision: str | None,
    progress: Progress,
) -> list[_Item]:
    rows = load_task(task, modality, data, revision=revision, progress=progress)["test"]
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))
    example = rows[int(order[-1])]["material_id"]
    found: list[_Item] = []
    for place in order[:-1].tolist():
        if len(found) == limit:
            break
        row = rows[place]
        text = (row["text"] or "").strip()
        if kind == "id":
            if text:
                messages = id_question(task.source, modality, text, example)
                found.append(
                    _Item(material_id=row["material_id"], question=_asked(messages, 64), expected=row["material_id"])
                )
        elif (parts := parted(text)) is not None:
            messages = continuation_question(task.source, modality, parts[0])
            found.append(_Item(material_id=row["material_id"], question=_asked(messages, 200), expected=parts[1]))
    if len(found) < 2:
        raise UsageError(
            f"probe {kind}: no two test crystals of {task.name} have a {modality} that is long enough"
            + ("; ask with -m description or cif" if modality == "composition" else "")
        )
    return found


def _asked(messages: tuple[Message, ...], max_tokens: int) -> Question:
    return Question(messages=messages, max_tokens=max_tokens)


def _weighed(
    info: EngineInfo,
    task: Task,
    modality: Modality,
    kind: Literal["id", "continuation"],
    seed: int,
    items: list[_Item],
    texts: list[str],
) -> Probe:
    """Compare each answer with its own crystal and with another one."""
    others = other_crystals(len(items), seed).tolist()
    right = names_id if kind == "id" else is_exact
    exact = [right(text, item.expected) for text, item in zip(texts, items, strict=True)]
    chance = [
        right(text, items[other].expected) and items[other].expected != item.expected
        for text, item, other in zip(texts, items, others, strict=True)
    ]
    own = theirs = None
    if kind == "continuation":
        own = float(np.mean([overlap(text, item.expected) for text, item in zip(texts, items, strict=True)]))
        theirs = float(
            np.mean([overlap(text, items[other].expected) for text, other in zip(texts, others, strict=True)])
        )
    shown = sorted(range(len(items)), key=lambda row: (not exact[row], row))[:_EXAMPLES]
    return Probe(
        model=info.model,
        revision=info.revision,
        engine=info.engine,
        source=task.source.id,
        modality=modality,
        kind=kind,
        seed=seed,
        asked=len(items),
        exact=float(np.mean(exact)),
        by_chance=float(np.mean(chance)),
        overlap=own,
        overlap_by_chance=theirs,
        examples=tuple(
            ProbeExample(
                material_id=items[row].material_id, expected=items[row].expected[:300], answer=texts[row][:300]
            )
            for row in shown
        ),
    )
