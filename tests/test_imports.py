"""Data flows one way: the drawing of imports between folders has no arrow up.

Every import counts, those inside functions and those for type checkers too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("dataset_builder", "metrics", "baselines", "prompting")
FLOORS = (
    # What everybody may use; these use nothing of ours but one another.
    {"errors", "files", "progress", "journal", "processors", "ray_cluster", "drawing", "yaml_files", "faults"},
    {"dataset_builder.catalogue", "dataset_builder.splits", "dataset_builder.sample"},
    {"dataset_builder.crystals"},
    # How answers of language models are asked for and read: for those who ask models and those who train them.
    {"answers"},
    # The words that the engine and the front share.
    {"dataset_builder.descriptions.errors", "dataset_builder.descriptions.style"},
    {"dataset_builder.descriptions.fast"},
    {"dataset_builder.descriptions", "dataset_builder.descriptions.batch", "dataset_builder.cleaning"},
    {"dataset_builder.dataset_folder"},
    {"dataset_builder.readers", "dataset_builder.statistics", "dataset_builder.leakage"},
    {"dataset_builder.crossings"},
    {"dataset_builder.export"},
    {"dataset_builder.hf_builder"},
    {"metrics"},
    {"metrics.results"},
    {"metrics.figures"},
    {"metrics.leaderboard"},
    {"baselines", "prompting"},
    {"demo", "hub", "plan", "cli"},
)
NEVER = {
    # Two parts of one floor that must not meet.
    ("baselines", "prompting"),
    ("prompting", "baselines"),
    ("dataset_builder.descriptions", "dataset_builder.cleaning"),
    ("dataset_builder.cleaning", "dataset_builder.descriptions"),
    ("dataset_builder.readers", "dataset_builder.statistics"),
    ("dataset_builder.readers", "dataset_builder.leakage"),
    ("dataset_builder.statistics", "dataset_builder.readers"),
    ("dataset_builder.statistics", "dataset_builder.leakage"),
    ("dataset_builder.leakage", "dataset_builder.readers"),
    ("hub", "cli"),
    ("demo", "cli"),
}


def _modules() -> Iterator[tuple[str, Path]]:
    """Name within the package (`metrics.scores`) and file of every module that is installed."""
    for folder in (*ROOMS, "llm4mat_bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            if parts[0] == "llm4mat_bench":
                parts = parts[1:]
            if parts[-1] == "__init__":
                parts.pop()
            if "llm4mat_score" not in parts:  # scripts that `evaluate` copies and runs by themselves
                yield ".".join(parts), path


def _imported(name: str, path: Path, known: set[str]) -> Iterator[tuple[str, int]]:
    """The modules of ours that a module imports, with the line."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                base = base + (node.module.split(".") if node.module else [])
            elif node.module and node.module.split(".")[0] == "llm4mat_bench":
                base = node.module.split(".")[1:]
            else:
                continue
            for alias in node.names:
                deeper = ".".join((*base, alias.name))
                yield (deeper if deeper in known else ".".join(base)), node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "llm4mat_bench":
                    yield ".".join(alias.name.split(".")[1:]), node.lineno


def _part(name: str) -> str | None:
    """The longest part of the drawing that a module belongs to; None for names at the rooms' own top."""
    parts = {part for floor in FLOORS for part in floor}
    pieces = name.split(".")
    for length in range(len(pieces), 0, -1):
        if (candidate := ".".join(pieces[:length])) in parts:
            return candidate
    return None


def _height(part: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if part in floor)


def _arrows() -> list[tuple[str, str, str]]:
    """Every arrow of the drawing: from part, to part, and where it stands."""
    modules = dict(_modules())
    arrows = []
    for name, path in modules.items():
        here = _part(name)
        if here is None:
            continue
        for target, line in _imported(name, path, set(modules)):
            there = _part(target)
            if there is not None and there != here:
                arrows.append((here, there, f"{path.relative_to(ROOT)}:{line} imports {target}"))
    return arrows


def test_every_module_has_a_place_in_the_drawing() -> None:
    homeless = [name for name, _ in _modules() if _part(name) is None]
    # The package itself offers names lazily; rooms' own __init__ hold a docstring.
    assert homeless in ([""], ["", "dataset_builder"], ["dataset_builder", ""]), homeless


@pytest.mark.parametrize("rule", ["up", "aside"])
def test_no_arrow_goes_up(rule: str) -> None:
    arrows = _arrows()
    assert len(arrows) > 100, "the imports were not found"
    if rule == "up":
        wrong = [where for here, there, where in arrows if _height(there) > _height(here)]
    else:
        wrong = [where for here, there, where in arrows if (here, there) in NEVER]
    assert not wrong, "\n".join(wrong)
