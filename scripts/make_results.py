"""Keep results, and write the tables of docs/results.md from them: no number there is typed by hand.

    python scripts/make_results.py add RESULTS...    copy runs of RESULTS to docs/results, then write the tables
    python scripts/make_results.py                   write the tables anew
    python scripts/make_results.py --check           only tell whether they are those of the kept runs

Of a run, record and predictions are kept, not the trained model; `llm4mat-bench verify docs/results` computes every
score again. A run is refused that does not verify, or whose record names a folder of the machine it was made on.
"""

import argparse
import shlex
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from llm4mat_bench.baselines.registry import get_baseline
from llm4mat_bench.dataset_builder.catalogue import MODALITIES
from llm4mat_bench.metrics.headline import HEADLINE, headline, whole_headline, written, written_interval
from llm4mat_bench.metrics.results.predictions import read_predictions
from llm4mat_bench.metrics.results.record import (
    PREDICTIONS_FILE,
    RESULT_FILE,
    PromptProtocol,
    ResultRecord,
    read_record,
)
from llm4mat_bench.metrics.results.verify import find_runs, verify_results

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results.md"
KEPT = ROOT / "docs" / "results"
REFERENCE = "composition_gbm"


@dataclass(frozen=True, eq=False)
class Run:
    """A kept run: its record, and where it lies."""

    folder: Path
    record: ResultRecord

    def errors(self) -> NDArray[np.float64]:
        """Absolute error of each test row, by id; a missing answer counts as the training mean. Shape ``(n,)``."""
        rows = read_predictions(self.folder / PREDICTIONS_FILE, "regression").by_id()
        assert rows.targets is not None  # noqa: S101 - verified
        answers = np.where(np.isnan(rows.answers), self.record.data.training_mean, rows.answers)
        found: NDArray[np.float64] = np.abs(answers - rows.targets)
        return found


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed alone, in the order of their seeds."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> ResultRecord:
        """The record of the smallest seed."""
        return self.runs[0].record

    @property
    def label(self) -> str:
        """The model, and the checkpoint that it started from."""
        return label_of(self.first)

    def errors(self) -> NDArray[np.float64]:
        """Absolute error of each test row, the mean over the seeds."""
        return np.mean([run.errors() for run in self.runs], axis=0)


def label_of(record: ResultRecord) -> str:
    """The model, and the checkpoint that it started from, or how it was asked."""
    protocol = record.protocol
    if protocol.kind == "prompt":
        return f"{record.model.id}, {protocol.shots} shots{', schema' if protocol.settings.get('structured') else ''}"
    checkpoint = protocol.settings.get("model_id") or protocol.settings.get("pretrained")
    name = PurePath(str(checkpoint)).name if checkpoint else ""
    return f"{record.model.id} ({name})" if name and name not in record.model.id else record.model.id


def command_of(records: Sequence[ResultRecord]) -> str:
    """The command that makes these runs, which differ in their seeds alone."""
    one, protocol = records[0], records[0].protocol
    seeds = ",".join(str(seed) for seed in sorted(record.protocol.seed for record in records))
    words = ["llm4mat-bench", "train" if protocol.kind == "training" else "prompt", one.model.id, one.task]
    words += ["-m", one.modality, "--seed", seeds]
    if protocol.kind == "training":
        default = get_baseline(one.model.id).settings_model().model_dump(mode="json")
        if protocol.preset is not None:
            words += ["--preset", protocol.preset]
        for name, value in protocol.settings.items():
            if name == "model_id" and value != default.get(name):
                words += ["--model-id", str(value)]
            elif name != "model_revision" and value != default.get(name) and protocol.preset is None:
                words += ["--set", f"{name}={value}"]
        words += ["--train-rows", str(protocol.train_rows)] if protocol.train_rows is not None else []
    elif isinstance(protocol, PromptProtocol):
        words += ["--shots", str(protocol.shots), "--template", protocol.template_id]
        words += ["--structured"] if protocol.settings.get("structured") else []
        words += ["--max-tokens", str(protocol.settings["max_tokens"])] if "max_tokens" in protocol.settings else []
    words += ["--control", protocol.control] if protocol.control != "none" else []
    words += ["--limit", str(protocol.limit)] if protocol.limit is not None else []
    return shlex.join(words)


def read_runs(folder: Path) -> list[Run]:
    """All kept runs."""
    return [Run(one, read_record(one / RESULT_FILE)) for one in find_runs(folder)]


def groups_of(runs: Sequence[Run]) -> list[Group]:
    """Put runs together that differ in their seed alone; by task, modality and model."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        one = run.record
        same = one.protocol.model_dump(mode="json", exclude={"seed"})
        found[f"{one.task} {MODALITIES.index(one.modality)} {label_of(one)} {one.model.revision} {same}"].append(run)
    return [Group(tuple(sorted(found[key], key=lambda run: run.record.protocol.seed))) for key in sorted(found)]


def scores_table(groups: Sequence[Group], number: dict[Group, int]) -> Iterator[str]:
    """Whole runs: a row for each group."""
    yield "| task | modality | model | seeds | score | deviation | interval | error | command |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for group in groups:
        if not group.first.full:
            continue
        scores = [whole_headline(run.record.metrics) for run in group.runs]
        values = [float(score) for score in scores]
        whole = group.first.metrics.whole
        error = "" if whole.kind != "regression" else _with_unit(_mae(group), group.first.unit)
        yield _row(
            group.first.task,
            group.first.modality,
            group.label,
            ", ".join(str(run.record.protocol.seed) for run in group.runs),
            f"{np.mean(values):.3f} {HEADLINE[whole.kind]}",
            f"{np.std(values, ddof=1):.3f}" if len(values) > 1 else "–",
            written_interval(scores[0]),
            error,
            f"[{number[group]}]",
        )


def controls_table(groups: Sequence[Group], number: dict[Group, int]) -> Iterator[str]:
    """Runs that were given other crystals' texts, beside the same with their own."""
    yield "| task | modality | model | seed | its own text | another crystal's text | interval | command |"
    yield "|---|---|---|---|---|---|---|---|"
    for group in groups:
        if group.first.protocol.control == "none" or group.first.protocol.limit is not None:
            continue
        for run in group.runs:
            own = _same_but(run, groups, control="none")
            score = whole_headline(run.record.metrics)
            yield _row(
                run.record.task,
                run.record.modality,
                group.label,
                str(run.record.protocol.seed),
                "not kept" if own is None else written(whole_headline(own.record.metrics)),
                written(score),
                written_interval(score),
                f"[{number[group]}]",
            )


def asked_table(groups: Sequence[Group], number: dict[Group, int]) -> Iterator[str]:
    """Language models that were asked: how many answers are valid, and the score among these."""
    yield "| task | modality | model | shots | answers | text | asked | valid | their score | interval | command |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for group in groups:
        protocol = group.first.protocol
        if protocol.kind != "prompt":
            continue
        for run in group.runs:
            metrics = run.record.metrics
            score = headline(metrics.published)
            yield _row(
                run.record.task,
                run.record.modality,
                run.record.model.id,
                str(protocol.shots),
                "held to a schema" if protocol.settings.get("structured") else "free",
                "another crystal's" if protocol.control == "shuffled" else "its own",
                str(protocol.limit or metrics.n_total),
                str(metrics.n_scored),
                written(score),
                "–" if score is None else written_interval(score),
                f"[{number[group]}]",
            )


def curves_table(groups: Sequence[Group], number: dict[Group, int]) -> Iterator[str]:
    """Runs on fewer training rows, and those on all."""
    yield "| task | modality | model | seed | training rows | score | interval | command |"
    yield "|---|---|---|---|---|---|---|---|"
    found = {}
    for group in groups:
        for run in group.runs:
            protocol = run.record.protocol
            if protocol.kind != "training" or protocol.train_rows is None or protocol.control != "none":
                continue
            found[run.folder] = (run, group)
            whole = _same_but(run, groups, train_rows=None)
            if whole is not None:
                found[whole.folder] = (whole, next(one for one in groups if whole in one.runs))
    lines = []
    for run, group in found.values():
        one = run.record
        rows = one.protocol.train_rows if one.protocol.kind == "training" else None
        score = whole_headline(one.metrics)
        key = (one.task, one.modality, group.label, one.protocol.seed, rows or one.data.n_train)
        lines.append((key, _row(*map(str, key), written(score), written_interval(score), f"[{number[group]}]")))
    yield from (line for _, line in sorted(lines))


def pairs_table(groups: Sequence[Group], number: dict[Group, int]) -> Iterator[str]:
    """Differences of the error on the same test rows, with 95 % intervals (Student's t over the rows)."""
    yield "| task | first | second | error of the first minus the second's | 95 % interval | says |"
    yield "|---|---|---|---|---|---|"
    full = [one for one in groups if one.first.full and one.first.metrics.kind == "regression"]
    for place, second in enumerate(full):
        for first in full[place + 1 :]:
            if first.first.task != second.first.task or not _worth_comparing(first, second):
                continue
            difference = first.errors() - second.errors()
            mean = float(difference.mean())
            half = float(stats.t.ppf(0.975, len(difference) - 1) * stats.sem(difference))
            better = first if mean < 0 else second
            yield _row(
                first.first.task,
                f"{first.label}, {first.first.modality} [{number[first]}]",
                f"{second.label}, {second.first.modality} [{number[second]}]",
                _with_unit(mean, first.first.unit),
                f"[{_plain(mean - half)}, {_plain(mean + half)}]",
                f"{_short(better, first, second)} is better" if abs(mean) > half else "cannot be told apart",
            )


def commands_list(groups: Sequence[Group], number: dict[Group, int]) -> Iterator[str]:
    """The command of each group, from its records."""
    yield "```text"
    for group in groups:
        yield f"[{number[group]}] {command_of([run.record for run in group.runs])}"
    yield "```"


TABLES: dict[str, Callable[[Sequence[Group], dict[Group, int]], Iterator[str]]] = {
    "scores": scores_table,
    "pairs": pairs_table,
    "controls": controls_table,
    "curves": curves_table,
    "asked": asked_table,
    "commands": commands_list,
}


def page_of(text: str, runs: Sequence[Run]) -> str:
    """The page with its tables written anew.

    Raises:
        ValueError: A mark of a table is missing.
    """
    groups = groups_of(runs)
    number = {group: place for place, group in enumerate(groups, 1)}
    for name, table in TABLES.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not end:
            raise ValueError(f"{PAGE}: the marks <!-- {name} --> and <!-- end of {name} --> are needed")
        text = before + start + "\n".join(["", *table(groups, number), "", ""]) + end + after
    return text


def add(results: Path) -> int:
    """Copy the runs of a folder, each of which must verify."""
    count = 0
    for verified in verify_results(results):
        if verified.faults or verified.record is None:
            sys.exit(f"{verified.folder}: {verified.faults[0]}")
        checkpoint = verified.record.protocol.settings.get("model_id")
        if PurePath(str(checkpoint)).is_absolute():
            sys.exit(f"{verified.folder}: model_id is {checkpoint}: give it relative, as others would have it")
        kept = KEPT / verified.folder.relative_to(results)
        kept.mkdir(parents=True, exist_ok=True)
        for name in (RESULT_FILE, PREDICTIONS_FILE):
            shutil.copyfile(verified.folder / name, kept / name)
        count += 1
    return count


def _same_but(run: Run, groups: Sequence[Group], **changes: object) -> Run | None:
    """The kept run of the same task, model and seed whose protocol differs in this alone."""
    one = run.record
    wanted = {**one.protocol.model_dump(exclude={"preset", "places"}), **changes}
    for group in groups:
        for other in group.runs:
            here = other.record
            same = (here.task, here.modality, here.model.id) == (one.task, one.modality, one.model.id)
            same = same and here.model.revision == one.model.revision
            if same and here.protocol.model_dump(exclude={"preset", "places"}) == wanted:
                return other
    return None


def _worth_comparing(first: Group, second: Group) -> bool:
    """The views of one model with the same settings, and every model with the reference."""
    views = first.first.protocol.settings == second.first.protocol.settings and first.label == second.label
    return views or (first.first.model.id == REFERENCE) != (second.first.model.id == REFERENCE)


def _short(one: Group, first: Group, second: Group) -> str:
    return one.first.modality if first.label == second.label else one.label


def _mae(group: Group) -> float:
    return float(np.mean([float(run.record.metrics.whole.mae) for run in group.runs]))  # type: ignore[union-attr]


def _with_unit(value: float, unit: str | None) -> str:
    return f"{_plain(value)} {unit}" if unit else _plain(value)


def _plain(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1e6 else f"{value:.2g}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 where the tables are others")
    inner = parser.add_subparsers(dest="command")
    inner.add_parser("add", help="keep more runs").add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "add":
        print(sum(add(results) for results in arguments.results), "runs kept")
    before = PAGE.read_text(encoding="utf-8")
    now = page_of(before, read_runs(KEPT))
    if arguments.check:
        sys.exit(None if now == before else f"{PAGE}: not the tables of {KEPT}: python scripts/make_results.py")
    PAGE.write_text(now, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
