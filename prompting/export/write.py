"""Writes what other harnesses read."""

import json
from pathlib import Path
from typing import Any, Literal

from ...errors import DataError
from ...files import write_json, write_text
from .lm_eval import write_lm_eval
from .rows import ExportedTask, require_one_message

Harness = Literal["lm-eval", "lighteval", "inspect"]
HARNESSES: tuple[Harness, ...] = ("lm-eval", "lighteval", "inspect")
_SETTINGS = "settings.json"
_LIGHTEVAL = '''"""Tasks of llm4mat-bench for lighteval; the questions lie in data/, the package scores the answers."""

from pathlib import Path

from llm4mat_bench.prompting.export.lighteval_tasks import tasks_in

TASKS_TABLE = tasks_in(Path(__file__).resolve().parent / "data")
'''
_INSPECT = '''"""A task of llm4mat-bench for Inspect; the questions lie in data/, the package scores the answers."""

from pathlib import Path

from inspect_ai import task

from llm4mat_bench.prompting.export.inspect_tasks import exported


@task
def {name}():
    return exported(Path(__file__).resolve().parent / "data" / "{name}")
'''


def write_export(harness: Harness, opened: ExportedTask, out: Path) -> tuple[Path, str]:
    """Write the files of one task for a harness.

    Args:
        harness: Which.
        opened: The questions.
        out: Where to; the tasks of several calls can stand side by side.

    Returns:
        The file that the harness is given, and the command that runs it.

    Raises:
        UsageError: The harness cannot ask such questions.
    """
    if harness == "lm-eval":
        path = write_lm_eval(opened, out)
        turns = " --fewshot_as_multiturn true" if opened.settings.shots else ""
        return path, (
            f"lm_eval --model hf --model_args pretrained=MODEL --tasks {opened.name} --include_path {out} "
            f"--apply_chat_template{turns}"
        )
    data = out / "data" / opened.name
    if harness == "lighteval":
        require_one_message(opened, "lighteval")
    text = "".join(json.dumps(row.model_dump(mode="json"), ensure_ascii=False) + "\n" for row in opened.rows())
    write_text(data / "test.jsonl", text)
    settings = {
        "task": opened.task.name,
        "modality": opened.modality,
        "template": opened.template.id,
        "template_sha256": opened.template.sha256,
        "version": opened.template.version,
        "shots": opened.settings.shots,
        "max_tokens": opened.settings.max_tokens,
    }
    write_json(data / _SETTINGS, settings)
    if harness == "lighteval":
        path = out / "llm4mat_lighteval.py"
        write_text(path, _LIGHTEVAL)
        arguments = "model_name=openai/MODEL,base_url=http://localhost:8000/v1,api_key=none"
        return path, f'lighteval endpoint litellm "{arguments}" "{opened.name}|0" --custom-tasks {path}'
    path = out / f"{opened.name}.py"
    write_text(path, _INSPECT.format(name=opened.name))
    return path, f"inspect eval {path} --model openai-api/SERVER/MODEL"


def read_settings(folder: Path) -> dict[str, Any]:
    """Read what a task's folder says of itself.

    Raises:
        DataError: It is no folder that an export wrote.
    """
    try:
        found: dict[str, Any] = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: no folder of `llm4mat-bench export`: {error}") from error
    return found
