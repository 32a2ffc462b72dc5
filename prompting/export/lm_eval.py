"""Task files of lm-evaluation-harness: YAML, a module that it imports, questions and shots as JSON lines."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ...errors import UsageError
from ...files import write_text
from ..shots import SAME_FOR_ALL
from .rows import ExportedTask

_MODULE = "llm4mat_tasks"
_SOURCE = '''"""What the task files in this folder call: the package llm4mat-bench reads the answers and scores them."""

from pathlib import Path

from llm4mat_bench.prompting.export import lm_eval_hooks
from llm4mat_bench.prompting.export.lm_eval_hooks import coverage, headline, process_results

__all__ = ["coverage", "dataset", "headline", "process_results"]


def dataset(questions, **_):
    """Questions and shots of a task, from beside this file."""
    return lm_eval_hooks.dataset(Path(__file__).parent / questions)
'''
METRIC = {"regression": "mad_mae", "classification": "roc_auc"}


class _Function(str):
    """A function, as the task files name one."""


def _written(dumper: yaml.SafeDumper, function: _Function) -> yaml.ScalarNode:
    return dumper.represent_scalar("!function", str(function))


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, _written)


def write_lm_eval(opened: ExportedTask, out: Path) -> Path:
    """Write the files of one task.

    Args:
        opened: The questions.
        out: Folder that ``lm_eval --include_path`` takes; other files in it are left alone.

    Returns:
        The task's YAML.

    Raises:
        UsageError: Its shots differ from question to question and are turns, which the harness cannot be given.
    """
    settings, template = opened.settings, opened.template
    turns = bool(settings.shots) and template.shots == "turns"
    if turns and settings.shot_rule not in SAME_FOR_ALL:
        raise UsageError(
            f"--shot-rule {settings.shot_rule}: lm-evaluation-harness takes turns only where they are the same for all "
            "questions; take --template words, whose shots stand in the question, or another rule"
        )
    data = Path("data") / opened.name
    write_text(out / f"{_MODULE}.py", _SOURCE)
    questions = list(_questions(opened, turns=turns))
    shots = questions[0].pop("shots") if questions else []
    for one in questions[1:]:
        del one["shots"]
    _write_lines(out / data / "test.jsonl", questions)
    if turns:
        _write_lines(out / data / "shots.jsonl", shots)
    path = out / f"{opened.name}.yaml"
    text = yaml.dump(_config(opened, data, turns=turns, system=template.system is not None), Dumper=_Dumper, width=120)
    write_text(path, f"# {opened.task.property.title}, from {opened.modality}; written by llm4mat-bench\n{text}")
    return path


def _config(opened: ExportedTask, data: Path, *, turns: bool, system: bool) -> dict[str, Any]:
    function = f"{_MODULE}.{{}}".format
    config: dict[str, Any] = {
        "task": opened.name,
        "tag": "llm4mat",
        "custom_dataset": _Function(function("dataset")),
        "dataset_kwargs": {"questions": data.as_posix()},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "question",
        "doc_to_target": "answer",
        "target_delimiter": "\n",
        "num_fewshot": opened.settings.shots if turns else 0,
        "generation_kwargs": {
            "until": [],
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": opened.settings.max_tokens,
        },
        "process_results": _Function(function("process_results")),
        "metric_list": [
            {
                "metric": METRIC[opened.task.kind],
                "aggregation": _Function(function("headline")),
                "higher_is_better": True,
            },
            {"metric": "coverage", "aggregation": _Function(function("coverage")), "higher_is_better": True},
        ],
        "metadata": {"version": float(opened.template.version)},
    }
    if system:
        config["description"] = "system"
    if turns:
        config |= {"fewshot_split": "shots", "fewshot_config": {"sampler": "first_n"}}
    return config


def _questions(opened: ExportedTask, *, turns: bool) -> Iterable[dict[str, Any]]:
    """Rows as the harness takes them: the system text, the shots and the question apart."""
    for row in opened.rows():
        messages = [message for message in row.messages if message.role != "system"]
        system = next((message.content for message in row.messages if message.role == "system"), "")
        pairs = zip(messages[:-1:2], messages[1:-1:2], strict=True) if turns else ()
        shared = {"task": row.task, "metric": METRIC[opened.task.kind], "training_mean": row.training_mean}
        yield {
            "material_id": row.material_id,
            "system": system,
            "question": messages[-1].content,
            "answer": "",
            "target": row.target,
            **shared,
            "shots": [
                {
                    "material_id": "",
                    "system": system,
                    "question": asked.content,
                    "answer": answer.content,
                    "target": 0.0,
                    **shared,
                }
                for asked, answer in pairs
            ],
        }


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
