"""A trained model as a folder: the model's own files, and a manifest that says what they are and what they hash to."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ..dataset_builder.catalogue import Kind, Modality, Task
from ..errors import DataError, LLM4MatError, UsageError, one_line
from ..faults import first_fault
from ..files import file_sha256, write_json
from .protocol import Context, Fitted, ModelKind, Settings, Texts
from .registry import Baseline, check_installed, get_baseline, library_versions

MODEL_FOLDER = "model"
"""Where a trained model lies in the folder of its run."""
MANIFEST = "model.json"


class ModelFile(BaseModel):
    """One of a model's own files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    size_bytes: int


class ModelManifest(BaseModel):
    """What a saved model is: which one, trained on what, to answer what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    model: str = Field(description="name, as in `train`")
    revision: str = Field(description="of the model's code; another one may predict otherwise")
    kind: ModelKind
    task: str
    title: str = Field(description="of the property that it predicts")
    task_kind: Kind
    unit: str | None
    classes: tuple[str, str] | None = Field(description="names of the negative and the positive class")
    modality: Modality
    score_kind: Literal["probability", "logit"]
    settings: dict[str, JsonValue]
    places: dict[str, str] = Field(default_factory=dict, description="settings that are paths, with SHA-256")
    seed: int
    run_id: str
    libraries: dict[str, str] = Field(description="that it was trained with")
    files: dict[str, ModelFile] = Field(description="by path below this folder")


@dataclass(frozen=True)
class TrainedModel:
    """A model that has learnt one task, or several such models asked as one.

    Attributes:
        manifest: What it is; of several, the first.
        folder: Where it lies; of several, the first.
        fitted: What does the work.
    """

    manifest: ModelManifest
    folder: Path
    fitted: Fitted

    def predict(self, texts: Sequence[str | None]) -> NDArray[np.float64]:
        """Answer for each text, which is of the modality that the model was trained on.

        Args:
            texts: Formulas, CIFs or descriptions; None where there is none.

        Returns:
            Shape ``(n,)``: values in ``manifest.unit``, or scores of the positive class (``manifest.score_kind``); NaN
            where the model has no answer.

        Raises:
            DataError: A text cannot be read.
        """
        return self.fitted.predict(_as_texts(texts))

    def predict_each(self, texts: Sequence[str | None]) -> NDArray[np.float64]:
        """Answers of each model, where this stands for several, for example the seeds of one.

        Returns:
            Shape ``(models, n)``; `predict` gives the mean over the first axis.
        """
        from .ensembles import MeanOf

        asked = _as_texts(texts)
        return self.fitted.predict_each(asked) if isinstance(self.fitted, MeanOf) else self.fitted.predict(asked)[None]

    def positive(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which scores say the positive class: those over one half, or over 0 for logits."""
        chosen: NDArray[np.bool_] = scores > (0.5 if self.manifest.score_kind == "probability" else 0.0)
        return chosen


def _as_texts(texts: Sequence[str | None]) -> Texts:
    return texts if isinstance(texts, Texts) else Texts(list(texts))


def describe_model(
    saved: Path, baseline: Baseline, task: Task, modality: Modality, context: Context[Settings], run_id: str
) -> None:
    """Write the manifest of what ``Fitted.save`` left in a folder.

    Raises:
        DataError: The model left nothing there.
    """
    files = sorted(path for path in saved.rglob("*") if path.is_file() and path.name != MANIFEST)
    if not files:
        raise DataError(f"{baseline.id} saved no file: its `save` must write what its `load` reads")
    classes = task.property.classes
    manifest = ModelManifest(
        model=baseline.id,
        revision=baseline.declaration.revision,
        kind=baseline.declaration.kind,
        task=task.name,
        title=task.property.title,
        task_kind=task.kind,
        unit=task.unit,
        classes=None if classes is None else (classes.negative, classes.positive),
        modality=modality,
        score_kind=baseline.declaration.score_kind,
        settings=context.settings.that_answer(),
        places=baseline.places(context.settings),
        seed=context.seed,
        run_id=run_id,
        libraries=library_versions(baseline),
        files={
            path.relative_to(saved).as_posix(): ModelFile(sha256=file_sha256(path), size_bytes=path.stat().st_size)
            for path in files
        },
    )
    write_json(saved / MANIFEST, manifest.model_dump(mode="json"))


def copy_model(saved: Path, run_folder: Path) -> None:
    """Put a saved model into the folder of its run."""
    shutil.copytree(saved, run_folder / MODEL_FOLDER)


def load_saved_model(folder: Path) -> TrainedModel:
    """Read a trained model.

    Args:
        folder: Folder of a run, or the ``model`` folder in it.

    Raises:
        UsageError: There is no trained model there; or what reads it is not installed, or of another revision.
        DataError: A file is missing or damaged.
    """
    home = _home(folder)
    manifest = read_whole_manifest(home)
    baseline = get_baseline(manifest.model)
    if baseline.declaration.revision != manifest.revision:
        raise UsageError(
            f"{home}: saved by revision {manifest.revision} of {manifest.model}, here is revision "
            f"{baseline.declaration.revision}, which may predict otherwise: train again, or install the version of then"
        )
    check_installed(baseline)
    try:
        return TrainedModel(manifest, home, baseline.load(home))
    except LLM4MatError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{home}: {manifest.model} cannot read what is saved there ({one_line(error)})") from error


def read_whole_manifest(home: Path) -> ModelManifest:
    """Read what a saved model says of itself, and look whether all its files are there as they were.

    Raises:
        DataError: The manifest cannot be read, or a file is missing or changed.
    """
    manifest = _read_manifest(home / MANIFEST)
    for name, file in manifest.files.items():
        path = home / name
        # By its name, not by where it leads: the files of the Hub's cache are links.
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise DataError(f"{home / MANIFEST}: {name} is not a file of this folder")
        if not path.is_file():
            raise DataError(f"{path}: missing; train again or copy the whole folder")
        if path.stat().st_size != file.size_bytes or file_sha256(path) != file.sha256:
            raise DataError(f"{path}: changed since it was saved; train again or copy it once more")
    return manifest


def _home(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    for home in (folder / MODEL_FOLDER, folder):
        if (home / MANIFEST).is_file():
            return home
    raise UsageError(
        f"{folder}: no trained model here (no {MODEL_FOLDER}/{MANIFEST}); `llm4mat-bench train` leaves one"
    )


def _read_manifest(path: Path) -> ModelManifest:
    try:
        return ModelManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_fault(error).told}") from error
