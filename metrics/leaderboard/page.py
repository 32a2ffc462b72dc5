"""The pages: HTML from templates, everything in it escaped, nothing fetched from elsewhere."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from ... import __version__
from ...dataset_builder.catalogue import Task
from ...dataset_builder.catalogue.models import Benchmark
from ..figures.curves import GUIDE
from ..headline import HEADLINE
from ..results.names import visible
from . import writing
from .boards import HARD_LABELS, KINDS, Found, Line, SourceBoard, compare_entries, panels_of
from .drawings import Planned
from .examine import Examined
from .models import Cell, Entry
from .refusals import Refusal
from .resampling import N_RESAMPLES
from .settings import Told, told_apart

MOST_ROWS = 400
"""Rows of a group that stand in a page; the others come when they are asked for."""
ASSETS = ("page.css", "page.js", "compare.js")
_TITLES = {
    "ranked": "",
    "reported": "Reported in the publication, not recomputed: valid answers only (the published protocol), AUC of hard "
    "labels",
    "apart": "Not ranked: controls, trials, runs without most answers, and runs whose data was not at hand (their ids "
    "and targets are their own word)",
}


class Facts(NamedTuple):
    """What stands at the foot of every page."""

    newest: str
    n_ranked: int
    n_apart: int
    n_refused: int


class Pages:
    """Renders the pages of a leaderboard."""

    def __init__(self, benchmark: Benchmark, boards: Sequence[SourceBoard], found: Found, facts: Facts) -> None:
        self.boards, self.found = boards, found
        self._environment = Environment(
            loader=PackageLoader("llm4mat_bench.metrics.leaderboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            visible=visible,
            key=writing.key,
            percent=writing.percent,
            short=writing.short,
            duration=writing.duration,
            first_number=writing.first_number,
            model_file=writing.model_file,
            lowest_coverage=writing.lowest_coverage,
            leaves=writing.flat,
        )
        self._environment.globals.update(
            benchmark=benchmark, boards=boards, version=__version__, n_resamples=N_RESAMPLES, **facts._asdict()
        )
        entries = [entry for board in boards for _, its in board.groups for entry in its]
        self._kinds = sorted({entry.model_kind for entry in entries})
        self._reported = any(entry.origin == "published" for entry in entries)

    @cached_property
    def _rows(self) -> Any:  # noqa: ANN401 - macros are whatever jinja makes of them
        return self._environment.get_template("rows.html.j2").module

    def overview(self, lines: Mapping[str, Sequence[Line]], refused: Sequence[Refusal]) -> dict[str, str]:
        """The first page: a row a model, a column a source.

        Returns:
            Texts by the name of their file, here as in all pages: the page, and its further rows where there are many.
        """
        columns = [(board.source.id, kind) for board in self.boards for kind in board.kinds]
        overall = any(line.overall is not None for its in lines.values() for line in its)
        heads: list[dict[str, Any]] = [_RANK, _MODEL]
        if overall:
            heads.append({"name": "overall", "note": "mean of the benchmark's sources, MAD:MAE", "sort": "descending"})
        for board in self.boards:
            for kind in board.kinds:
                n = sum(task.kind == kind for task in board.source.tasks)
                href = f"sources/{board.source.id}.html"
                note = f"{HEADLINE[kind]} · {n} task{'s' if n > 1 else ''}"
                heads.append({"name": board.source.title, "note": note, "sort": "descending", "href": href})
        told = told_apart([line.entry for its in lines.values() for line in its])
        groups = {
            name: [self._rows.overview_row(line, columns, told[line.entry.id], "", overall) for line in its]
            for name, its in lines.items()
        }
        return self._page("index.html", "overview.html.j2", heads, groups, refused=refused)

    def source(self, board: SourceBoard) -> dict[str, str]:
        """One source: a row a model, a column a task."""
        heads: list[dict[str, Any]] = [_RANK, _MODEL]
        heads += [
            {"name": f"mean {HEADLINE[kind]}", "note": "weighted by samples", "sort": "descending"}
            for kind in board.kinds
        ]
        for task in board.tasks:
            unit = f" · {task.unit}" if task.unit else ""
            href = f"../tasks/{task.name}.html"
            name = task.property.name.replace("_", "_\u200b")
            heads.append({"name": name, "note": HEADLINE[task.kind] + unit, "sort": "descending", "href": href})
        told = told_apart([entry for _, its in board.groups for entry in its])
        groups = {
            name: [self._rows.source_row(one, board, board.places.get(one.id), told[one.id], "../") for one in its]
            for name, its in board.groups
        }
        return self._page(f"sources/{board.source.id}.html", "source.html.j2", heads, groups, board=board)

    def task(
        self, board: SourceBoard, task: Task, pictures: Sequence[Planned], duplicates: str, *, drawable: bool
    ) -> dict[str, str]:
        """One task: intervals, both protocols, duplicates, costs, records, plots."""
        sheets = [one for one in pictures if one.what == "sheet"]
        best = {one.modality: one.anchor for one in pictures if one.what == "best"}
        plots: dict[str, str | None] = {}
        for place, (entry, _) in enumerate(panels_of(board.ranked, task.name, self.found) if pictures else ()):
            sheet = next((one.anchor for one in sheets if one.first <= place < one.end), None)
            plots.setdefault(entry.id, sheet or best.get(entry.modality))
        everyone = [(name, [one for one in its if task.name in one.cells]) for name, its in board.groups]
        shown = [one.cells[task.name] for name, its in everyone for one in its if name != "apart"]
        scale = writing.Scale.of(
            shown or [one.cells[task.name] for _, its in everyone for one in its], GUIDE[task.kind]
        )
        told = told_apart([one for _, its in everyone for one in its])
        groups = {}
        for name, its in everyone:
            ordered = sorted(its, key=lambda one: -one.cells[task.name].rank)
            groups[name] = [
                self._rows.task_row(
                    one,
                    one.cells[task.name],
                    scale,
                    told[one.id],
                    "../../",
                    plots.get(one.id) if name == "ranked" else None,
                )
                for one in ordered
            ]
        unit = f" ({task.unit})" if task.unit else ""
        error = f"MAE{unit}" if task.kind == "regression" else "balanced accuracy"
        down, up = {"sort": "descending"}, {"sort": "ascending"}
        heads: list[dict[str, Any]] = [
            _RANK,
            _MODEL,
            {"name": HEADLINE[task.kind], "note": "whole test set", **down},
            {"name": "interval", "sort": ""},
            {"name": "published protocol", "note": "valid answers only", **down},
            {"name": "answered", **down},
            {"name": "without duplicates", "note": "of training rows", **down},
            {"name": error, **(up if task.kind == "regression" else down)},
            {"name": "kind", **up, "kind": "text"},
            {"name": "parameters", **up},
            {"name": "tokens", **up},
            {"name": "time", **up},
            {"name": "data", **up, "kind": "text"},
            {"name": "evidence", "sort": ""},
        ]
        return self._page(
            f"tasks/{task.name}.html",
            "task.html.j2",
            heads,
            groups,
            board=board,
            task=task,
            score=HEADLINE[task.kind],
            figures=[one for one in pictures if one.what != "sheet"],
            sheets=sheets,
            duplicates=duplicates,
            drawable=drawable,
        )

    def model(self, name: str, entries: Sequence[tuple[SourceBoard, Entry]]) -> dict[str, str]:
        """One model: all its settings, views and runs."""
        told = told_apart([entry for _, entry in entries])
        parts = []
        for board in self.boards:
            its = [entry for of, entry in entries if of.source.id == board.source.id]
            views = [
                {
                    "entry": entry,
                    "told": told[entry.id].shown,
                    # A row that is ranked on some tasks may stand among the others, too.
                    "anchor": f"{board.source.id}-{entry.id}{'-apart' if entry.apart else ''}",
                }
                for entry in its
            ]
            tasks = [task for task in board.tasks if any(task.name in entry.cells for entry in its)]
            if views:
                parts.append({"source": board.source, "views": views, "tasks": tasks})
        file = f"models/{writing.model_file(name)}.html"
        template = self._environment.get_template("model.html.j2")
        text = template.render(root="../", name=name, parts=parts, sentences=self._views(entries))
        return {file: text}

    def comparison(self) -> dict[str, str]:
        """The page that compares two rows, and the scores over the resamples that it loads."""
        lines: dict[str, str] = {}
        tasks, files, alone = [], {}, []
        shown: list[str] = []  # two that can be compared, for who has chosen none yet
        most = 1
        told = told_apart([entry for board in self.boards for entry in board.ranked])
        for board in self.boards:
            for task in board.tasks:
                rows: dict[str, dict[str, object]] = {}
                for entry in board.ranked:
                    if (cell := entry.cells.get(task.name)) is None or entry.line in rows:
                        continue
                    parts = (entry.model, entry.modality, told[entry.id].shown)
                    lines.setdefault(entry.line, " · ".join(visible(part, 120) for part in parts if part))
                    rows[entry.line] = _compared(cell, self.found.get((task.name, entry.id)))
                if len(rows) < 2:
                    alone.append(task.name)
                    continue
                alike: dict[object, list[str]] = defaultdict(list)
                for line, row in rows.items():
                    if "resamples" in row:
                        alike[row["data"], row["hard"]].append(line)
                largest = max(alike.values(), key=len, default=[])
                if len(largest) > most:
                    most, shown = len(largest), largest[:2]
                file = f"data/compare/{task.name}.js"
                files[file] = f"llm4matTask({_script_json(task.name)}, {_script_json(rows)});\n"
                tasks.append(
                    {
                        "name": task.name,
                        "source": board.source.id,
                        "kind": task.kind,
                        "score": HEADLINE[task.kind],
                        "samples": task.property.samples,
                        "file": file,
                    }
                )
        index = {"lines": _distinct(lines), "tasks": tasks, "alone": alone, "shown": shown}
        files["data/compare/index.js"] = f"window.llm4matIndex = {_script_json(index)};\n"
        files["compare.html"] = self._environment.get_template("compare.html.j2").render(root="")
        return files

    def _views(self, entries: Sequence[tuple[SourceBoard, Entry]]) -> list[str]:
        """Sentences on the best row of each modality against each other, source by source."""
        said = []
        told = told_apart([entry for _, entry in entries])
        for board in self.boards:
            for kind in KINDS:
                tasks = [task for task in board.tasks if task.kind == kind]
                best: dict[str, Entry] = {}
                here = [
                    entry
                    for of, entry in entries
                    if of.source.id == board.source.id and not entry.apart and kind in entry.means
                ]
                for entry in sorted(here, key=lambda one: one.means[kind].hard_labels):  # such AUCs are something else
                    best.setdefault(entry.modality, entry)
                views = sorted(best.values(), key=lambda one: -_mean(one, tasks))
                for first, second in pairwise(views):
                    said += _of_hard_labels(first, second, tasks, told)
                    compared = compare_entries(first, second, tasks, self.found)
                    if compared is None:
                        continue
                    found, common = compared
                    better, other, low, high = first, second, found.low, found.high
                    if found.difference < 0:  # on the tasks that both have it is the other way round
                        better, other, low, high = second, first, -found.high, -found.low
                    over = common[0].name if len(common) == 1 else f"{len(common)} tasks of {board.source.title}"
                    interval = f"95 % interval {low:.3f} to {high:.3f}".replace("-", "−")
                    verb = "is better than" if found.real else "is not to be told from"
                    end = "" if found.real else ", which chance in the choice of test materials explains"
                    said.append(
                        f"On {over}, {_view(better, told)} {verb} {_view(other, told)}: {HEADLINE[kind]} differs by "
                        f"{abs(found.difference):.3f} ({interval}){end}."
                    )
        return said

    def _page(
        self, file: str, template: str, heads: Sequence[dict[str, Any]], groups: Mapping[str, list[str]], **more: object
    ) -> dict[str, str]:
        root = "../" * file.count("/")
        parts, rest = [], {}
        for name, rows in groups.items():
            if rows or name == "ranked":
                kept, further = rows[:MOST_ROWS], rows[MOST_ROWS:]
                parts.append(
                    {"name": name, "title": _TITLES[name] if rows else "", "rows": kept, "n_more": len(further)}
                )
                if further:
                    rest[name] = "\n".join(further)
        texts = {}
        rest_file = ""
        if rest:
            rest_file = f"data/rows/{file.removesuffix('.html')}.js"
            texts[rest_file] = f"llm4matRows({_script_json(rest)});\n"
        texts[file] = self._environment.get_template(template).render(
            root=root,
            heads=[{**_HEAD, **head} for head in heads],
            groups=parts,
            rest=root + rest_file if rest_file else "",
            kinds=self._kinds,
            origins=self._reported,
            **more,
        )
        return texts


_HEAD: dict[str, Any] = {"name": "", "note": "", "href": "", "kind": "", "label": "", "initial": False}
_RANK: dict[str, Any] = {"name": "#", "label": "rank", "sort": "ascending", "kind": "rank", "initial": True}
_MODEL: dict[str, Any] = {"name": "model", "sort": "ascending", "kind": "name"}


def asset(name: str) -> str:
    """The text of a style sheet or script."""
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _view(entry: Entry, told: Mapping[str, Told]) -> str:
    """A view of a model, and by which settings it was read where there are several."""
    shown = told[entry.id].shown
    return f"{entry.modality} ({shown})" if shown else entry.modality


def _of_hard_labels(first: Entry, second: Entry, tasks: Sequence[Task], told: Mapping[str, Told]) -> list[str]:
    """Say on which tasks two rows are not compared as their AUCs are two quantities."""
    pairs = [(task.name, first.cells.get(task.name), second.cells.get(task.name)) for task in tasks]
    mixed = [name for name, one, other in pairs if one and other and one.hard_labels != other.hard_labels]
    if not mixed:
        return []
    return [f"On {', '.join(mixed)}, {_view(first, told)} and {_view(second, told)} are not compared: {HARD_LABELS}."]


def _compared(cell: Cell, found: Examined | None) -> dict[str, object]:
    """What the page that compares needs of a row on a task; why it cannot be compared, if it cannot."""
    if cell.perfect:
        return {"why": "answers everything exactly, so its score is beyond any number"}
    if cell.value is None or found is None:
        return {"why": "has no score"}
    if found.resamples is None:
        return {"why": "has no finite score in some of the resamples"}
    return {
        "value": cell.value,
        "resamples": list(found.resamples),
        "data": found.labels_sha256[:16],
        "hard": int(cell.hard_labels),
    }


def _mean(entry: Entry, tasks: Sequence[Task]) -> float:
    values = [cell.value for task in tasks if (cell := entry.cells.get(task.name)) and cell.value is not None]
    return sum(values) / len(values) if values else float("-inf")


def _distinct(lines: Mapping[str, str]) -> list[dict[str, str]]:
    """Labels of rows; of two that are written alike the second gets its id."""
    taken: set[str] = set()
    found = []
    for id_, label in sorted(lines.items(), key=lambda pair: pair[1].casefold()):
        shown = label if label not in taken else f"{label} ({id_})"
        taken.add(shown)
        found.append({"id": id_, "label": shown})
    return found


def _script_json(value: object) -> str:
    """JSON that may stand in a script: ASCII, and nothing that ends one."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
