"""Tasks of a user's own source, which no meaning is written for."""

import pytest

from llm4mat_bench import get_task
from llm4mat_bench.dataset_builder.catalogue import Property, Task
from llm4mat_bench.dataset_builder.catalogue.models import Classes
from llm4mat_bench.prompting.parser import parse_answer
from llm4mat_bench.prompting.render import Renderer
from llm4mat_bench.prompting.shots import Example
from llm4mat_bench.prompting.templates import load_template

LOSS = Property(name="loss", title="optical loss", unit="dB/km", kind="regression", samples=9, published_column="loss")
METAL = Property(
    name="is_metal",
    title="electronic character",
    unit=None,
    kind="classification",
    samples=9,
    published_column="is_metal",
    classes=Classes(negative="Insulator", positive="Metal"),
)
SOURCE = get_task("mp/band_gap").source.model_copy(update={"id": "own", "properties": (LOSS, METAL)})


def task(prop: Property) -> Task:
    return Task(source=SOURCE, property=prop)


@pytest.mark.parametrize(
    "text", ["3.2 dB/km", "loss: 3.2", "{loss: 3.2 dB/km}", "The optical loss is -3.2e0 dB/km", "3.2"]
)
def test_a_unit_that_is_not_known_is_not_looked_at(text: str) -> None:
    found = parse_answer(text, task(LOSS))
    assert found.value is not None and abs(found.value) == 3.2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Metal", True),
        ("It is an insulator.", False),
        ("not a metal", False),
        ("{is_metal: Insulator}", False),
        ('{"is_metal": "Metal"}', True),
        ("yes", True),
        ("Metal or insulator?", None),
    ],
)
def test_the_names_of_the_classes_are_their_words(text: str, value: bool | None) -> None:
    assert parse_answer(text, task(METAL)).value is value


def test_it_can_be_asked_about() -> None:
    prompt = Renderer(load_template("json"), task(LOSS), "composition").render(Example("a", "NaCl", None))
    assert "optical loss" in prompt.messages[0].content and "in dB/km" in prompt.messages[0].content
