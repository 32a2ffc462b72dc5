"""Fine-tune an encoder with transformers' Trainer: batches of like length, one cycle, the best validation epoch."""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue
from safetensors import SafetensorError
from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...errors import DataError, UsageError, said
from ...files import replace_folder, write_json
from ...progress import Progress
from ..processes import count, first_before_others, rank, wait
from .batches import LikeLengths
from .encoding import EncodedSplits, column
from .fitted import ROWS_A_CHUNK, WEIGHTS_FILE, finish, logits_of
from .network import CrystalNetwork, TextNetwork
from .quick import quickened
from .settings import TextSettings

COMPLETE = "complete.json"
BEST = "best"
BEST_FILE = "best.json"
HISTORY = "history.jsonl"


class Best(BaseModel):
    """The best epoch so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    epoch: float
    error: float


class Scale(BaseModel):
    """What targets are shifted and divided by; 0 and 1 for classes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    deviation: float


def facts_of(
    best: Best, rows: EncodedSplits, max_length: int, new_tokens: list[str], network: TextNetwork
) -> dict[str, JsonValue]:
    """What a record says of how a text model was trained."""
    facts: dict[str, JsonValue] = {
        "best_epoch": round(best.epoch),
        "validation_error": best.error,
        "training_rows_without_text": rows.without_text,
        "training_texts_cut": rows.cut,
        "max_length": max_length,
        "mean_tokens": float(column(rows.train, "length").mean()),
        "added_tokens": list(new_tokens),
        **network.facts(),
    }
    return facts | ({"processes": count()} if count() > 1 else {})


def train_network(
    network: TextNetwork,
    train: Any,  # noqa: ANN401 - a dataset of encode_rows
    *,
    settings: TextSettings,
    collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]],
    score: Callable[[Any], float],
    seed: int,
    work: Path,
    progress: Progress,
) -> Best:
    """Train until the last epoch; go on from the last whole checkpoint in the work folder.

    The network holds the weights of the best validation epoch when this returns, the later of equals.

    Args:
        network: The network to train, in place.
        train: Encoded training rows.
        settings: How.
        collate: Makes a batch of some rows.
        score: The validation error of the network; lower is better.
        seed: Of dropout and of the order of rows.
        work: Folder of the run; ``checkpoints``, the best weights and the history stand there.
        progress: Told of every step.

    Raises:
        UsageError: There is no such reporter.
        DataError: A checkpoint is damaged, or cannot be written.
    """
    arguments = TrainingArguments(
        output_dir=str(work / "checkpoints"),
        per_device_train_batch_size=settings.batch_size // count(),
        gradient_accumulation_steps=settings.gradient_accumulation,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        seed=seed,
        data_seed=seed,
        bf16=settings.precision == "bfloat16",
        # Else bfloat16 asks for a GPU, and each of several processes trains by itself.
        use_cpu=not torch.cuda.is_available() and (settings.precision == "bfloat16" or count() > 1),
        activation_checkpointing=settings.gradient_checkpointing,
        torch_compile=settings.compile,
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=settings.checkpoint_steps,
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=10,
        report_to=settings.report_to,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        label_names=["labels"],
    )
    order = LikeLengths(column(train, "length"), settings.batch_size, seed)
    books = _Bookkeeping(work, progress, settings.patience, order)
    try:
        with _logs_kept(work):
            trainer = _Trainer(
                model=network,
                args=arguments,
                train_dataset=train,
                eval_dataset=train,  # the trainer wants one; what is scored is up to `score`
                data_collator=collate,
                callbacks=[books],
            )
    except (RuntimeError, ValueError) as error:
        if settings.report_to == "none":
            raise
        raise UsageError(f"report_to={settings.report_to}: {said(error, 200)}") from error
    if arguments.world_size != count():
        raise UsageError(
            f"{count()} processes were started and {arguments.world_size} would train together: start them by torchrun"
        )
    trainer.remove_callback(PrinterCallback)
    trainer.prepare(settings=settings, score=score, order=order, work=work)
    with first_before_others():
        checkpoint = last_checkpoint(work)
    try:
        with nullcontext() if settings.compile else quickened(network.encoder):
            trainer.train(resume_from_checkpoint=checkpoint)
    except Exception as error:  # of a damaged checkpoint, torch raises whatever it pleases
        if checkpoint is not None and not books.began:
            raise DataError(
                f"{checkpoint}: cannot go on from it ({said(error, 120)}); --overwrite begins anew"
            ) from error
        if not isinstance(error, OSError | RuntimeError | SafetensorError):
            raise
        if not rank():
            last_checkpoint(work)  # on a full disk, what is half-written takes room from others
        raise _not_written(work, error) from error
    wait()
    best = Best.model_validate_json((work / BEST / BEST_FILE).read_bytes())
    network.load_weights(work / BEST / WEIGHTS_FILE)
    return best


@contextmanager
def _logs_kept(work: Path) -> Iterator[None]:
    """TensorBoard writes to ``runs/RUN_ID``, unless its variable says where: the work folder goes with the run."""
    name = "TENSORBOARD_LOGGING_DIR"
    given = os.environ.get(name)
    os.environ[name] = given or str(Path("runs", work.name.removeprefix(".").removesuffix(".work")))
    try:
        yield
    finally:
        if given is None:
            del os.environ[name]


def _not_written(work: Path, error: Exception) -> Exception:
    """What torch and safetensors say of a full disk, in plain words; any other error as it is."""
    if any(
        words in str(error) for words in ("inline_container", "PytorchStreamWriter", "iostream error", "No space left")
    ):
        return DataError(
            f"{work}: a checkpoint cannot be written, the disk is full or its quota used up; make room and give the "
            "same command again, which goes on from the last whole checkpoint"
        )
    return error


def last_checkpoint(work: Path) -> str | None:
    """The newest checkpoint that was written to its end; what a kill left half-written is removed."""
    whole: list[tuple[int, Path]] = []
    for folder in (work / "checkpoints").glob("checkpoint-*"):
        if (folder / COMPLETE).is_file():
            whole.append((int(folder.name.rpartition("-")[2]), folder))
        else:
            shutil.rmtree(folder)
    return str(max(whole)[1]) if whole else None


class _Trainer(Trainer):
    """Trainer with our order of rows, schedule, validation score and safe weights."""

    def prepare(self, *, settings: TextSettings, score: Callable[[Any], float], order: LikeLengths, work: Path) -> None:
        self.settings, self.score, self.order, self.work = settings, score, order, work

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ANN401, ARG002
        return self.order

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:  # noqa: ANN401, ARG002
        """AdamW with the constants of the published code, which used transformers' former one."""
        self.optimizer = torch.optim.AdamW(
            [one for one in self.model.parameters() if one.requires_grad],
            lr=self.settings.learning_rate,
            eps=1e-6,
            weight_decay=self.settings.weight_decay,
            fused=True,  # one pass over the weights, not eight; on a processor a fifth of a short step is this
        )
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:  # noqa: ANN401
        self.lr_scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer or self.optimizer,
            max_lr=self.settings.learning_rate,
            total_steps=max(num_training_steps, 2),
            pct_start=self.settings.warmup_share,
        )
        return self.lr_scheduler

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:  # noqa: ANN401
        """Score the validation rows, keep the weights where no earlier epoch was better, and note the epoch."""
        network = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
        error = self.score(network)
        found = {"eval_error": error, "eval_step": float(self.state.global_step)}
        self.log(found)
        if self.is_world_process_zero():
            self._keep(network, Best(step=self.state.global_step, epoch=self.state.epoch or 0.0, error=error))
        wait()  # the callback reads what was kept
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        network.train()
        return found

    def _keep(self, network: TextNetwork, now: Best) -> None:
        stated = self.work / BEST / BEST_FILE
        before = Best.model_validate_json(stated.read_bytes()) if stated.is_file() else None
        # A run that goes on from an earlier checkpoint meets the same epochs again and finds the same numbers.
        if before is None or (now.error, -now.step) <= (before.error, -before.step):
            with replace_folder(self.work / BEST) as temporary:
                network.save_weights(temporary / WEIGHTS_FILE)
                write_json(temporary / BEST_FILE, now.model_dump(mode="json"))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ANN401, ARG002
        """What is written is up to the network: tied weights are one weight on disk, frozen ones are not written."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        self.accelerator.unwrap_model(self.model, keep_torch_compile=False).save_weights(folder / WEIGHTS_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ANN401
        (model or self.model).load_weights(Path(resume_from_checkpoint) / WEIGHTS_FILE)


class _Bookkeeping(TrainerCallback):
    """Progress, marks of whole checkpoints, a history, and early stopping where it is asked for."""

    def __init__(self, work: Path, progress: Progress, patience: int, order: LikeLengths) -> None:
        self.work, self.progress, self.patience, self.order = work, progress, patience, order
        self.loss: float | None = None
        self.began = False
        self.save_when_scored = False

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401, ARG002
        # Of several processes, those that go on in the middle of an epoch are not told by accelerate which it is.
        self.order.set_epoch(int(state.epoch or 0))

    def on_step_begin(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        self.began = True

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401, ARG002
        # A run that went on from a checkpoint of an epoch's last step would never score that epoch.
        if (state.epoch or 0.0).is_integer():
            self.save_when_scored, control.should_save = control.should_save, False
        loss = "" if self.loss is None else f", loss {self.loss:.3f}"
        self.progress(f"training (epoch {math.ceil(state.epoch or 1)}{loss})", state.global_step, state.max_steps)

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401, ARG002
        control.should_save, self.save_when_scored = self.save_when_scored, False

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any) -> None:  # noqa: ANN401, ARG002
        if logs and "loss" in logs:
            self.loss = float(logs["loss"])
        if not state.is_world_process_zero:
            return
        with (self.work / HISTORY).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"step": state.global_step, "epoch": state.epoch, **(logs or {})}) + "\n")

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401, ARG002
        wait()  # each process writes its random state
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            write_json(folder / COMPLETE, {"step": state.global_step})

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ANN401, ARG002
        best = Best.model_validate_json((self.work / BEST / BEST_FILE).read_bytes())
        if self.patience and (state.epoch or 0.0) - best.epoch >= self.patience:
            control.should_training_stop = True
            control.should_save = False  # nor would a run that went on from there know that it had ended


def head_error(network: CrystalNetwork, rows: Any, *, scale: Scale, pad_id: int, precision: str) -> float:  # noqa: ANN401
    """Validation error of an encoder with its head."""
    logits = np.concatenate(
        [
            logits_of(network, chunk["input_ids"], pad_id, precision)
            for chunk in rows.select_columns(["input_ids"]).iter(ROWS_A_CHUNK)
        ]
    )
    return validation_error(logits, column(rows, "target"), network.classes, scale)


def validation_error(logits: NDArray[np.float64], targets: NDArray[np.float64], classes: bool, scale: Scale) -> float:
    """Mean absolute error in the unit of the task, or 1 minus the area under the ROC curve; lower is better."""
    if not classes:
        values = finish(logits, classes=False, mean=scale.mean, deviation=scale.deviation)
        return float(np.abs(values - targets).mean())
    from ...metrics.scores import roc_auc

    # One class alone has no curve: the loss then says which epoch is best.
    if len(np.unique(targets)) < 2:
        return float(np.logaddexp(0, np.where(targets > 0.5, -logits, logits)).mean())
    return 1 - roc_auc(targets, logits)


def history(work: Path) -> list[dict[str, Any]]:
    """What was logged, the last word on each step and name; a resumed run logs some steps again."""
    found: dict[tuple[int, bool], dict[str, Any]] = {}
    path = work / HISTORY
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # the line that a kill cut
            continue
        found[entry["step"], "eval_error" in entry] = entry
    return [found[key] for key in sorted(found)]
