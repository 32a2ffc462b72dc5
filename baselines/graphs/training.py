"""Train a graph network: one loop, whose whole state is one small file, so that a killed one goes on bit for bit."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...errors import DataError
from ...files import replace_file
from ...metrics.scores import roc_auc
from ...progress import Progress
from .batches import GraphRows
from .fitted import answers_of
from .network import CrystalGraphNetwork
from .settings import TrainingSettings

CHECKPOINT = "checkpoint.pt"


def train_network(
    network: CrystalGraphNetwork,
    train: GraphRows,
    validation: GraphRows,
    *,
    settings: TrainingSettings,
    mean: float,
    deviation: float,
    seed: int,
    work: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Train until the last epoch; go on from the checkpoint in the work folder.

    The network holds the weights of the best validation epoch when this returns: the lowest mean absolute error, or the
    highest area under the ROC curve, the later of equals.

    Args:
        network: The network to train, in place, as it was initialised with this seed.
        train: Training rows, two or more.
        validation: Validation rows.
        settings: How.
        mean: Of the targets.
        deviation: Of the targets.
        seed: Of dropout and of the order of rows.
        work: Folder of the run.
        progress: Told of every step.

    Returns:
        ``best_epoch``, ``validation_error`` and ``history``.

    Raises:
        DataError: The loss is no number any more.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    optimizer = _optimizer(network, settings)
    batches = math.ceil(len(train) / settings.batch_size)
    state = _State(work / CHECKPOINT, network, optimizer)
    state.resume()
    labels = torch.tensor((train.targets - mean) / deviation, dtype=torch.float32)
    total = settings.epochs * batches
    while state.epoch < settings.epochs and not _patience_is_over(state, settings):
        network.train()
        for rows in _order(len(train), batches, seed, state.epoch)[state.batch :]:
            step = state.epoch * batches + state.batch
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * rate_at(step, total, settings.schedule)
            loss = _loss(network(train.batch(rows).to(device)), labels[rows].to(device), network, settings)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            state.loss += float(loss.detach()) * len(rows)
            state.batch += 1
            if not math.isfinite(state.loss):
                raise DataError(
                    f"the loss is no number in epoch {state.epoch + 1}: train with a lower learning_rate than "
                    f"{settings.learning_rate}"
                )
            if state.batch < batches and (step + 1) % settings.checkpoint_steps == 0:
                state.write()
            mean_loss = state.loss / _seen(state, len(train), batches)
            progress(f"training (epoch {state.epoch + 1}, loss {mean_loss:.3f})", step + 1, total)
        error = validation_error(network, validation, mean, deviation)
        state.end_epoch(state.loss / len(train), error)
        state.write()
    network.load_state_dict(state.best, strict=True)
    network.to("cpu")
    return {"best_epoch": state.best_epoch, "validation_error": state.best_error, "history": state.history}


def rate_at(step: int, total: int, schedule: str) -> float:
    """The share of the highest learning rate at a step."""
    if schedule == "step":
        return 1.0 if step < 0.8 * total else 0.1
    # One cycle, cosines up and down, as PyTorch's OneCycleLR at its defaults has it.
    top = max(0.3 * total - 1, 1e-9)
    if step <= top:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / top)) / 2
    share = (step - top) / max(total - 1 - top, 1e-9)
    return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def validation_error(network: CrystalGraphNetwork, rows: GraphRows, mean: float, deviation: float) -> float:
    """Mean absolute error in the unit of the task, or 1 minus the area under the ROC curve; lower is better."""
    answers = answers_of(network, rows.store, rows.places)
    if not network.shape.classes:
        return float(np.abs(answers * deviation + mean - rows.targets).mean())
    # One class alone has no curve: the loss then says which epoch is best.
    if len(np.unique(rows.targets)) < 2:
        return float(np.logaddexp(0, np.where(rows.targets > 0.5, -answers, answers)).mean())
    return 1 - roc_auc(rows.targets, answers)


class _State:
    """Where a training stands."""

    def __init__(self, path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.path, self.network, self.optimizer = path, network, optimizer
        self.epoch, self.batch, self.loss = 0, 0, 0.0
        self.best: dict[str, torch.Tensor] = {}
        self.best_epoch, self.best_error = 0, math.inf
        self.history: list[dict[str, Any]] = []

    def end_epoch(self, loss: float, error: float) -> None:
        self.epoch += 1
        self.batch, self.loss = 0, 0.0
        self.history += [{"epoch": self.epoch, "loss": loss}, {"epoch": self.epoch, "eval_error": error}]
        if error <= self.best_error:
            self.best_epoch, self.best_error = self.epoch, error
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def write(self) -> None:
        """Write all of it whole: weights, optimizer, random state, place in the order of rows, the best so far."""
        content = {name: getattr(self, name) for name in _PLAIN}
        content |= {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all(),
        }
        # In memory first: what writes to a file itself does not say that the disk is full.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        with replace_file(self.path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def resume(self) -> None:
        """Go on from what was written, if anything was.

        Raises:
            DataError: The file is damaged, or of other code.
        """
        if not self.path.is_file():
            return
        try:
            found = torch.load(self.path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(found["network"], strict=True)
            self.optimizer.load_state_dict(found["optimizer"])
            torch.set_rng_state(found["random"])
            torch.cuda.set_rng_state_all(found["random_cuda"])
            for name in _PLAIN:
                setattr(self, name, found[name])
        except Exception as error:  # torch raises whatever it pleases on a damaged file
            raise DataError(f"{self.path}: cannot go on from it; --overwrite begins anew") from error


_PLAIN = ("epoch", "batch", "loss", "best", "best_epoch", "best_error", "history")


def _optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        network.parameters(), lr=settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay
    )


def _order(rows: int, batches: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """A seeded order of rows in batches whose sizes differ by one at most: none is too small for its statistics."""
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    return np.array_split(random.permutation(rows), batches)


def _loss(
    answers: torch.Tensor, labels: torch.Tensor, network: CrystalGraphNetwork, settings: TrainingSettings
) -> torch.Tensor:
    if network.shape.classes:
        return nn.functional.binary_cross_entropy_with_logits(answers, labels)
    return (
        nn.functional.mse_loss(answers, labels)
        if settings.loss == "squared"
        else nn.functional.l1_loss(answers, labels)
    )


def _patience_is_over(state: _State, settings: TrainingSettings) -> bool:
    return bool(settings.patience) and state.epoch - state.best_epoch >= settings.patience


def _seen(state: _State, rows: int, batches: int) -> float:
    return rows * state.batch / batches
