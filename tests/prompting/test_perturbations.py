"""Controls that ask the same question otherwise."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai_double import OpenAIDouble
from pydantic import ValidationError

from llm4mat_bench import get_task, list_tasks
from llm4mat_bench.answers.parser import parse_answer
from llm4mat_bench.dataset_builder.dataset_folder import load_task
from llm4mat_bench.errors import UsageError
from llm4mat_bench.metrics.results.record import TrainingProtocol
from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.prompting.perturbations import OTHER_UNITS, perturbation, reordered
from llm4mat_bench.prompting.report.build import write_report

WITH_ANOTHER = [task for task in list_tasks(include_sample=True) if task.unit in OTHER_UNITS]


@pytest.mark.parametrize("task", WITH_ANOTHER, ids=lambda task: task.name)
def test_a_quantity_in_the_other_unit_is_the_same_quantity(task: Any) -> None:
    changed = perturbation("unit", task, "composition", 0)
    asked = changed.task
    assert asked.unit == OTHER_UNITS[task.unit] != task.unit and asked.name == task.name
    for written in ("3.25", f"3.25 {asked.unit}", json.dumps({task.property.name: 3.25})):
        found = parse_answer(written, asked).value
        assert found == pytest.approx(3.25), written
        own = parse_answer(f"3.25 {asked.unit}", task).value  # as read by somebody who asked for the usual unit
        assert own is not None and changed.back(found) == pytest.approx(own, rel=1e-12)
    usual = parse_answer(f"3.25 {task.unit}", asked).value
    assert usual is not None and changed.back(usual) == pytest.approx(3.25)


def test_known_factors() -> None:
    factors = {"eV": 1000, "GPa": 10, "Å": 0.1, "Å³": 0.001, "g/cm³": 1000, "m²/g": 1e4, "C/m²": 100, "meV/atom": 0.001}
    for unit, factor in factors.items():
        task = next(one for one in WITH_ANOTHER if one.unit == unit)
        assert float(perturbation("unit", task, "cif", 0).scale) == pytest.approx(factor)


def test_controls_that_say_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="has no sentences"):
        perturbation("sentences", get_task("sample/band_gap"), "cif", 0)
    for name in ("mp/is_stable", "hmof/void_fraction", "jarvis_dft/slme"):
        with pytest.raises(UsageError, match="--control unit"):
            perturbation("unit", get_task(name), "composition", 0)
    with pytest.raises(ValidationError):
        TrainingProtocol(settings={}, seed=0, control="unit")  # type: ignore[arg-type]


@given(
    st.lists(st.sampled_from(["Na is big.", "Cl is small!", "Is it 2.82 Å?", "(It is.)"]), max_size=9), st.integers(0)
)
def test_the_sentences_stay_and_their_order_goes(sentences: list[str], seed: int) -> None:
    text = " ".join(sentences)
    found = reordered(text, "mp-1", seed)
    assert found == reordered(text, "mp-1", seed)
    assert sorted(re.split(r"(?<=[.!?)]) ", found)) == sorted(re.split(r"(?<=[.!?)]) ", text))


def test_descriptions_are_reordered_in_question_and_shots(ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
    from llm4mat_bench.prompting.run import PromptSettings, prompt_task
    from llm4mat_bench.prompting.store import AnswerStore

    task = get_task("sample/band_gap")
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        run = prompt_task(
            OpenAIServer("tiny", server.url, concurrency=1),
            task,
            "description",
            tmp_path,
            store,
            settings=PromptSettings(shots=1),
            control="sentences",
            limit=3,
        )
    rows = load_task(task.name, "description")["test"]
    for row, body in enumerate(server.bodies):
        own = rows["text"][row]
        shown = body["messages"][-1]["content"].split("\n", 1)[1]
        assert shown == reordered(own, rows["material_id"][row], 0) != own and len(shown) == len(own.strip())
    shot = run.record.fitted["shots"]["material_ids"][0]  # type: ignore[index,call-overload]
    training = load_task(task.name, "description")["train"]
    text = training["text"][training["material_id"].index(shot)]
    assert server.bodies[0]["messages"][1]["content"].endswith(reordered(text, shot, 0))


def test_another_unit_is_asked_for_and_converted_back(ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    rows = load_task("sample/band_gap", "composition")["test"]
    known = dict(zip(rows["text"], rows["target"], strict=True))

    def say(body: dict[str, Any]) -> str:
        scale = 1000 if "in meV." in body["messages"][0]["content"] else 1
        return json.dumps({"band_gap": (known[body["messages"][-1]["content"].split("\n", 1)[1]] + 0.25) * scale})

    server.say = say
    own, other = ask(shots=2), ask(shots=2, control="unit")
    shown = {body["messages"][0]["content"].count("meV"): body["messages"][2]["content"] for body in server.bodies}
    values = [json.loads(shown[count])["band_gap"] for count in sorted(shown)]
    assert values[1] == pytest.approx(1000 * values[0])
    tables = [pq.read_table(run.folder / "predictions.parquet").to_pydict() for run in (own, other)]
    assert tables[1]["prediction"] == pytest.approx(tables[0]["prediction"])
    assert own.record.run_id != other.record.run_id and "-unit-" in other.record.run_id
    assert other.record.unit == "eV" and not other.record.full
    assert [one.faults for one in verify_results(tmp_path / "here")] == [(), ()]
    found = {one.control: one for one in write_report(tmp_path / "here", tmp_path / "out").runs}
    (beside,) = found["none"].comparisons
    assert (beside.control, beside.same_answers) == ("unit", 1.0)
    assert any("got the same answer" in sentence for sentence in found["none"].sentences)
