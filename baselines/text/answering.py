"""A language model that is taught answers: the loss on them, how likely they are, and what it writes itself."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .adapters import AdapterWeights, BaseModelReference
from .batches import pad
from .fitted import TOKENS_A_BATCH

_PASSED_OVER = -100
"""Label of tokens that are not learnt, as PyTorch's losses have it."""


class AnswerNetwork(AdapterWeights):
    """A decoder with adapters; its loss is that of the answers' tokens alone."""

    def __init__(self, encoder: Any, base: BaseModelReference) -> None:  # noqa: ANN401 - of peft
        """Take the decoder with its adapters, and what names the model beneath."""
        super().__init__()
        self.encoder = encoder
        self.base = base

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Score a batch.

        Args:
            input_ids: Shape (rows, tokens), padded on the right.
            attention_mask: The same shape; 0 at padding.
            labels: The same shape; the ids of answers, -100 elsewhere.

        Returns:
            ``loss``, the mean over the answers' tokens, and ``log_probabilities`` of whole answers, shape (rows,).
        """
        columns = torch.nonzero((labels != _PASSED_OVER).any(dim=0)).squeeze(-1)
        first, last = int(columns[0]), int(columns[-1])
        # Only where answers stand: over a vocabulary the rest is most of the memory.
        places = torch.arange(first - 1, last, device=input_ids.device)
        output = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, logits_to_keep=places, use_cache=False
        )
        logits = output.logits.float()
        if logits.shape[1] != len(places):
            logits = logits[:, places]  # of a model that does not know the argument
        wanted = labels[:, first : last + 1]
        each = nn.functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=_PASSED_OVER, reduction="none")
        return {"loss": each.sum() / (wanted != _PASSED_OVER).sum(), "log_probabilities": -each.sum(dim=1)}


class CollateAnswers:
    """Makes a batch of questions with answers."""

    def __init__(self, pad_id: int) -> None:
        """Take the padding id."""
        self.pad_id = pad_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return ``input_ids``, ``attention_mask`` and ``labels``."""
        batch = pad([row["input_ids"] for row in rows], self.pad_id)
        labels = torch.where(batch["attention_mask"] == 1, batch["input_ids"], _PASSED_OVER)
        for at, row in enumerate(rows):
            labels[at, : row["start"]] = _PASSED_OVER
        return batch | {"labels": labels}


def log_probabilities(
    network: AnswerNetwork, ids: Sequence[Sequence[int]], starts: Sequence[int], pad_id: int, precision: str
) -> NDArray[np.float64]:
    """How likely answers are, in batches of like length.

    Args:
        network: On any device; it is put into evaluation mode.
        ids: Token ids of questions with their answers, ``n`` of them.
        starts: Where the answers begin.
        pad_id: Id of the padding token.
        precision: float32 or bfloat16.

    Returns:
        Shape ``(n,)``: natural logarithms of the probabilities of whole answers.
    """
    found = np.empty(len(ids))
    collate = CollateAnswers(pad_id)
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode(), _precision(device, precision):
        for rows in _like_lengths(ids, 0):
            batch = collate([{"input_ids": ids[at], "start": starts[at]} for at in rows])
            moved = {name: tensor.to(device) for name, tensor in batch.items()}
            found[rows] = network(**moved)["log_probabilities"].double().cpu().numpy()
    return found


def answers_error(network: AnswerNetwork, rows: Any, *, pad_id: int, precision: str) -> float:  # noqa: ANN401 - a dataset
    """Validation error: minus the mean logarithm of the probability of the right answer."""
    sums = [
        log_probabilities(network, chunk["input_ids"], chunk["start"], pad_id, precision)
        for chunk in rows.select_columns(["input_ids", "start"]).iter(1024)
    ]
    return -float(np.concatenate(sums).mean())


class Written(NamedTuple):
    """What a model wrote: token ids without the one that ends an answer, and whether there was one."""

    ids: list[int]
    ended: bool


def write_answers(
    network: AnswerNetwork,
    questions: Sequence[Sequence[int]],
    *,
    ends: Sequence[int],
    most: int,
    pad_id: int,
    precision: str,
    done: Callable[[int], None],
) -> list[Written]:
    """Let a model answer, always by its likeliest next token.

    Args:
        network: On any device; it is put into evaluation mode.
        questions: Token ids of each question.
        ends: Tokens that end an answer.
        most: Tokens of an answer, after which it is cut off.
        pad_id: Id of the padding token.
        precision: float32 or bfloat16.
        done: Told how many are answered.
    """
    from transformers import GenerationConfig

    found: list[Written] = [Written([], ended=False)] * len(questions)
    network.eval()
    model = network.encoder.get_base_model()
    device = next(network.parameters()).device
    # In place of what its makers advise, which samples, or punishes repetition.
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=most, eos_token_id=list(ends), pad_token_id=pad_id
    )
    answered = 0
    with torch.inference_mode(), _precision(device, precision):
        for rows in _like_lengths(questions, most):
            batch = _pad_left([questions[at] for at in rows], pad_id)
            width = batch["input_ids"].shape[1]
            made = model.generate(**{name: tensor.to(device) for name, tensor in batch.items()})
            for at, ids in zip(rows, made[:, width:].tolist(), strict=True):
                place = next((place for place, one in enumerate(ids) if one in ends), None)
                found[at] = Written(ids if place is None else ids[:place], ended=place is not None)
            answered += len(rows)
            done(answered)
    return found


def _like_lengths(ids: Sequence[Sequence[int]], more: int) -> Iterator[list[int]]:
    """Places of rows of like length, so many at a time as memory is planned for."""
    by_length = sorted(range(len(ids)), key=lambda at: -len(ids[at]))
    start = 0
    while start < len(by_length):
        rows = by_length[start : start + max(1, TOKENS_A_BATCH // (len(ids[by_length[start]]) + more))]
        yield rows
        start += len(rows)


def _pad_left(ids: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Pad on the left, where what is written goes on from the text's own last token."""
    turned = pad([list(reversed(one)) for one in ids], pad_id)
    return {name: tensor.flip(dims=[1]) for name, tensor in turned.items()}


def _precision(device: torch.device, precision: str) -> Any:  # noqa: ANN401
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
