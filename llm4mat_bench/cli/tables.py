"""Tables of results for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ..metrics.protocols import ClassificationReport, RegressionReport
    from ..metrics.results.record import ResultRecord


def add_task_column(table: Table, heading: str = "task") -> None:
    """Add a column of task names, which are never broken: people copy them."""
    table.add_column(heading, no_wrap=True, overflow="ignore")


def score_table(records: "Sequence[ResultRecord]", title: str) -> Table:
    """One row a run: the headline with its interval; the published protocol beside it where answers are missing."""
    from ..metrics.headline import headline, headline_name, whole_headline, written, written_interval
    from ..metrics.results.names import visible

    sources = {record.task.partition("/")[0] for record in records}
    incomplete = any(record.counts.coverage < 1 for record in records)
    table = Table(title=title, caption="Over the whole test set, with 95 % interval.", box=SIMPLE_HEAD, pad_edge=False)
    add_task_column(table)
    for heading in ("model", "metric"):
        table.add_column(heading, overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("interval", no_wrap=True)
    if incomplete:
        table.add_column("answered", justify="right")
        table.add_column("score of these", justify="right")
    previous = None
    for record in records:
        report = record.metrics
        whole = whole_headline(report)
        if previous not in (None, record.task):
            table.add_section()
        shown = record.task.partition("/")[2] if len(sources) == 1 else record.task  # the title names a single source
        name = "" if record.task == previous else shown
        previous = record.task
        cells: list[str | Text] = [name, Text(visible(record.model.id, 60)), headline_name(report)]
        cells += [written(whole), written_interval(whole)]
        if incomplete:
            cells += [f"{report.n_scored}/{report.n_total}", written(headline(report.published))]
        table.add_row(*cells)
    return table


def report_table(report: "RegressionReport | ClassificationReport", title: str, unit: str | None) -> Table:
    """One row a metric, both protocols side by side."""
    from ..metrics.headline import written, written_interval
    from ..metrics.protocols import Refused, Score
    from ..metrics.results.names import visible

    table = Table(
        title=Text(visible(title)), caption=f"{report.n_scored} of {report.n_total} answered ({report.coverage:.1%})"
    )
    table.add_column("metric")
    for heading in ("whole test set", "95 % interval", "published protocol"):
        table.add_column(heading, justify="right")
    for name in type(report.whole).model_fields:
        score = getattr(report.whole, name)
        if not isinstance(score, Score):
            continue
        published = None if isinstance(report.published, Refused) else getattr(report.published, name)
        label = f"{name} ({unit})" if unit and name in ("mae", "rmse", "mad") else name
        table.add_row(label, written(score, 4), written_interval(score, 4), written(published, 4))
    return table
