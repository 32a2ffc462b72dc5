"""The numbers of the page for programs: one line a row and task."""

import csv
import io
import json
from collections.abc import Sequence

from ..headline import HEADLINE
from ..results.names import visible
from .boards import SourceBoard
from .models import Cell, Entry

_COLUMNS = (
    "source", "task", "model", "revision", "kind", "modality", "protocol", "origin", "data", "data_checked", "ranked",
    "not_ranked_because", "pretraining_overlap", "score", "value", "perfect", "low", "high", "low_high_are",
    "published_protocol", "coverage", "hard_labels", "without_duplicates", "place", "unit", "error", "parameters",
    "tokens", "seconds", "note", "run_ids", "record_sha256", "predictions_sha256",
)  # fmt: skip
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(boards: Sequence[SourceBoard]) -> str:
    """All cells as CSV. Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for board in boards:
        kinds = {task.name: task for task in board.tasks}
        for _, entries in board.groups:
            for entry in entries:
                for name, cell in entry.cells.items():
                    writer.writerow(
                        _row(board.source.id, name, HEADLINE[kinds[name].kind], kinds[name].unit, entry, cell)
                    )
    return text.getvalue()


def _row(source: str, task: str, score: str, unit: str | None, entry: Entry, cell: Cell) -> list[object]:
    return [
        source,
        task,
        _plain(entry.model),
        _plain(entry.model_revision),
        entry.model_kind,
        entry.modality,
        _plain(json.dumps(entry.protocol, sort_keys=True, ensure_ascii=False) if entry.protocol else entry.settings),
        entry.origin,
        _plain(entry.dataset),
        entry.data_checked,
        not entry.apart,
        _plain("; ".join(entry.apart)),
        entry.pretraining_overlap,
        score,
        cell.value,
        cell.perfect,
        cell.low,
        cell.high,
        {"interval": "95 % interval", "seeds": "mean minus and plus deviation over seeds", "none": ""}[cell.spread],
        cell.published_value,
        cell.coverage,
        cell.hard_labels,
        None if cell.unseen is None else cell.unseen.value,
        cell.place,
        unit,
        cell.error,
        entry.parameters,
        cell.tokens,
        cell.seconds,
        _plain(cell.note or ""),
        " ".join(proof.run_id for proof in cell.proofs),
        " ".join(proof.record_sha256 for proof in cell.proofs),
        " ".join(proof.predictions_sha256 for proof in cell.proofs),
    ]


def _plain(text: str) -> str:
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_BEGINS_A_FORMULA) else shown
