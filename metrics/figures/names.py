"""What runs are called in figures: model, modality, seed, and whatever sets a run apart from others of its model."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from ...drawing.fitting import shortened
from ..results.apart import differing, leaves
from ..results.names import visible
from ..results.record import ResultRecord, settings_by_content, shortfalls
from ..results.verify import Verification

_LONGEST_ID, _LONGEST_VALUE, _LONGEST = 100, 40, 40
"""Letters of a model's id, of a setting's name or value, and of all settings that set a run apart."""
_SAID = frozenset({"seed", "shots", "control", "limit", "train_rows", "settings.structured"})
"""Settings that stand in every name."""
NOT_COMPARED = "data not compared"


def run_name(record: ResultRecord, which: str | None = None) -> str:
    """A title: model, modality and task, seed, and what sets the run apart from one that is ranked.

    Args:
        record: Its record.
        which: What :func:`apart` says of it beside others.
    """
    return f"{model_name(record)}\n{visible(record.task, 200)} · {which or _which(record)}"


def model_name(record: ResultRecord) -> str:
    """Model and modality."""
    return f"{shortened(visible(record.model.id), _LONGEST_ID)} · {record.modality}"


def apart(runs: Sequence[Verification]) -> dict[Path, str]:
    """Say of runs, by folder, what tells them apart from others of their model that are drawn too.

    Args:
        runs: Sound runs.
    """
    groups: dict[tuple[str, str], list[Verification]] = defaultdict(list)
    for run in runs:
        if run.record is not None:
            groups[run.record.task, model_name(run.record)].append(run)
    told: dict[Path, str] = {}
    for its in groups.values():
        said = Counter(_which(run.record) for run in its if run.record is not None)
        values = _values(its) if max(said.values()) > 1 else [[] for _ in its]
        which = {
            run.folder: " · ".join([_which(run.record), *own, *_unchecked(run)])
            for run, own in zip(its, values, strict=True)
            if run.record is not None
        }
        often = Counter(which.values())
        for run in its:
            if run.record is not None and often[which[run.folder]] > 1:
                which[run.folder] += f" · record {run.record.record_sha256[:8]}"
        told |= which
    return told


def curve_names(firsts: Sequence[Verification]) -> list[str]:
    """Names of learning curves, each that of one of its runs: what differs from run to run of it is left out."""
    groups: dict[str, list[Verification]] = defaultdict(list)
    for run in firsts:
        if run.record is not None:
            groups[model_name(run.record)].append(run)
    told: dict[Path, str] = {}
    for name, its in groups.items():
        parts = [" · ".join([name, *own, *_unchecked(run)]) for run, own in zip(its, _values(its), strict=True)]
        often = Counter(parts)
        for number, (run, part) in enumerate(zip(its, parts, strict=True), start=1):
            told[run.folder] = f"{part} ({number})" if often[part] > 1 else part
    return [told[run.folder] for run in firsts]


def _settings(record: ResultRecord) -> dict[str, JsonValue]:
    """All that a run is made of but model, modality and task, as dotted names and values; paths by what lies there."""
    said = record.protocol.model_dump(mode="json", exclude={"answers_sha256", "places"}, exclude_none=True)
    data = {"labels": record.data.labels_sha256[:8], "texts": record.data.texts_sha256[:8]}
    whole = {"id": record.model.id, "revision": record.model.revision, **said}
    return dict(leaves({**whole, "settings": settings_by_content(record.protocol), **data}))


def _which(record: ResultRecord) -> str:
    protocol = record.protocol
    said = [f"seed {protocol.seed}", *shortfalls(protocol)]
    if protocol.kind == "prompt":
        said.insert(0, f"{protocol.shots} shots")
        if protocol.settings.get("structured") is True:
            said.insert(1, "schema")
    return " · ".join(said)


def _values(runs: Sequence[Verification]) -> list[list[str]]:
    """Of runs of one model the settings that differ, with their values, as one part of a name or none."""
    all_of = {str(place): _settings(run.record) for place, run in enumerate(runs) if run.record is not None}
    names = [name for name in differing(all_of) if name not in _SAID]
    # A hash says little where there is something else, a number less than what some have and others have not.
    names = [name for name in names if not name.endswith("sha256")] or names
    names.sort(key=lambda name: all(one.get(name) is not None for one in all_of.values()))
    return [_told(own, names) for own in all_of.values()]


def _told(own: Mapping[str, JsonValue], names: Sequence[str]) -> list[str]:
    parts = [
        " ".join(shortened(visible(text), _LONGEST_VALUE) for text in (name.removeprefix("settings."), str(own[name])))
        for name in names
        if own.get(name) is not None
    ]
    shown = [part for place, part in enumerate(parts) if len(", ".join(parts[: place + 1])) <= _LONGEST]
    return [", ".join([*shown, "…"] if len(shown) < len(parts) else shown)] if parts else []


def _unchecked(run: Verification) -> list[str]:
    return [] if run.data_checked else [NOT_COMPARED]
