"""Find a pretrained model by folder or repo, and say exactly which one it is."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ...errors import DataError, UsageError

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def resolve_revision(model_id: str, revision: str | None) -> str:
    """Name a checkpoint for good: the commit of a repo, or the SHA-256 of a folder's configuration and weights.

    Raises:
        UsageError: There is no such folder or repo, or the folder holds other weights than those asked for.
    """
    folder = Path(model_id)
    if folder.is_dir():
        found = folder_sha256(folder)
        if revision is not None and revision != found:
            raise UsageError(f"{model_id}: its weights are not those of revision {revision} (SHA-256 {found})")
        return found
    if model_id.startswith((".", "/", "~")):
        raise UsageError(f"{model_id}: no such folder")
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        sha = HfApi().model_info(model_id, revision=revision).sha
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError, OSError) as error:
        first = " ".join(str(error).split())[:200]
        raise UsageError(f"{model_id}: neither a folder nor a model repo that can be reached ({first})") from error
    if sha is None:
        raise UsageError(f"{model_id}: the Hub names no commit")
    return sha


def folder_sha256(folder: Path) -> str:
    """SHA-256 over names and bytes of a checkpoint's configuration and weights.

    Raises:
        UsageError: There are none.
    """
    weights = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    if not (folder / "config.json").is_file() or not weights:
        raise UsageError(f"{folder}: no checkpoint of transformers (config.json and *.safetensors)")
    digest = hashlib.sha256()
    for path in [folder / "config.json", *weights]:
        with path.open("rb") as handle:
            digest.update(f"{path.name} {hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def load_config(model_id: str, revision: str | None) -> Any:  # noqa: ANN401 - a class of transformers
    """The configuration of an encoder.

    Raises:
        UsageError: The model cannot be found, or is no encoder.
    """
    from transformers import AutoConfig

    config = _from_pretrained(AutoConfig, model_id, revision)
    if getattr(config, "is_decoder", False) or any(name.endswith("ForCausalLM") for name in config.architectures or ()):
        raise UsageError(f"{model_id}: a {config.model_type} generates text and is no encoder; give an encoder")
    return config


def load_tokenizer(model_id: str, revision: str | None) -> Any:  # noqa: ANN401
    """A fast tokenizer.

    Raises:
        UsageError: There is none, or it cannot pad.
    """
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(AutoTokenizer, model_id, revision)
    if not tokenizer.is_fast:
        raise UsageError(f"{model_id}: its tokenizer has no tokenizer.json (a fast tokenizer is needed)")
    if tokenizer.pad_token_id is None:
        raise UsageError(f"{model_id}: its tokenizer has no padding token")
    return tokenizer


def load_encoder(model_id: str, revision: str | None, config: Any) -> Any:  # noqa: ANN401
    """The encoder with its pretrained weights, in float32.

    Raises:
        DataError: A weight is missing or has another shape: nothing is filled in silently.
    """
    import torch

    model, info = _from_pretrained(
        _auto_class(config), model_id, revision, config=config, dtype=torch.float32, output_loading_info=True
    )
    missing = [name for name in info["missing_keys"] if "pooler" not in name]
    if missing or info["mismatched_keys"]:
        raise DataError(f"{model_id}: weights are missing or of another shape: {', '.join(map(str, missing[:3]))}")
    return model


def build_encoder(config: Any) -> Any:  # noqa: ANN401
    """The encoder of a configuration, with weights yet to be loaded."""
    return _auto_class(config).from_config(config)


def _auto_class(config: Any) -> Any:  # noqa: ANN401
    from transformers import AutoModel, AutoModelForTextEncoding
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES

    # Of an encoder and decoder (T5) only the encoder.
    encoders = MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES
    return AutoModelForTextEncoding if config.model_type in encoders else AutoModel


def _from_pretrained(kind: Any, model_id: str, revision: str | None, **options: Any) -> Any:  # noqa: ANN401
    from safetensors import SafetensorError

    local = Path(model_id).is_dir()
    try:
        return kind.from_pretrained(model_id, revision=None if local else revision, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, json.JSONDecodeError) as error:
        first = " ".join(str(error).split())[:240]
        raise UsageError(f"{model_id}: cannot be loaded as {kind.__name__} ({first})") from error
