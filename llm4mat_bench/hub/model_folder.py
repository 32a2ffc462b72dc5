"""A model repo as a folder: card, entries, records and predictions, trained model, figures."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ..baselines.artifacts import MANIFEST, MODEL_FOLDER, ModelManifest
from ..errors import DataError
from ..files import file_sha256, write_text
from ..metrics.leaderboard.entries import SoundRun
from ..metrics.results.places import Truths
from ..metrics.results.record import RESULT_FILE, ResultRecord
from .model_card import Figure, Weights, card_text, path_of
from .model_results import ModelResults
from .records import FolderSummary
from .result_entries import ENTRIES_FILE, Metadata, merged_entries

CARD = "README.md"
MODEL_MANIFEST = f"{MODEL_FOLDER}/{MANIFEST}"
"""By which a repo's name alone finds a trained model."""
_MOST_FIGURES = 6


def stage_model(
    folder: Path,
    repo: str,
    results: ModelResults,
    metadata: Metadata,
    present: dict[str, str],
    *,
    truths: Truths,
    weights: bool = True,
    figures: bool = True,
    licence: str | None = None,
    revision: str = "main",
) -> FolderSummary:
    """Write everything that goes into a model repo into an empty folder.

    Args:
        folder: The folder.
        repo: ``owner/name``.
        results: The model's results.
        metadata: What programs read.
        present: Texts of the card, the entries and the trained model's manifest as they are on the Hub, by path; those
            that are not there are not among them.
        truths: Where data is, for figures.
        weights: Whether trained models go along.
        figures: Whether to draw figures, where matplotlib is installed.
        licence: Licence of the model.
        revision: The branch.

    Raises:
        DataError: What is on the Hub cannot be read, or a file of the run is damaged.
    """
    for run in results.runs:
        _stage_record(folder, run.folder, run.record)
    shown = _stage_weights(folder, results.runs) if weights else None
    before = _manifest(present.get(MODEL_MANIFEST))
    if before is not None and shown is None:
        shown = _weights_there(before, results.runs)
    drawn = _draw(folder, results, truths) if figures else []
    card = card_text(
        present.get(CARD),
        repo,
        results,
        metadata,
        weights=shown,
        figures=drawn,
        licence=licence,
        revision=revision,
    )
    write_text(folder / CARD, card)
    entries = merged_entries(present.get(ENTRIES_FILE), metadata.entries, repo)
    if entries:
        (folder / ENTRIES_FILE).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / ENTRIES_FILE, entries)
    gone = [] if entries or ENTRIES_FILE not in present else [ENTRIES_FILE]
    if before is not None and not (shown and not shown.folder):
        gone += [MODEL_MANIFEST]
    if before is not None and not (shown and shown.run.record.run_id == before.run_id and not shown.folder):
        gone += [f"{MODEL_FOLDER}/{name}" for name in before.files]
    return _listed(folder).model_copy(update={"gone": tuple(gone)})


def stage_predictions(folder: Path, runs: Sequence[tuple[Path, ResultRecord]], card: str) -> FolderSummary:
    """Write records and predictions of runs into an empty folder, as `verify` reads them, and a card."""
    for home, record in runs:
        _stage_record(folder, home, record)
    write_text(folder / CARD, card)
    return _listed(folder)


def _stage_record(folder: Path, home: Path, record: ResultRecord) -> None:
    to = folder / path_of(record)
    if to.exists():
        raise DataError(
            f"{home}: another run of the same name ({path_of(record)}) with other answers or of another time is among "
            "the results; take one of them away"
        )
    to.mkdir(parents=True, exist_ok=True)
    for name in (RESULT_FILE, record.predictions.file):
        shutil.copyfile(home / name, to / name)


def _listed(folder: Path) -> FolderSummary:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return FolderSummary(files=tuple(files))


def _stage_weights(folder: Path, runs: Sequence[SoundRun]) -> Weights | None:
    """Copy the trained models that the records name: one to where a repo's name alone finds it, several to their runs.

    Raises:
        DataError: A file is not the one that the record names.
    """
    trained = [run for run in runs if (run.folder / MODEL_FOLDER / MANIFEST).is_file()]
    for run in trained:
        home = folder / MODEL_FOLDER if len(trained) == 1 else folder / path_of(run.record) / MODEL_FOLDER
        for name, sha256 in run.record.artifacts.items():
            if not name.startswith(f"{MODEL_FOLDER}/"):
                continue
            path = run.folder / name
            if not path.is_file():
                raise DataError(f"{path}: missing, though the record names it; --no-weights leaves the model out")
            to = home / Path(name).relative_to(MODEL_FOLDER)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            _same(to, sha256, path)
    if not trained:
        return None
    first = trained[0]
    inside = "" if len(trained) == 1 else f"{path_of(first.record)}/{MODEL_FOLDER}"
    return Weights(first, inside, len(trained) - 1)


def _manifest(text: str | None) -> ModelManifest | None:
    """The manifest of the model that a repo's name alone finds; None where there is none of ours."""
    try:
        return ModelManifest.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _weights_there(manifest: ModelManifest, runs: Sequence[SoundRun]) -> Weights | None:
    """The model on the Hub, where it is that of a run that the card tells of."""
    files = {f"{MODEL_FOLDER}/{name}": file.sha256 for name, file in manifest.files.items()}
    for run in runs:
        if run.record.run_id == manifest.run_id and files.items() <= run.record.artifacts.items():
            return Weights(run, "", 0)
    return None


def _same(copy: Path, sha256: str, original: Path) -> None:
    if file_sha256(copy) != sha256:
        raise DataError(f"{original}: changed since the run (SHA-256 differs); --no-weights leaves the model out")


def _draw(folder: Path, results: ModelResults, truths: Truths) -> list[Figure]:
    from ..drawing.style import available, save_figure
    from ..metrics.figures.names import run_name
    from ..metrics.figures.of_runs import draw_run

    drawn: list[Figure] = []
    if not available():
        return drawn
    for one in results.verified:
        if len(drawn) == _MOST_FIGURES or one.record is None:
            break
        try:
            figure = draw_run("parity", one, truths)
        except DataError:
            continue  # this run has no such figure
        name = f"figures/{one.record.flat_name}.png"
        (folder / name).parent.mkdir(exist_ok=True)
        save_figure(figure, folder / name)
        drawn.append(Figure(name, " ".join(run_name(one.record).split())))
    return drawn
