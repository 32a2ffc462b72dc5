"""The fit that all text models share: resolve, tokenize, scale, train, and give back what can predict."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UsageError
from ..processes import count
from ..protocol import Context, Declaration, TaskData
from ..teaching import refuse_what_cannot_teach
from .settings import TextSettings

if TYPE_CHECKING:
    from .fitted import FittedText
    from .network import CrystalNetwork


def declare(name: str, title: str, *libraries: str) -> Declaration:
    """The declaration of a fine-tuned model; all read every modality and need the same libraries, and maybe more."""
    return Declaration(
        id=name,
        title=title,
        kind="finetuned",
        revision="1",
        modalities=("composition", "cif", "description"),
        extra="finetune",
        several_processes=True,
        pretraining_overlap="unknown",
        libraries=("torch", "transformers", "accelerate", "safetensors", "tokenizers", *libraries),
    )


def load(folder: Path) -> "FittedText":
    """Read a saved model."""
    from .fitted import load_fitted

    return load_fitted(folder)


def resolve(settings: TextSettings) -> TextSettings:
    """Name the pretrained checkpoint for good: settings that say which commit, or which weights, were taken.

    Raises:
        UsageError: The checkpoint, or the repo of another tokenizer, cannot be had.
    """
    from .checkpoints import resolve_revision, resolve_tokenizer_revision

    return settings.model_copy(
        update={
            "model_revision": resolve_revision(settings.model_id, settings.model_revision),
            "tokenizer_revision": resolve_tokenizer_revision(settings.tokenizer, settings.tokenizer_revision),
        }
    )


def places(settings: TextSettings) -> dict[str, str]:
    """Checkpoint with its tokenizer, another tokenizer, and stop words, where they lie on this machine.

    Raises:
        UsageError: There is no such folder.
        DataError: There is no such list of stop words.
    """
    from .checkpoints import local_checkpoint, tokenizer_sha256
    from .encoding import stop_words_path
    from .preprocess import OWN_STOP_WORDS, read_stop_words

    found = {}
    if settings.model_revision is not None and (local := local_checkpoint(settings.model_id)) is not None:
        own = None if settings.tokenizer or local.gguf else tokenizer_sha256(settings.model_id)
        both = f"{settings.model_revision} {own}".encode()
        found["model_id"] = settings.model_revision if own is None else hashlib.sha256(both).hexdigest()
    if settings.tokenizer is not None and (other := tokenizer_sha256(settings.tokenizer)) is not None:
        found["tokenizer"] = other
    words = stop_words_path(settings)
    if words is not None and words != OWN_STOP_WORDS:
        found["stop_words"] = read_stop_words(words)[1]
    return found


def fine_tune(
    data: TaskData,
    context: "Context[Any]",
    first_token: str = "",
    *,
    families: tuple[str, ...] = (),
    decoders: bool = False,
    build: "Callable[..., CrystalNetwork] | None" = None,
    keep: "Callable[..., FittedText] | None" = None,
) -> Any:  # noqa: ANN401 - FittedText, whose module needs torch
    """Fine-tune an encoder.

    Args:
        data: Training and validation rows.
        context: Settings are `TextSettings`.
        first_token: Put before every text, for encoders without a first token of their own.
        families: Architectures that will do, as configurations name them; all if empty.
        decoders: Whether models that generate text will do, too.
        build: Makes the network of settings, configuration, tokenizer, new tokens and whether there are classes; if
            None, `whole_network`.
        keep: Makes the fitted model of the network and what else there is; if None, `FittedText`.

    Returns:
        A `FittedText`.

    Raises:
        UsageError: The checkpoint cannot be had, is no encoder, or does not fit the settings.
        DataError: The training rows cannot teach: one class, a constant target, no text.
    """
    from functools import partial

    from .batches import Collate
    from .checkpoints import load_config, load_tokenizer
    from .compatibility import longest, refuse_other_family
    from .encoding import EncodeTexts, TextEncoder, encode_splits, prepare_tokenizer, reading_of
    from .fitted import FittedText, TextModelState
    from .training import Scale, facts_of, head_error, history, train_network

    settings: TextSettings = context.settings
    classes = data.task.kind == "classification"
    scale = Scale(**prepare(data, context))
    config = load_config(settings.model_id, settings.model_revision, decoders=decoders)
    refuse_other_family(config, settings.model_id, families)
    other = settings.tokenizer is not None
    tokenizer = load_tokenizer(
        settings.tokenizer or settings.model_id,
        settings.tokenizer_revision if other else settings.model_revision,
        any_padding=decoders,
    )
    reading = reading_of(settings, data.modality)
    new_tokens = prepare_tokenizer(tokenizer, reading.steps, first_token)
    network = (build or whole_network)(settings, config, tokenizer, new_tokens, classes=classes)
    max_length = longest(settings, network.encoder)
    encode = EncodeTexts(TextEncoder(tokenizer, reading.steps, reading.stop_words, first_token, max_length))

    rows = encode_splits(data, encode, context)
    best = train_network(
        network,
        rows.train,
        settings=settings,
        collate=Collate(tokenizer.pad_token_id, scale.mean, scale.deviation),
        score=partial(
            head_error, rows=rows.validation, scale=scale, pad_id=tokenizer.pad_token_id, precision=settings.precision
        ),
        seed=context.seed,
        work=context.work,
        progress=context.progress,
    )
    state = TextModelState(
        steps=reading.steps,
        first_token=first_token,
        max_length=max_length,
        pooling=network.pooling,
        classes=classes,
        mean=scale.mean,
        deviation=scale.deviation,
        precision=settings.precision,
        parameters=sum(one.numel() for one in network.parameters()),
        facts=facts_of(best, rows, max_length, new_tokens, network),
    )
    return (keep or FittedText)(
        network, tokenizer, state, reading.stop_words, reading.words_file, history(context.work)
    )


def prepare(data: TaskData, context: "Context[Any]") -> dict[str, float]:
    """Refuse what cannot be learnt or run, and set threads and seed.

    Returns:
        Mean and deviation of the training targets; 0 and 1 for classes.
    """
    import torch
    from transformers import set_seed

    from .checkpoints import quiet

    classes = data.task.kind == "classification"
    refuse_what_cannot_teach(data.train, data.task)
    targets = data.train.targets
    mean, deviation = (0.0, 1.0) if classes else (float(np.mean(targets)), float(np.std(targets)))
    _refuse_emulation(context.settings)
    _refuse_uneven(context.settings)
    quiet()
    torch.set_num_threads(context.threads)
    # Before anything random: new embeddings, the head, dropout.
    set_seed(context.seed)
    context.progress(f"loading {context.settings.model_id}", 0, 0)
    return {"mean": mean, "deviation": deviation}


def whole_network(
    settings: TextSettings,
    config: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    new_tokens: list[str],  # noqa: ARG001 - as every maker of networks takes it
    *,
    classes: bool,
) -> "CrystalNetwork":
    """An encoder of which all weights are trained."""
    from .checkpoints import load_encoder
    from .compatibility import fit_embeddings, refuse_what_reads_no_text
    from .network import CrystalNetwork

    pooler = settings.pooling == "pooler"
    encoder, new = load_encoder(settings.model_id, settings.model_revision, config)
    refuse_what_reads_no_text(encoder, settings.model_id, pooler=pooler)
    fit_embeddings(encoder, tokenizer, settings)
    network = CrystalNetwork(encoder, settings.pooling, settings.dropout, classes=classes)
    network.new_weights = [name for name in new if pooler or "pooler" not in name]
    return network


def _refuse_uneven(settings: TextSettings) -> None:
    """A batch is that of all processes together, so that their number changes no setting of a run."""
    if settings.batch_size % count():
        raise UsageError(f"batch_size {settings.batch_size} cannot be shared by {count()} processes: give a multiple")


def has_bfloat16() -> bool:
    """Whether what trains here computes in bfloat16 without emulating it."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def _refuse_emulation(settings: TextSettings) -> None:
    """Emulated bfloat16 is several times slower than float32, and rounds all the same."""
    if settings.precision == "bfloat16" and not has_bfloat16():
        raise UsageError("this processor has no bfloat16 and would emulate it, several times slower; precision=float32")
