"""Controls that ask the same question otherwise: sentences in another order, another unit.

A model that reads a description does not mind the order of its sentences; one that knows what it is talking about gives
the same quantity in whatever unit it is asked for.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ..answers.reading.units import conversion, wanted_unit
from ..dataset_builder.catalogue import Modality, Task
from ..errors import UsageError
from ..metrics.results.record import Control

OTHER_UNITS: dict[str, str] = {
    "eV": "meV",
    "eV/atom": "meV/atom",
    "meV/atom": "eV/atom",
    "GPa": "kbar",
    "g/cm³": "kg/m³",
    "mol/kg": "mmol/kg",
    "m²/g": "cm²/g",
    "m²/cm³": "cm²/cm³",
    "µV/K": "mV/K",
    "Å": "nm",
    "Å³": "nm³",
    "Å³/atom": "nm³/atom",
    "C/m²": "µC/cm²",
}
"""What is asked for in place of a task's unit."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])")


@dataclass(frozen=True)
class Perturbation:
    """What a control changes of a question.

    Attributes:
        task: What is asked for, in the unit in which it is.
        scale: So many times greater numbers are than in the task's own unit.
        change: Makes another text of a crystal's id and text; None leaves it.
    """

    task: Task
    scale: Fraction = Fraction(1)
    change: Callable[[str, str], str] | None = None

    def back(self, value: float) -> float:
        """A number in the task's own unit."""
        return value if self.scale == 1 else float(Fraction(value) / self.scale)


def perturbation(control: Control, task: Task, modality: Modality, seed: int) -> Perturbation:
    """What a control does to the questions of a task; nothing where there is none, or it is about other texts.

    Raises:
        UsageError: The control says nothing about this task or modality.
    """
    if control == "sentences":
        if modality != "description":
            raise UsageError(f"--control sentences: a {modality} has no sentences; ask with -m description")
        return Perturbation(task, change=lambda material_id, text: reordered(text, material_id, seed))
    if control == "unit":
        return _in_other_unit(task)
    return Perturbation(task)


def reordered(text: str, material_id: str, seed: int) -> str:
    """The same sentences in an order that seed and id decide; never their own where there are two or more."""
    sentences = _SENTENCE_END.split(text.strip())
    order = sorted(range(len(sentences)), key=lambda place: (_draw(seed, material_id, place), place))
    if order == list(range(len(sentences))):
        order = order[1:] + order[:1]
    return " ".join(sentences[place] for place in order)


def _draw(seed: int, material_id: str, place: int) -> bytes:
    said = f"{seed}\0sentences\0{material_id}\0{place}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()


def _in_other_unit(task: Task) -> Perturbation:
    other = OTHER_UNITS.get(task.unit or "")
    if other is None:
        has = f"is in {task.unit}, for which there is no other" if task.unit else "has no unit"
        raise UsageError(f"--control unit: {task.name} {has}; ask about a task in {', '.join(OTHER_UNITS)}")
    own, asked = wanted_unit(task.unit), wanted_unit(other)
    assert own is not None and asked is not None  # noqa: S101 - the tests look at all of them
    scale = conversion(own.unit, asked.unit)
    assert scale is not None  # noqa: S101 - likewise
    prop = task.property.model_copy(update={"unit": other})
    return Perturbation(task.model_copy(update={"property": prop}), scale)
