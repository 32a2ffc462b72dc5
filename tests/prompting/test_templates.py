"""Templates: what is shipped holds together, what is misspelt is refused, the hash follows what decides."""

from pathlib import Path

import pytest
import yaml

from llm4mat_bench import get_task, list_tasks
from llm4mat_bench.answers.form import answer_schema, shown_value
from llm4mat_bench.dataset_builder.catalogue import MODALITIES
from llm4mat_bench.errors import DataError, UsageError
from llm4mat_bench.prompting.parser import parse_answer
from llm4mat_bench.prompting.render import Renderer
from llm4mat_bench.prompting.shots import Example
from llm4mat_bench.prompting.templates import TEMPLATES, list_templates, load_template


def write(folder: Path, **changes: object) -> Path:
    declared = yaml.safe_load((TEMPLATES / "json.yaml").read_text()) | {"id": "mine"} | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(declared))
    return path


def test_what_is_shipped() -> None:
    assert list_templates() == ["json", "published_limits", "words"]


@pytest.mark.parametrize("name", list_templates())
@pytest.mark.parametrize("modality", MODALITIES)
def test_every_task_can_be_asked_about(name: str, modality: str) -> None:
    template = load_template(name)
    for task in list_tasks(include_sample=True):
        target = True if task.kind == "classification" else -0.51234567
        shots = [Example("a", "SHOT_A", target), Example("b", "SHOT_B", target)]
        template_text = template.model_copy(
            update={"truncation": template.truncation.model_copy(update={"shot": None})}
        )
        prompt = Renderer(template_text, task, modality).render(Example("c", "QUESTION", None), shots)  # type: ignore[arg-type]
        whole = "\n".join(message.content for message in prompt.messages)
        assert task.property.title in whole and task.property.name in whole
        assert whole.index("SHOT_A") < whole.index("SHOT_B") < whole.index("QUESTION")
        assert "$" not in whole
        if task.unit is not None:
            assert f"in {task.unit}." in whole
        assert prompt.messages[-1].role == "user"
        for message in prompt.messages:  # a shot's answer is read by the parser as what it says
            if message.role == "assistant":
                found = parse_answer(message.content, task)
                assert found.status in ("json", "out_of_range")
                assert found.value in (None, target, -0.5123)


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mine\.yaml: sytsem is not known here \(misspelt\?\)"):
        load_template(write(tmp_path, sytsem="x"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": "${inptu}"}, "unknown \\$\\{inptu\\}"),
        ({"question": "no input"}, "question needs"),
        ({"answer": "no value"}, "answer needs"),
        ({"system": "costs $5"}, "lone \\$"),
        ({"shots": "inline"}, "inline needs a shot text"),
        ({"shot": "${input} ${answer}"}, "turns has neither"),
        ({"version": 0}, "version must be 1 or more"),
        ({"truncation": {"counted_in": "letters"}}, "truncation.counted_in"),
        ({"system": "${value}"}, "unknown \\$\\{value\\}"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_template(write(tmp_path, **changes))


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown template 'jsno'\. Did you mean json"):
        load_template("jsno")
    with pytest.raises(DataError, match=r"none\.yaml: No such file"):
        load_template(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(DataError, match="not valid YAML"):
        load_template(tmp_path / "bad.yaml")


def test_the_hash_is_of_what_decides(tmp_path: Path) -> None:
    original = load_template(write(tmp_path)).sha256
    assert load_template(write(tmp_path, about="other words")).sha256 == original
    assert load_template(write(tmp_path, version=2)).sha256 != original
    assert load_template(write(tmp_path, digits=3)).sha256 != original
    assert load_template(write(tmp_path, question="${input}?")).sha256 != original


def test_schema_of_the_answer() -> None:
    assert answer_schema(get_task("mp/band_gap")) == {
        "type": "object",
        "properties": {"band_gap": {"type": "number"}},
        "required": ["band_gap"],
        "additionalProperties": False,
    }
    classes = answer_schema(get_task("snumat/Direct_or_indirect"))["properties"]
    assert classes == {"Direct_or_indirect": {"type": "string", "enum": ["Direct", "Indirect"]}}


@pytest.mark.parametrize(
    ("target", "digits", "shown"),
    [
        (0.4621999999999993, 4, "0.4622"),
        (0.4621999999999993, None, "0.4621999999999993"),
        (-0.00001234567, 4, "-0.00001235"),
        (633.1818301532061, 4, "633.2"),
        (123456.0, 4, "123500"),
        (0.0, 4, "0"),
        (-0.0, 4, "0"),
        (2.0, None, "2"),
        (1e-20, 3, "0.00000000000000000001"),
    ],
)
def test_shown_numbers(target: float, digits: int | None, shown: str) -> None:
    assert shown_value(target, get_task("mp/efermi"), digits) == shown


def test_shown_classes() -> None:
    assert shown_value(True, get_task("mp/is_stable"), 4) == '"True"'
    assert shown_value(False, get_task("snumat/Direct_or_indirect"), 4) == '"Indirect"'


ECHOED = {
    "composition": "Na3Bi(P2O7)2",
    "cif": (
        "data_Na3Bi(P2O7)2\n_symmetry_space_group_name_H-M   'P 1'\n_cell_length_a   7.40719600\n"
        "loop_\n _atom_site_type_symbol\n _atom_site_label\n _atom_site_fract_x\n  Na  Na0  1  0.34  0.55  0.91  1\n"
    ),
    "description": "SrCa7Ti2Mn6O23 crystallizes in the triclinic P1 space group. Sr(1) is 6-coordinate.",
}


@pytest.mark.parametrize("name", list_templates())
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_prompt_that_is_echoed_is_no_answer(name: str, modality: str) -> None:
    for task in list_tasks(include_sample=True):
        renderer = Renderer(load_template(name), task, modality)  # type: ignore[arg-type]
        prompt = renderer.render(Example("q", ECHOED[modality], None))
        echo = "\n".join(message.content for message in prompt.messages)
        found = parse_answer(echo, task)
        assert found.value is None, (task.name, found, echo[slice(*found.span)] if found.span else "")
        value, spelt = (True, "True") if task.kind == "classification" else (0.75, "0.75")
        assert parse_answer(f'{echo}\n{{"{task.property.name}": "{spelt}"}}', task).value == value, task.name
        assert parse_answer(f"{echo}\n{spelt}", task, prompt=echo).value == value, task.name
