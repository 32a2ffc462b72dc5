"""Batches of texts of like length, padded only to their own longest."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

POOL_BATCHES = 50
"""Rows are shuffled, then sorted by length within pools of so many batches: like lengths, and still a random order."""


class LikeLengths(Sampler[int]):
    """The order of an epoch's rows; it depends on seed and epoch alone, so a resumed run goes on in it."""

    def __init__(self, lengths: NDArray[np.int32], batch_size: int, seed: int) -> None:
        """Take the token count of every row, rows a batch, and the seed."""
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of an epoch."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(order_of(self.lengths, self.batch_size, self.seed, self.epoch).tolist())


def order_of(lengths: NDArray[np.int32], batch_size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A seeded order of rows in which neighbours are of like length and batches come in a random order.

    The short batch, where there is one, comes last, as it must where batches are cut from the order.
    """
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    shuffled = random.permutation(len(lengths))
    pool = batch_size * POOL_BATCHES
    batches = []
    for start in range(0, len(shuffled), pool):
        rows = shuffled[start : start + pool]
        rows = rows[np.argsort(-lengths[rows], kind="stable")]
        batches += [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    short = [batch for batch in batches if len(batch) < batch_size]
    full = [batch for batch in batches if len(batch) == batch_size]
    mixed = [full[at] for at in random.permutation(len(full))]
    return np.concatenate([*mixed, *short]).astype(np.int64)


def pad(ids: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Pad on the right to the longest.

    Returns:
        ``input_ids`` and ``attention_mask``, both of shape (rows, longest).
    """
    longest = max(len(one) for one in ids)
    tokens = torch.full((len(ids), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = torch.as_tensor(one, dtype=torch.long)
        mask[row, : len(one)] = 1
    return {"input_ids": tokens, "attention_mask": mask}


class Collate:
    """Makes a batch for the trainer, with targets in the model's own scale."""

    def __init__(self, pad_id: int, mean: float, deviation: float) -> None:
        """Take the padding id and what targets are shifted and divided by."""
        self.pad_id, self.mean, self.deviation = pad_id, mean, deviation

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return ``input_ids``, ``attention_mask`` and ``labels``."""
        targets = np.array([row["target"] for row in rows])
        labels = torch.tensor((targets - self.mean) / self.deviation, dtype=torch.float32)
        return pad([row["input_ids"] for row in rows], self.pad_id) | {"labels": labels}
