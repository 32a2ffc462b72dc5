"""Adapters (LoRA) on an encoder or a language model: with a head, or taught by instruction to write JSON answers.

Hu et al. 2022, arXiv:2106.09685, by the library peft.
"""

from pathlib import Path

from ...errors import UsageError
from ..protocol import Context, Fitted, TaskData
from .fine_tune import declare, fine_tune
from .fine_tune import places as places  # noqa: PLC0414 - part of this model
from .fine_tune import resolve as resolve_checkpoint
from .lora_settings import AdapterSettings

MODEL = declare("lora", "Adapters on any encoder or language model, with a head or by instruction", "peft")


class Settings(AdapterSettings):
    """Adapters on all linear layers."""


def resolve(settings: Settings) -> Settings:
    """Name the checkpoint for good.

    Raises:
        UsageError: None was given, or settings contradict each other.
    """
    if not settings.model_id:
        raise UsageError("lora needs a model: --model-id FOLDER_OR_REPO")
    if settings.form == "instruction" and settings.tokenizer is not None:
        raise UsageError("form=instruction: a language model reads with its own tokenizer; leave tokenizer out")
    resolved: Settings = resolve_checkpoint(settings)  # type: ignore[assignment]
    return resolved


def fit(data: TaskData, context: Context[Settings]) -> Fitted:
    """Train adapters."""
    if context.settings.form == "instruction":
        from .instruction import teach

        return teach(data, context)
    from .adapters import adapted_network
    from .fitted_adapter import FittedAdapter

    fitted: FittedAdapter = fine_tune(data, context, decoders=True, build=adapted_network, keep=FittedAdapter)
    return fitted


def load(folder: Path) -> Fitted:
    """Read saved adapters.

    Raises:
        DataError: A file is missing or damaged, or the base model is not there, or another one.
    """
    from .fitted_adapter import load_fitted_adapter
    from .instruction import STATE_FILE, load_taught

    return load_taught(folder) if (folder / STATE_FILE).is_file() else load_fitted_adapter(folder)
