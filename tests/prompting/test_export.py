"""Exports to other harnesses: the same questions, the same readings, the same score."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from openai_double import OpenAIDouble
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from llm4mat_bench import get_task
from llm4mat_bench.cli.app import app
from llm4mat_bench.dataset_builder.dataset_folder import load_task
from llm4mat_bench.errors import UsageError
from llm4mat_bench.prompting.export.lm_eval_hooks import dataset, process_results
from llm4mat_bench.prompting.export.rows import ExportSettings, Row, open_export
from llm4mat_bench.prompting.export.scoring import Answered, headline_of, read_value
from llm4mat_bench.prompting.export.write import write_export

ROWS = 6


def export(harness: Any, out: Path, task: str = "sample/band_gap", **settings: Any) -> Path:
    opened = open_export(get_task(task), "composition", ExportSettings(**{"limit": ROWS, **settings}))
    return write_export(harness, opened, out)[0]


def test_the_questions_are_those_of_a_run(ask: Any, server: OpenAIDouble, tmp_path: Path) -> None:
    ask(shots=3, limit=ROWS, concurrency=1, seed=4)
    asked = [tuple((one["role"], one["content"]) for one in body["messages"]) for body in server.bodies]
    opened = open_export(get_task("sample/band_gap"), "composition", ExportSettings(shots=3, seed=4, limit=ROWS))
    assert [tuple((one.role, one.content) for one in row.messages) for row in opened.rows()] == asked
    folder = export("inspect", tmp_path, shots=3, seed=4).parent / "data" / opened.name
    rows = [Row.model_validate_json(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    assert rows == list(opened.rows())


def test_lm_eval_gets_system_shots_and_question_apart(tmp_path: Path) -> None:
    path = export("lm-eval", tmp_path, shots=2)
    found = dataset(tmp_path / "data" / path.stem)
    rows = list(open_export(get_task("sample/band_gap"), "composition", ExportSettings(shots=2, limit=ROWS)).rows())
    for line, row in zip(found["test"], rows, strict=True):
        shown = [line["system"]]
        for shot in found["shots"]:
            shown += [shot["question"], shot["answer"]]
        assert [*shown, line["question"]] == [message.content for message in row.messages]


def test_shots_in_the_question_need_no_turns(tmp_path: Path) -> None:
    path = export("lm-eval", tmp_path, shots=2, template="words", shot_rule="nearest")
    found = dataset(tmp_path / "data" / path.stem)
    assert set(found) == {"test"} and found["test"]["question"][0].count("Answer:") == 2
    with pytest.raises(UsageError, match="--template words"):
        export("lm-eval", tmp_path, shots=2, shot_rule="nearest")
    with pytest.raises(UsageError, match="--template words"):
        export("lighteval", tmp_path)
    export("lighteval", tmp_path, template="words", shots=2)


def test_an_answer_is_read_and_a_missing_one_counts_as_the_training_mean() -> None:
    doc = {"task": "sample/band_gap", "target": 2.0, "training_mean": 3.0, "metric": "mad_mae"}
    found = [
        process_results({**doc, "target": target}, [text])["mad_mae"]
        for target, text in ((1.0, '{"band_gap": "500 meV"}'), (2.0, "I cannot tell."), (6.0, "5 eV"))
    ]
    assert [one.prediction for one in found] == [0.5, None, 5.0]
    targets, counted = np.array([1.0, 2.0, 6.0]), np.array([0.5, 3.0, 5.0])
    expected = np.abs(targets - targets.mean()).mean() / np.abs(targets - counted).mean()
    assert headline_of(found) == pytest.approx(expected)


def test_the_score_of_classes_is_the_auc_of_labels() -> None:
    targets, labels = [1, 0, 1, 1, 0], [1, 0, 0, None, 1]
    answers = [Answered(a, t, 0.6, "sample/is_stable") for a, t in zip(labels, targets, strict=True)]
    assert headline_of(answers) == pytest.approx(roc_auc_score(targets, [1, 0, 0, 0.5, 1]))
    assert read_value("It is stable.", "sample/is_stable") == 1.0


def test_the_command_writes_what_it_says(tmp_path: Path) -> None:
    arguments = ["export", "lm-eval", "sample/*", "-m", "composition", "--limit", "3", "--out", str(tmp_path), "--json"]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0, said.output
    files = [Path(one["file"]) for one in json.loads(said.stdout)]
    assert len(files) == len(get_task("sample/band_gap").source.tasks) and all(one.is_file() for one in files)
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    CliRunner().invoke(app, arguments)
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before
    assert "!function" in files[0].read_text()
    wrong = CliRunner().invoke(app, ["export", "helm", "sample/band_gap"])
    assert wrong.exit_code != 0 and isinstance(wrong.exception, UsageError)


def test_lm_eval_gives_the_predictions_and_the_score_of_our_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harness itself, its hf backend, and our engine hf, on one small model."""
    for name in ("lm_eval", "torch", "transformers", "accelerate", "peft"):
        pytest.importorskip(name)
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager
    from tiny_llama import make_tiny_llama

    from llm4mat_bench.metrics.headline import whole_headline
    from llm4mat_bench.prompting.engines.hf import LocalModel
    from llm4mat_bench.prompting.run import PromptSettings, prompt_task
    from llm4mat_bench.prompting.store import AnswerStore

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    model = make_tiny_llama(tmp_path / "tiny")
    path = export("lm-eval", tmp_path / "tasks", shots=2, max_tokens=24)
    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(model), "dtype": "float32", "max_length": 4096},
        tasks=[path.stem],
        task_manager=TaskManager(include_path=str(path.parent), include_defaults=False),
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        device="cpu",
        batch_size=1,
    )
    settings = PromptSettings(shots=2, max_tokens=24)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        task = get_task("sample/band_gap")
        run = prompt_task(LocalModel(model), task, "composition", tmp_path, store, settings=settings, limit=ROWS)
    import pyarrow.parquet as pq

    table = pq.read_table(run.folder / "predictions.parquet").slice(0, ROWS).to_pydict()
    theirs = {one["doc"]["material_id"]: one for one in found["samples"][path.stem]}
    assert len(theirs) == ROWS
    for material_id, raw, prediction in zip(
        table["material_id"], table["raw_output"], table["prediction"], strict=True
    ):
        sample = theirs[material_id]
        assert (sample["resps"][0][0], sample["mad_mae"].prediction) == (raw, prediction)
    assert len(set(table["prediction"])) > 1, "a model that always says one thing shows little"
    mean = run.record.data.training_mean
    answers = [
        Answered(answer, target, mean, task.name)
        for answer, target in zip(table["prediction"], table["target"], strict=True)
    ]
    results = found["results"][path.stem]
    assert results["mad_mae,none"] == pytest.approx(headline_of(answers))
    assert results["coverage,none"] == sum(one is not None for one in table["prediction"]) / ROWS
    assert whole_headline(run.record.metrics).value is not None
    assert load_task(task.name, "composition")["test"]["material_id"][:ROWS] == table["material_id"]


def test_the_task_file_says_what_the_harness_needs(tmp_path: Path) -> None:
    path = export("lm-eval", tmp_path, shots=2)
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!function", lambda made, node: made.construct_scalar(node))  # type: ignore[attr-defined]
    config = yaml.load(path.read_text(), Loader=loader)
    assert config["generation_kwargs"]["until"] == [] and config["num_fewshot"] == 2
    assert (path.parent / f"{config['custom_dataset'].partition('.')[0]}.py").is_file()
