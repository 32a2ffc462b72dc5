"""What runs are called in figures: model, modality, seed, and whatever sets a run apart from others of its model."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from ...drawing.fitting import shortened
from ..results.apart import leaves, most_telling_first
from ..results.names import visible
from ..results.record import ResultRecord, settings_by_content, shortfalls
from ..results.verify import Verification

_LONGEST_ID, _LONGEST_VALUE, _LONGEST = 100, 40, 45
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


def _settings(record: ResultRecord) -> dict[str, str]:
    """All that a run is made of, as dotted names and short values; paths by what lies there.

    Without model, modality and task, and without what stands in every name. Hashes stand last.
    """
    protocol = record.protocol.model_dump(mode="json", exclude={"answers_sha256", "places"}, exclude_none=True)
    data = {"labels_sha256": record.data.labels_sha256[:8], "texts_sha256": record.data.texts_sha256[:8]}
    whole = {"revision": record.model.revision, **protocol, "settings": settings_by_content(record.protocol), **data}
    found = {name: _short(str(value)) for name, value in leaves(whole) if name not in _SAID and value is not None}
    return dict(sorted(found.items(), key=lambda one: one[0].endswith("sha256")))


def _which(record: ResultRecord) -> str:
    protocol = record.protocol
    said = [f"seed {protocol.seed}", *shortfalls(record)]
    if protocol.kind == "prompt":
        said.insert(0, f"{protocol.shots} shots")
        if protocol.settings.get("structured") is True:
            said.insert(1, "schema")
    return " · ".join(said)


def _values(runs: Sequence[Verification]) -> list[list[str]]:
    """Of runs of one model the settings that differ, with their values, as one part of a name or none."""
    rows = [_settings(run.record) for run in runs if run.record is not None]
    first, rest = most_telling_first(rows)
    # Then what some have and others have not: a preset, weights from elsewhere.
    rest.sort(key=lambda name: all(name in row for row in rows))
    told = []
    for row in rows:
        parts = [f"{_short(name.removeprefix('settings.'))} {row[name]}" for name in (*first, *rest) if name in row]
        shown = [part for place, part in enumerate(parts) if len(", ".join(parts[: place + 1])) <= _LONGEST]
        told.append([", ".join([*shown, "…"] if len(shown) < len(parts) else shown)] if parts else [])
    return told


def _short(text: str) -> str:
    return shortened(visible(text), _LONGEST_VALUE)


def _unchecked(run: Verification) -> list[str]:
    return [] if run.data_checked else [NOT_COMPARED]
