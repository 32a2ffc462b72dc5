"""Adapters (LoRA) on a pretrained model, which itself stays as it is: made, written, and put on it again."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ...errors import DataError, LLM4MatError, UsageError, said
from ...files import write_json
from .checkpoints import checkpoint_sha256, load_config, load_encoder, local_checkpoint, writes_text
from .compatibility import fit_embeddings, refuse_what_reads_no_text
from .lora_settings import AdapterSettings
from .network import CrystalNetwork, TextNetwork

ADAPTER_FILE, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
HEAD_FILE = "head.safetensors"
BASE_FILE = "base_model.json"
BASE_VARIABLE = "LLM4MAT_BASE_MODEL"
"""Where the base model lies, when it is no longer where it was."""


class BaseModelReference(BaseModel):
    """Which pretrained model an adapter belongs to: without it the adapter is nothing, with another one wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str = Field(description="folder, GGUF file or repo")
    revision: str = Field(description="commit of the repo, or SHA-256 of the configuration and weights")
    writing: bool = Field(description="with the layer that writes tokens")
    tokens: int = Field(description="rows of its embeddings, those of added tokens among them")
    half: bool = Field(description="in bfloat16 rather than float32")

    def find(self) -> str:
        """Where the base model is now: as it was named, or where the environment says.

        Raises:
            DataError: It is not there, or has other weights than the adapter was trained on.
        """
        place = os.environ.get(BASE_VARIABLE) or self.model_id
        try:
            local = local_checkpoint(place)
        except UsageError as error:
            raise DataError(
                f"the adapter's base model is not there: {error}; bring it back, or name its place in {BASE_VARIABLE}"
            ) from error
        if local is not None and checkpoint_sha256(local) != self.revision:
            raise DataError(
                f"{place}: its weights are not those that the adapter was trained on (SHA-256 {self.revision}); "
                f"name the place of the right ones in {BASE_VARIABLE}"
            )
        return place


class AdapterWeights(TextNetwork):
    """Of these networks only what is trained is written: adapters, added tokens, the head."""

    encoder: Any
    base: BaseModelReference

    def save_weights(self, path: Path) -> None:
        """Write what is trained."""
        save_file({name: one.detach().contiguous() for name, one in self._trained().items()}, str(path))

    def load_weights(self, path: Path) -> None:
        """Read what is trained."""
        _fill(self._trained(), load_file(str(path)), path)

    def facts(self) -> dict[str, JsonValue]:
        """How much of the model is trained."""
        return {"trained_parameters": sum(one.numel() for one in self._trained().values())}

    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: one for name, one in self.named_parameters() if one.requires_grad}

    def activation_checkpointing_enable(self, **options: Any) -> None:  # noqa: ANN401
        """Compute activations again rather than keep them."""
        self.encoder.get_base_model().activation_checkpointing_enable(**options)

    def save_adapter(self, folder: Path) -> None:
        """Write adapter and base model's name in peft's own format, so that others can put it on as well."""
        config: LoraConfig = self.encoder.peft_config["default"]
        # Sets have no order, files of equal models shall have equal bytes.
        items: dict[str, Any] = config.to_dict()  # type: ignore[no-untyped-call]
        said_config = {name: sorted(one) if isinstance(one, set) else one for name, one in items.items()}
        said_config |= {"base_model_name_or_path": self.base.model_id, "inference_mode": True}
        write_json(folder / ADAPTER_CONFIG, json.loads(json.dumps(said_config, sort_keys=True, default=str)))
        state = get_peft_model_state_dict(self.encoder, save_embedding_layers=False)
        save_file({name: one.contiguous().cpu() for name, one in state.items()}, str(folder / ADAPTER_FILE))
        write_json(folder / BASE_FILE, self.base.model_dump(mode="json"))


class AdaptedNetwork(AdapterWeights, CrystalNetwork):
    """A pretrained encoder or decoder with adapters, and a head."""

    def facts(self) -> dict[str, JsonValue]:
        """How much of the model is trained, and what its head sees."""
        return super().facts() | {"pooling": self.pooling}


def adapt(
    model: Any,  # noqa: ANN401 - of transformers
    settings: AdapterSettings,
    token_ids: list[int],
    *,
    writing: bool,
    pooler: bool,
) -> Any:  # noqa: ANN401 - of peft
    """Put new adapters on a model and freeze all the rest.

    Args:
        model: The pretrained model.
        settings: Rank and the like.
        token_ids: Ids of added tokens, whose embeddings are trained as a whole.
        writing: Whether the model writes tokens.
        pooler: Whether the model's pooler is used; else it has no adapter, since nothing would reach it.

    Raises:
        UsageError: The model has no such layers.
    """
    names = settings.target_modules
    has_pooler = any("pooler" in name for name, _ in model.named_modules())
    config = LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.adapter_dropout,
        target_modules=names if names == "all-linear" else [name.strip() for name in names.split(",")],
        exclude_modules=None if pooler or not has_pooler else r".*pooler.*",
        trainable_token_indices=token_ids or None,
        task_type="CAUSAL_LM" if writing else "FEATURE_EXTRACTION",
    )
    try:
        return _wrapped(model, config)
    except ValueError as error:
        raise UsageError(f"target_modules={names}: {said(error)}") from error


def adapted_model(
    settings: AdapterSettings,
    config: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    new_tokens: list[str],
    *,
    writing: bool,
) -> tuple[Any, BaseModelReference]:
    """A pretrained model with new adapters, and what names it.

    Args:
        settings: Which model, and what adapters.
        config: Its configuration.
        tokenizer: Its tokenizer, which knows the added tokens.
        new_tokens: Those whose embeddings are to be learnt.
        writing: With the layer that writes tokens.
    """
    model, _ = load_encoder(
        settings.model_id,
        settings.model_revision,
        config,
        writing=writing,
        pooler=settings.pooling == "pooler",
        half=settings.precision == "bfloat16",
    )
    refuse_what_reads_no_text(model, settings.model_id, pooler=settings.pooling == "pooler")
    known = model.get_input_embeddings().num_embeddings
    fit_embeddings(model, tokenizer, settings)
    # Every row that the pretrained model has not, so that all that is not its own is written.
    tokens = model.get_input_embeddings().num_embeddings
    ids = sorted({*tokenizer.convert_tokens_to_ids(new_tokens), *range(known, tokens)})
    base = BaseModelReference(
        model_id=settings.model_id,
        revision=str(settings.model_revision),
        writing=writing,
        tokens=tokens,
        half=settings.precision == "bfloat16",
    )
    return adapt(model, settings, ids, writing=writing, pooler=settings.pooling == "pooler"), base


def adapted_network(
    settings: AdapterSettings,
    config: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    new_tokens: list[str],
    *,
    classes: bool,
) -> AdaptedNetwork:
    """An encoder or decoder with new adapters and a new head."""
    adapted, base = adapted_model(settings, config, tokenizer, new_tokens, writing=False)
    pooling = settings.pooling
    if pooling == "auto":
        pooling = "last" if writes_text(config) else "mean"
    return _headed(adapted, base, pooling, settings.dropout, classes=classes)


def load_adapted(folder: Path) -> tuple[Any, BaseModelReference]:
    """Find the base model, see that it is the one, and put the adapter on it.

    Raises:
        DataError: A file is missing or damaged, or the base model is another one.
    """
    try:
        base = BaseModelReference.model_validate_json((folder / BASE_FILE).read_bytes())
        weights = load_file(str(folder / ADAPTER_FILE))
        config = LoraConfig(**json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")))
    except (ValidationError, OSError, ValueError, TypeError, SafetensorError) as error:
        raise DataError(f"{folder}: no whole adapter ({said(error, 200)}); train it again") from error
    place = base.find()
    try:
        model, _ = load_encoder(
            place,
            base.revision,
            load_config(place, base.revision, decoders=True),
            writing=base.writing,
            half=base.half,
        )
    except LLM4MatError as error:
        raise DataError(f"the adapter's base model cannot be had: {error}") from error
    if model.get_input_embeddings().num_embeddings != base.tokens:
        model.resize_token_embeddings(base.tokens, mean_resizing=False)
    config.inference_mode = False
    config.base_model_name_or_path = None  # where it was found is where it is
    adapted = _wrapped(model, config)
    there = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if odd := _odd(there, weights):
        raise DataError(f"{folder / ADAPTER_FILE}: does not fit its configuration ({odd}); train it again")
    set_peft_model_state_dict(adapted, weights)
    return adapted.requires_grad_(False), base


def load_headed(folder: Path, pooling: Any, *, classes: bool) -> AdaptedNetwork:  # noqa: ANN401
    """Read an adapter with its head.

    Raises:
        DataError: A file is missing or damaged, or the base model is another one.
    """
    adapted, base = load_adapted(folder)
    network = _headed(adapted, base, pooling, 0.0, classes=classes)
    try:
        _fill(dict(network.head.named_parameters()), load_file(str(folder / HEAD_FILE)), folder / HEAD_FILE)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{folder / HEAD_FILE}: no whole head ({said(error, 200)}); train it again") from error
    return network


def save_head(network: AdaptedNetwork, folder: Path) -> None:
    """Write the head, which belongs to no format of others."""
    state = {name: one.detach().contiguous().cpu() for name, one in network.head.named_parameters()}
    save_file(state, str(folder / HEAD_FILE))


def to_processor(network: nn.Module) -> None:
    """Move a network to the GPU, where there is one."""
    if torch.cuda.is_available():
        network.to("cuda")


def _wrapped(model: Any, config: LoraConfig) -> Any:  # noqa: ANN401
    with warnings.catch_warnings():
        # peft asks transformers by a name that is on its way out.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)


def _headed(
    adapted: Any,  # noqa: ANN401
    base: BaseModelReference,
    pooling: Any,  # noqa: ANN401
    dropout: float,
    *,
    classes: bool,
) -> AdaptedNetwork:
    network = AdaptedNetwork(adapted, pooling, dropout, classes=classes)
    network.base = base
    return network


def _fill(parameters: dict[str, nn.Parameter], weights: dict[str, torch.Tensor], path: Path) -> None:
    if odd := _odd(parameters, weights):
        raise DataError(f"{path}: weights of another model ({odd})")
    with torch.no_grad():
        for name, one in parameters.items():
            one.copy_(weights[name])


def _odd(wanted: Any, found: dict[str, torch.Tensor]) -> str | None:  # noqa: ANN401
    """What is missing, too much, or of another shape; None where all fits."""
    for name in sorted({*wanted, *found}):
        if name not in found:
            return f"{name} is missing"
        if name not in wanted:
            return f"{name} is too much"
        if wanted[name].shape != found[name].shape:
            return f"{name} has shape {tuple(found[name].shape)}, not {tuple(wanted[name].shape)}"
    return None
