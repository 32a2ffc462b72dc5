"""An encoder or decoder with adapters and a head: predicts, is saved without its base model, and is loaded again."""

from pathlib import Path

from .adapters import AdaptedNetwork, load_headed, save_head, to_processor
from .checkpoints import quiet
from .fitted import FittedText, TextModelState, read_fitted


class FittedAdapter(FittedText):
    """Adapters, head, tokenizer, preprocessing and the scale of the targets; the base model is only named."""

    network: AdaptedNetwork

    def save_network(self, folder: Path) -> None:
        """Write adapters, head, and which model they belong to."""
        self.network.save_adapter(folder)
        save_head(self.network, folder)


def load_fitted_adapter(folder: Path) -> FittedAdapter:
    """Read saved adapters with their head.

    Raises:
        DataError: A file is missing, damaged, or of another model; the base model is not there, or another one.
    """
    quiet()
    fitted = FittedAdapter(*read_fitted(folder, _network))
    to_processor(fitted.network)
    return fitted


def _network(folder: Path, state: TextModelState) -> AdaptedNetwork:
    return load_headed(folder, state.pooling, classes=state.classes)
