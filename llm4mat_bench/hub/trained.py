"""A trained model from wherever it lies: a folder here, or a repository on the Hub."""

from pathlib import Path

from ..baselines.artifacts import MANIFEST, MODEL_FOLDER, TrainedModel, load_saved_model
from ..baselines.ensembles import as_one, model_folders
from ..errors import UsageError
from .errors import hub_errors


def load_model(folder_or_repo: str | Path, *more: str | Path, revision: str | None = None) -> TrainedModel:
    """Load a trained model, or several that are asked as one.

    Args:
        folder_or_repo: Folder of a run that `llm4mat-bench train` left, the ``model`` folder in it, the id of a model
            repo on the Hub that holds one, or a folder that holds the runs of one model with several seeds.
        *more: Further models of the same task and modality.
        revision: Revision of the Hub repo.

    Returns:
        The model: ``.predict(texts)`` answers (of several, the mean), ``.predict_each(texts)`` gives the answers of
        each, ``.manifest`` says what it was trained on and in which unit it answers.

    Raises:
        UsageError: There is no trained model there, what reads it is not installed, or several do not belong together.
        DataError: A file is missing or damaged.
        HubError: The Hub refused, or cannot be reached.
    """
    found = []
    for one in (folder_or_repo, *more):
        folders = model_folders(Path(one))
        if len(folders) > 1:
            found.append([load_saved_model(folder) for folder in folders])
            as_one(found[-1], Path(one))
        else:
            found.append([_load(folders[0] if Path(one).is_dir() else one, revision)])
    return as_one([model for models in found for model in models])


def _load(folder_or_repo: str | Path, revision: str | None) -> TrainedModel:
    folder = Path(folder_or_repo)
    if folder.is_dir():
        return load_saved_model(folder)
    name = str(folder_or_repo)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UsageError(f"{name}: no such folder, and no name of a repo on the Hub (ORG/NAME)")
    from huggingface_hub import HfApi, constants

    api = HfApi(endpoint=constants.ENDPOINT)
    with hub_errors(name, "downloading"):
        # A repo that holds a run has the model in a folder of its own; its other files are not needed.
        # (Asked so, the Hub says at once that it cannot be reached; a listing is tried for half a minute.)
        listed = [file.rfilename for file in api.model_info(name, revision=revision).siblings or ()]
        inside = f"{MODEL_FOLDER}/{MANIFEST}" in listed
        if not inside and MANIFEST not in listed:
            raise UsageError(f"{name}: no trained model in this repo (no {MANIFEST}, no {MODEL_FOLDER}/{MANIFEST})")
        home = api.snapshot_download(name, revision=revision, allow_patterns=[f"{MODEL_FOLDER}/*"] if inside else None)
    return load_saved_model(Path(home))
