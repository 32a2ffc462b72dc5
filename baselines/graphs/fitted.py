"""A graph network that answers CIFs: predicts, is saved with all that prediction needs, and is loaded again."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from ...errors import DataError
from ...faults import first_fault
from ...files import write_json
from ...progress import Progress, silent
from ..protocol import Fitted, Split, Texts
from ..text.curve import draw_learning_curve
from .batches import GraphRows, in_batches
from .element_table import unknown_elements
from .graph_store import NO_TEXT, GraphStore
from .neighbours import GraphSettings, graphs_of_cifs
from .network import CrystalGraphNetwork, Shape

WEIGHTS_FILE = "model.safetensors"
STATE_FILE = "graph_model.json"
HISTORY_FILE = "history.json"
CURVE_FILE = "learning_curve.png"
_ELEMENTS = "element_table"


class GraphModelState(BaseModel):
    """What a saved model says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    graphs: GraphSettings
    shape: Shape
    mean: float
    deviation: float
    logarithm: bool = False
    squared_loss: bool = False
    parameters: int
    facts: dict[str, JsonValue]


class FittedGraphs(Fitted):
    """A network, the table of elements it knows, how its graphs are made, and the scale of its targets."""

    def __init__(
        self,
        network: CrystalGraphNetwork,
        elements: NDArray[np.uint8],
        state: GraphModelState,
        history: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Take the parts; the history is drawn when the model is saved."""
        self.network = network.eval()
        self.elements = elements
        self.state = state
        self.history = list(history)
        self.parameters = state.parameters
        self.facts = state.facts

    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """Answer each CIF: a value in the unit of the task, or the probability of the positive class.

        NaN where there is no text, no crystal can be read from it, or an element is not in the table.
        """
        values = np.full(len(texts), np.nan)
        store = GraphStore(self.state.graphs)
        # Processes only within a run: those of a user's script would run that script again.
        in_run = self.progress is not silent
        places = store.find(
            texts, step="crystal graphs, test", progress=self.progress, processes=0 if in_run else 1, keep=False
        )
        usable, _ = usable_rows(store, places, self.elements)
        answers = answers_of(self.network, store, places[usable])
        values[usable] = finish(answers, self.state)
        return values

    def reason(self, text: str) -> str | None:
        """Say why a CIF gets no answer."""
        graph = graphs_of_cifs([text], self.state.graphs)[0]
        return graph if isinstance(graph, str) else unknown_elements(graph, self.elements)

    def save(self, folder: Path) -> None:
        """Write the weights with the table of elements, the state and, of a trained network, its learning curve."""
        tensors = {name: tensor.contiguous().cpu() for name, tensor in self.network.state_dict().items()}
        (folder / WEIGHTS_FILE).write_bytes(to_bytes({**tensors, _ELEMENTS: torch.from_numpy(self.elements)}))
        if self.history:
            write_json(folder / HISTORY_FILE, self.history)
            draw_learning_curve(
                self.history,
                folder / CURVE_FILE,
                classes=self.state.shape.classes,
                squared=self.state.squared_loss,
            )
        write_json(folder / STATE_FILE, self.state.model_dump(mode="json"))


def load_fitted(folder: Path) -> FittedGraphs:
    """Read a saved model.

    Raises:
        DataError: A file is missing, damaged, or of another model.
    """
    try:
        state = GraphModelState.model_validate_json((folder / STATE_FILE).read_bytes())
        tensors = load_file(str(folder / WEIGHTS_FILE))
        elements = tensors.pop(_ELEMENTS).numpy()
        network = CrystalGraphNetwork(state.shape, elements)
        network.load_state_dict(tensors, strict=True)
    except ValidationError as error:
        raise DataError(f"{folder / STATE_FILE}: {first_fault(error).told}; train the model again") from error
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        first = " ".join(str(error).split())[:200]
        raise DataError(f"{folder}: not a whole saved model ({first}); train it again") from error
    return FittedGraphs(network, elements, state)


def graph_rows(
    split: Split, store: GraphStore, elements: NDArray[np.uint8], progress: Progress = silent, processes: int = 0
) -> tuple[GraphRows, dict[str, int]]:
    """The rows of a split that have a graph of known elements; and why the others have none, with counts.

    Raises:
        DataError: No row has one.
    """
    step = f"crystal graphs, {split.name}"
    places = store.find(split.texts, step=step, progress=progress, processes=processes)
    usable, reasons = usable_rows(store, places, elements)
    if not usable.any():
        most = next(iter(reasons), "there is no row")
        raise DataError(f"split {split.name}: none of {len(split)} rows has a crystal graph ({most})")
    return GraphRows(store, places[usable], split.targets[usable]), reasons


def usable_rows(
    store: GraphStore, places: NDArray[np.int64], elements: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which rows have a graph of known elements; and why the others have none, the most frequent reasons first."""
    usable = np.zeros(len(places), bool)
    reasons: Counter[str] = Counter()
    for row, place in enumerate(places):
        graph = "no text" if place == NO_TEXT else store.graph(int(place))
        problem = graph if isinstance(graph, str) else unknown_elements(graph, elements)
        usable[row] = problem is None
        if problem is not None:
            reasons[problem[:120]] += 1
    return usable, dict(reasons.most_common(20))


def answers_of(network: CrystalGraphNetwork, store: GraphStore, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """The network's number for each graph; it does not depend on the others."""
    answers = np.empty(len(places))
    device = network.elements.device
    network.eval()
    with torch.inference_mode():
        for rows, batch in in_batches(store, places):
            answers[rows] = network(batch.to(device)).double().cpu().numpy()
    return answers


def finish(answers: NDArray[np.float64], state: GraphModelState) -> NDArray[np.float64]:
    """From the network's number to the answer."""
    if state.shape.classes:
        return 1 / (1 + np.exp(-answers))
    values = answers * state.deviation + state.mean
    return 10**values if state.logarithm else values
