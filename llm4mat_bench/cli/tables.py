"""Tables of results for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from ..metrics.protocols import ClassificationReport, RegressionReport
    from ..metrics.record import ResultRecord


def score_table(records: "Sequence[ResultRecord]", title: str) -> Table:
    """One row a run: the headline with its interval, both protocols, coverage."""
    from ..metrics.headline import HEADLINE, headline, whole_headline, written, written_interval

    table = Table(title=title, caption="Whole test set with 95 % interval; published: valid answers only.")
    for heading in ("task", "model", "score"):
        table.add_column(heading, overflow="fold")
    for heading in ("whole", "interval", "published", "MAE", "answered"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        report = record.metrics
        whole = whole_headline(report)
        mae = written(report.whole.mae) if report.kind == "regression" else ""
        table.add_row(
            record.task,
            record.model.id,
            HEADLINE[report.kind],
            written(whole),
            written_interval(whole),
            written(headline(report.published)),
            mae,
            f"{report.n_scored}/{report.n_total}",
        )
    return table


def report_table(report: "RegressionReport | ClassificationReport", title: str, unit: str | None) -> Table:
    """One row a metric, both protocols side by side."""
    from ..metrics.headline import written, written_interval
    from ..metrics.protocols import Refused, Score

    table = Table(title=title, caption=f"{report.n_scored} of {report.n_total} answered ({report.coverage:.1%})")
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
