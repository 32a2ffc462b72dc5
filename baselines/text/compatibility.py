"""Whether model, tokenizer and settings go together: told before anything is trained, in one line."""

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from ...errors import UsageError, said
from .checkpoints import load_tokenizer
from .settings import TextSettings

_SPECIAL = ("pad", "unk", "cls", "sep", "bos", "eos", "mask")
_LEAST_SHARE = 0.9
"""Embeddings are often a few more than there are tokens, rounded up to a round number; a tenth is more than that."""


def refuse_other_family(config: Any, model_id: str, families: Collection[str]) -> None:  # noqa: ANN401
    """Refuse a checkpoint of another architecture than those named; none named, all will do.

    Raises:
        UsageError: It is of another.
    """
    if families and config.model_type not in families:
        raise UsageError(
            f"{model_id}: a {config.model_type}, where a {' or '.join(families)} is needed; `train encoder` takes any "
            "text encoder"
        )


def refuse_what_reads_no_text(model: Any, model_id: str, *, pooler: bool) -> None:  # noqa: ANN401
    """Refuse a model that makes no hidden states of token ids: of pictures or sound, or one that needs a decoder.

    Args:
        model: Of transformers, with its weights.
        model_id: What it is called.
        pooler: Whether its own pooler is asked for.

    Raises:
        UsageError: It is such a model, or has no pooler.
    """
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        raise UsageError(
            f"{model_id}: a {config.model_type} is an encoder with a decoder, of which transformers gives no encoder "
            "alone; give a text encoder, or a T5"
        )
    training = model.training
    try:
        ids = torch.zeros((1, 2), dtype=torch.long, device=model.get_input_embeddings().weight.device)
        with torch.inference_mode():
            output = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
    except Exception as error:  # models of other things fail in any way
        raise UsageError(f"{model_id}: a {config.model_type} is no text encoder ({said(error, 120)})") from error
    finally:
        model.train(training)
    if pooler and getattr(output, "pooler_output", None) is None:
        raise UsageError(f"{model_id}: a {config.model_type} has no pooler; pooling=mean or pooling=cls")


def fit_embeddings(model: Any, tokenizer: Any, settings: TextSettings) -> None:  # noqa: ANN401
    """Make room for added tokens, once the tokenizer is seen to be the model's.

    Raises:
        UsageError: The tokenizer belongs to another model: it has more or far fewer tokens, or other special ones.
    """
    known = model.get_input_embeddings().num_embeddings
    name = settings.tokenizer or settings.model_id
    added = len(tokenizer.get_added_vocab())
    hint = "leave tokenizer out to use the model's own" if settings.tokenizer else "its folder holds another's files"
    numbers = f"tokenizer {name} has {len(tokenizer)} tokens, {settings.model_id} knows {known}"
    if len(tokenizer) - added > known:
        raise UsageError(f"{numbers}: it belongs to another model; {hint}")
    if settings.tokenizer is not None:
        # Of the model's own, few tokens are no fault: some are trained with room for far more.
        if len(tokenizer) < _LEAST_SHARE * known:
            raise UsageError(f"{numbers}: it belongs to another model; {hint}")
        _refuse_other_special_ids(model, tokenizer, settings)
    padding = _padding_of_positions(model)
    if padding is not None and tokenizer.pad_token_id != padding:
        raise UsageError(
            f"tokenizer {name} pads with {tokenizer.pad_token_id}, {settings.model_id} counts positions from its own "
            f"padding {padding}: it belongs to another model; {hint}"
        )
    if len(tokenizer) > known:
        model.resize_token_embeddings(len(tokenizer))


def longest(settings: TextSettings, model: Any, spare: int = 0) -> int:  # noqa: ANN401
    """Tokens that a model can read, at most those asked for. T5 has no limit of its own.

    Args:
        settings: What is asked for.
        model: Of transformers, or a network around it.
        spare: Tokens that have to fit behind a text.
    """
    positions = getattr(model.config, "max_position_embeddings", None)
    limits = [settings.max_length]
    if isinstance(positions, int) and positions > 0:
        # RoBERTa and its kin number positions from behind their padding id.
        padding = _padding_of_positions(model)
        limits.append(positions - (0 if padding is None else padding + 1) - spare)
    return min(limits)


def _padding_of_positions(model: nn.Module) -> int | None:
    """The id of padding that positions are counted from, of models that do so."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == "position_embeddings" and isinstance(module, nn.Embedding):
            padding: int | None = module.padding_idx
            return padding
    return None


def _refuse_other_special_ids(model: Any, tokenizer: Any, settings: TextSettings) -> None:  # noqa: ANN401
    """What pads, begins and ends a text has the numbers of the model's own tokenizer, or of its configuration."""
    try:
        own = load_tokenizer(settings.model_id, settings.model_revision, any_padding=True)
    except UsageError:  # it has none: its configuration is what there is
        own = model.config
    for name in _SPECIAL:
        wanted, found = (getattr(one, f"{name}_token_id", None) for one in (own, tokenizer))
        if isinstance(wanted, int) and isinstance(found, int) and wanted != found:
            raise UsageError(
                f"tokenizer {settings.tokenizer} has {name} token {found}, {settings.model_id} was trained with "
                f"{wanted}: it belongs to another model; leave tokenizer out to use the model's own"
            )
