"""Find a pretrained model by folder or repo, and say exactly which one it is."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import DataError, UsageError, said
from ...files import file_sha256

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "spiece.model")
GGUF = ".gguf"


class LocalCheckpoint(NamedTuple):
    """A checkpoint on this machine.

    Attributes:
        folder: Where it lies.
        gguf: Name of the GGUF file that holds it whole; None for a folder of transformers.
    """

    folder: Path
    gguf: str | None


def local_checkpoint(model_id: str) -> LocalCheckpoint | None:
    """The checkpoint in a folder, or in a GGUF file; None for the name of a repo.

    Raises:
        UsageError: The folder holds none, or several GGUF files.
    """
    place = Path(model_id)
    if place.suffix == GGUF and place.is_file():
        return LocalCheckpoint(place.parent, place.name)
    if not place.is_dir():
        if model_id.startswith((".", "/", "~")) or place.suffix == GGUF:
            raise UsageError(f"{model_id}: no such {'file' if place.suffix == GGUF else 'folder'}")
        return None
    if (place / "config.json").is_file() and any(any(place.glob(pattern)) for pattern in WEIGHTS):
        return LocalCheckpoint(place, None)
    packed = sorted(path.name for path in place.glob(f"*{GGUF}"))
    if len(packed) > 1:
        raise UsageError(f"{model_id}: {len(packed)} GGUF files; name the one, such as {place / packed[0]}")
    if not packed:
        raise UsageError(f"{model_id}: no checkpoint of transformers (config.json and *.safetensors, or a .gguf file)")
    return LocalCheckpoint(place, packed[0])


def resolve_revision(model_id: str, revision: str | None) -> str:
    """Name a checkpoint for good: the commit of a repo, or the SHA-256 of a folder's configuration and weights.

    Raises:
        UsageError: There is no such folder or repo, or the folder holds other weights than those asked for.
    """
    local = local_checkpoint(model_id)
    if local is not None:
        found = checkpoint_sha256(local)
        if revision is not None and revision != found:
            raise UsageError(f"{model_id}: its weights are not those of revision {revision} (SHA-256 {found})")
        return found
    return _commit(model_id, revision)


def resolve_tokenizer_revision(name: str | None, revision: str | None) -> str | None:
    """The commit of the repo of another tokenizer; None for a folder, whose files are hashed, and where there is none.

    Raises:
        UsageError: There is no such folder or repo, or a revision is given of what has none.
    """
    if name is None or _is_folder(name):
        if revision is not None:
            raise UsageError(
                f"tokenizer_revision {revision}: {name or 'the tokenizer of the model'} is no repo of its own"
            )
        return None
    return _commit(name, revision)


def _commit(model_id: str, revision: str | None) -> str:
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        sha = HfApi().model_info(model_id, revision=revision).sha
    except (HfHubHTTPError, HTTPError, HFValidationError, OSError) as error:
        raise UsageError(
            f"{model_id}: neither a folder nor a model repo that can be reached ({said(error, 200)})"
        ) from error
    if sha is None:
        raise UsageError(f"{model_id}: the Hub names no commit")
    return sha


def checkpoint_sha256(local: LocalCheckpoint) -> str:
    """SHA-256 over names and bytes of a checkpoint's configuration and weights."""
    if local.gguf is not None:
        files = [local.folder / local.gguf]
    else:
        weights = sorted(path for pattern in WEIGHTS for path in local.folder.glob(pattern))
        files = [local.folder / "config.json", *weights]
    return _sha256_of(files)


def _sha256_of(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def tokenizer_sha256(name: str) -> str | None:
    """SHA-256 over names and bytes of a tokenizer's files in a folder; None where there are none, or for a repo.

    Raises:
        UsageError: There is no such folder.
    """
    if not _is_folder(name):
        return None
    files = sorted({path for pattern in TOKENIZER for path in Path(name).glob(pattern) if path.is_file()})
    return _sha256_of(files) if files else None


def _is_folder(name: str) -> bool:
    """Whether a name is that of a folder, rather than of a repo."""
    if Path(name).is_dir():
        return True
    if name.startswith((".", "/", "~")):
        raise UsageError(f"{name}: no such folder")
    return False


def load_config(model_id: str, revision: str | None, *, decoders: bool = False) -> Any:  # noqa: ANN401 - of transformers
    """The configuration of a model.

    Args:
        model_id: Folder, GGUF file or repo.
        revision: Commit of a repo.
        decoders: Whether models that generate text will do; else only encoders.

    Raises:
        UsageError: The model cannot be found, or is no encoder.
    """
    from transformers import AutoConfig

    config = _from_pretrained(AutoConfig, model_id, revision)
    if not decoders and writes_text(config):
        raise UsageError(
            f"{model_id}: a {config.model_type} generates text and is no encoder; give an encoder, or train lora"
        )
    return config


def writes_text(config: Any) -> bool:  # noqa: ANN401
    """Whether a model is a decoder, which reads from left to right and writes on."""
    from transformers.models.auto import modeling_auto as auto

    if getattr(config, "is_decoder", False) or any(name.endswith("ForCausalLM") for name in config.architectures or ()):
        return True
    encoders = {*auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, *auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES}
    return config.model_type in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and config.model_type not in encoders


def load_tokenizer(model_id: str, revision: str | None, *, any_padding: bool = False) -> Any:  # noqa: ANN401
    """A fast tokenizer.

    Args:
        model_id: Folder, GGUF file or repo.
        revision: Commit of a repo.
        any_padding: Take the end token for padding where there is none of its own, as decoders often lack one.

    Raises:
        UsageError: There is none, or it cannot pad.
    """
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(AutoTokenizer, model_id, revision)
    if not tokenizer.is_fast:
        raise UsageError(f"{model_id}: its tokenizer has no tokenizer.json (a fast tokenizer is needed)")
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise UsageError(f"{model_id}: there is no tokenizer (tokenizer.json), or one without words")
    if tokenizer.pad_token_id is None and any_padding:
        # What stands at padding is never looked at: it is masked, and comes behind the text.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise UsageError(f"{model_id}: its tokenizer has no padding token")
    return tokenizer


class Loaded(NamedTuple):
    """A model with its pretrained weights.

    Attributes:
        model: Of transformers.
        new: Weights that the checkpoint lacks and that are a seeded draw: at most those of a pooler, which models
            trained to fill gaps have not.
    """

    model: Any
    new: list[str]


def load_encoder(
    model_id: str,
    revision: str | None,
    config: Any,  # noqa: ANN401
    *,
    writing: bool = False,
    pooler: bool = False,
    half: bool = False,
) -> Loaded:
    """A model with its pretrained weights.

    Args:
        model_id: Folder, GGUF file or repo.
        revision: Commit of a repo.
        config: Its configuration.
        writing: With the layer that writes tokens, rather than the hidden states alone.
        pooler: Whether a pooler must be among the weights.
        half: In bfloat16 rather than float32.

    Raises:
        DataError: A weight is missing or has another shape: nothing is filled in silently.
    """
    import torch
    from transformers import AutoModelForCausalLM

    kind = AutoModelForCausalLM if writing else _auto_class(config)
    dtype = torch.bfloat16 if half else torch.float32
    model, info = _from_pretrained(kind, model_id, revision, config=config, dtype=dtype, output_loading_info=True)
    absent = sorted(map(str, info["missing_keys"]))
    missing = [name for name in absent if pooler or "pooler" not in name]
    if missing or info["mismatched_keys"]:
        first = ", ".join(map(str, (missing or info["mismatched_keys"])[:3]))
        raise DataError(f"{model_id}: weights are missing or of another shape: {first}")
    return Loaded(model, absent)


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
    from httpx2 import HTTPError
    from safetensors import SafetensorError

    packed = _packed(Path(model_id))
    if packed is not None:
        model_id = str(packed.folder)
        options["gguf_file"] = packed.gguf
    elif not Path(model_id).is_dir():
        options["revision"] = revision
    try:
        return kind.from_pretrained(model_id, trust_remote_code=False, **options)
    except ImportError as error:
        hint = "reading GGUF needs the package gguf: pip install gguf" if options.get("gguf_file") else said(error)
        raise UsageError(f"{model_id}: {hint}") from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, HTTPError) as error:
        raise UsageError(f"{model_id}: cannot be loaded as {kind.__name__} ({said(error, 240)})") from error


def _packed(place: Path) -> LocalCheckpoint | None:
    """The GGUF file that a checkpoint lies in; None for folders of transformers, also of a tokenizer alone."""
    if place.suffix == GGUF or (place.is_dir() and any(place.glob(f"*{GGUF}"))):
        found = local_checkpoint(str(place))
        return found if found is not None and found.gguf is not None else None
    return None


def quiet() -> None:
    """Transformers reports what it loads, at length; we say what went wrong in a line."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
