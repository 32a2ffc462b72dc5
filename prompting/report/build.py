"""Writes the report: a page for each run of a language model, and one that lists them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...dataset_builder.catalogue import get_task
from ...errors import DataError
from ...files import write_json, write_text
from ...metrics.results.places import Place, Truths
from ...metrics.results.verify import Verification, verify_results
from ...progress import Progress, silent
from ..memory.probe import read_probes
from .answers import has_raw_answers
from .comparisons import comparisons_of
from .examine import examine
from .findings import Findings
from .page import render_index, render_run
from .plots import draw
from .sentences import plain_words

INDEX_FILE = "index.html"
DATA_FILE = "report.json"


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        page: The page that lists all runs; the run's own where there is one.
        runs: What was found in each run.
        passed_over: Runs that keep no answers in words, or cannot be read.
    """

    page: Path
    runs: tuple[Findings, ...]
    passed_over: tuple[Path, ...]


def write_report(
    results: Path, out: Path, places: Sequence[Place | str] | Truths = (), progress: Progress = silent
) -> Report:
    """Look at all runs of language models under a folder and write a page for each.

    Args:
        results: Folder of results, or of one run.
        out: Folder for the pages. Other files in it are left alone.
        places: Where data is, for runs that are not on the embedded sample.
        progress: Called as the work goes on.

    Raises:
        DataError: There is no run of a language model.
    """
    truths = places if isinstance(places, Truths) else Truths(places)
    verified = verify_results(results, truths, progress)
    readable = [one for one in verified if _speaks(one)]
    if not readable:
        raise DataError(
            f"{results}: {len(verified)} runs, none keeps the model's own words (raw_output and parse_status); "
            "`llm4mat-bench prompt` does"
        )
    probes = read_probes(results)
    found: list[Findings] = []
    for done, one in enumerate(readable):
        progress("reading answers", done, len(readable))
        findings, table = examine(one, truths)
        about = [
            probe.sentence
            for probe in probes
            if (probe.model, probe.source) == (findings.model, get_task(findings.task).source.id)
        ]
        findings = findings.model_copy(update={"comparisons": comparisons_of(one, readable), "memory": tuple(about)})
        findings = findings.model_copy(update={"sentences": plain_words(findings)})
        page = render_run(findings, draw(findings, table, get_task(findings.task)), single=len(readable) == 1)
        write_text(out / (INDEX_FILE if len(readable) == 1 else page_name(findings)), page)
        found.append(findings)
    progress("reading answers", len(readable), len(readable))
    if len(readable) > 1:
        write_text(out / INDEX_FILE, render_index(found, {one.folder: page_name(one) for one in found}))
    write_json(out / DATA_FILE, [one.model_dump(mode="json") for one in found])
    return Report(out / INDEX_FILE, tuple(found), tuple(one.folder for one in verified if one not in readable))


def page_name(findings: Findings) -> str:
    """Name of a run's page: nothing that a record chose reaches a path unchecked."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{findings.task}-{findings.modality}-{findings.run_id}") + ".html"


def _speaks(one: Verification) -> bool:
    if one.record is None:
        return False
    try:
        return has_raw_answers(one.folder / one.record.predictions.file)
    except DataError:
        return False
