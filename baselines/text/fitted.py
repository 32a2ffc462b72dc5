"""A fine-tuned encoder: predicts, is saved as safetensors with all that prediction needs, and is loaded again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors import SafetensorError

from ...errors import DataError, said
from ...faults import first_fault
from ...files import write_json, write_text
from ..protocol import Fitted, Texts
from .batches import pad
from .checkpoints import build_encoder, load_tokenizer
from .curve import draw_learning_curve
from .encoding import TextEncoder
from .network import CrystalNetwork, Pooling
from .preprocess import Preprocessing, read_stop_words

WEIGHTS_FILE = "model.safetensors"
STATE_FILE = "text_model.json"
HISTORY_FILE = "history.json"
CURVE_FILE = "learning_curve.png"
STOP_WORDS_FILE = "stop_words.txt"
TOKENS_A_BATCH = 16_384
ROWS_A_CHUNK = 4_096


class TextModelState(BaseModel):
    """What a saved model says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    steps: Preprocessing
    first_token: str
    max_length: int
    pooling: Pooling
    classes: bool
    mean: float
    deviation: float
    precision: str
    parameters: int
    facts: dict[str, JsonValue]


class FittedText(Fitted):
    """An encoder with its head, tokenizer, preprocessing and the scale of its targets."""

    def __init__(
        self,
        network: CrystalNetwork,
        tokenizer: Any,  # noqa: ANN401 - a class of transformers
        state: TextModelState,
        stop_words: frozenset[str],
        words: Path | None,
        history: list[dict[str, Any]] | None = None,
    ) -> None:
        """Take the parts; ``words`` is the file of stop words, copied when the model is saved, as is the history."""
        self.network = network
        self.tokenizer = tokenizer
        self.state = state
        self.stop_words = stop_words
        self._words = words
        self._history = history or []
        self.parameters = state.parameters
        self.facts = state.facts
        self.encode = TextEncoder(tokenizer, state.steps, stop_words, state.first_token, state.max_length)

    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """Answer each text: a value in the unit of the task, or the probability of the positive class; NaN without."""
        values = np.full(len(texts), np.nan)
        start = 0
        for batch in texts.batches(ROWS_A_CHUNK):
            said = batch.to_pylist()
            there = [at for at, text in enumerate(said) if text]
            ids, _ = self.encode([said[at] for at in there])
            values[[start + at for at in there]] = self._finish(
                logits_of(self.network, ids, self.tokenizer.pad_token_id, self.state.precision)
            )
            start += len(said)
        return values

    def _finish(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return finish(logits, classes=self.state.classes, mean=self.state.mean, deviation=self.state.deviation)

    def save(self, folder: Path) -> None:
        """Write configuration, weights (safetensors), tokenizer, preprocessing and scale."""
        self.save_network(folder)
        self.tokenizer.save_pretrained(folder)
        if self._words is not None:
            write_text(folder / STOP_WORDS_FILE, self._words.read_text(encoding="utf-8"))
        if self._history:
            write_json(folder / HISTORY_FILE, self._history)
            draw_learning_curve(self._history, folder / CURVE_FILE, classes=self.state.classes)
        write_json(folder / STATE_FILE, self.state.model_dump(mode="json"))

    def save_network(self, folder: Path) -> None:
        """Write configuration and weights."""
        encoder: Any = self.network.encoder
        encoder.config.save_pretrained(folder)
        self.network.save_weights(folder / WEIGHTS_FILE)


def finish(logits: NDArray[np.float64], *, classes: bool, mean: float, deviation: float) -> NDArray[np.float64]:
    """From the head's number to the answer."""
    return 1 / (1 + np.exp(-logits)) if classes else logits * deviation + mean


def logits_of(network: CrystalNetwork, ids: list[list[int]], pad_id: int, precision: str) -> NDArray[np.float64]:
    """The head's number for each text, in batches of like length; the answer does not depend on them.

    Args:
        network: On any device; it is put into evaluation mode.
        ids: Token ids of each text.
        pad_id: Id of the padding token.
        precision: float32 or bfloat16.
    """
    logits = np.empty(len(ids))
    device = next(network.parameters()).device
    network.eval()
    by_length = sorted(range(len(ids)), key=lambda at: -len(ids[at]))
    start = 0
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        while start < len(by_length):
            rows = by_length[start : start + max(1, TOKENS_A_BATCH // len(ids[by_length[start]]))]
            batch = {name: tensor.to(device) for name, tensor in pad([ids[at] for at in rows], pad_id).items()}
            logits[rows] = network(**batch)["logits"].double().cpu().numpy()
            start += len(rows)
    return logits


def load_fitted(folder: Path) -> FittedText:
    """Read a saved model.

    Raises:
        DataError: A file is missing, damaged, or of another model.
    """
    return FittedText(*read_fitted(folder, _whole_network))


def read_fitted(
    folder: Path, network_of: Callable[[Path, TextModelState], CrystalNetwork]
) -> tuple[CrystalNetwork, Any, TextModelState, frozenset[str], Path | None]:
    """Read the parts of a saved model.

    Args:
        folder: Where it lies.
        network_of: Reads its network.

    Returns:
        What `FittedText` is made of.

    Raises:
        DataError: A file is missing, damaged, or of another model.
    """
    try:
        state = TextModelState.model_validate_json((folder / STATE_FILE).read_bytes())
        tokenizer = load_tokenizer(str(folder), None)
        words, path = read_words(folder, state.steps)
        network = network_of(folder, state)
    except ValidationError as error:
        raise DataError(f"{folder / STATE_FILE}: {first_fault(error).told}; train the model again") from error
    except (OSError, RuntimeError, SafetensorError, json.JSONDecodeError) as error:
        raise DataError(f"{folder}: not a whole saved model ({said(error, 200)}); train it again") from error
    return network, tokenizer, state, words, path


def read_words(folder: Path, steps: Preprocessing) -> tuple[frozenset[str], Path | None]:
    """Read the stop words of a saved model, and say where they stand; none where none are left out.

    Raises:
        DataError: They are not those that it was trained with.
    """
    if steps.stop_words is None:
        return frozenset(), None
    path = folder / STOP_WORDS_FILE
    words, found = read_stop_words(path)
    if found != steps.stop_words:
        raise DataError(f"{path}: not the list of stop words that the model was trained with")
    return words, path


def _whole_network(folder: Path, state: TextModelState) -> CrystalNetwork:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    network = CrystalNetwork(build_encoder(config), state.pooling, 0.0, classes=state.classes)
    network.load_weights(folder / WEIGHTS_FILE)
    return network
