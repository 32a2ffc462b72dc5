"""The page: HTML from a template, everything in it escaped, nothing fetched from elsewhere."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Source, Task
from ...dataset_builder.catalogue.models import Benchmark
from ..headline import headline, whole_headline, written, written_interval
from ..protocols import ClassificationReport, RegressionReport
from ..results.names import visible
from ..results.record import ResultRecord
from ..results.verify import Verification
from .entries import Entry


class RunView(BaseModel):
    """One run, its scores as computed again, why it is not ranked (empty where it is), and its plot."""

    model_config = ConfigDict(frozen=True)

    record: ResultRecord
    report: RegressionReport | ClassificationReport
    apart: tuple[str, ...]
    plot: str


class TaskView(BaseModel):
    """One task: its scores side by side and its runs."""

    model_config = ConfigDict(frozen=True)

    task: Task
    score: str
    forest: str | None
    runs: tuple[RunView, ...]


class SourceView(BaseModel):
    """One source: its table, the rows that are not ranked, and its tasks."""

    model_config = ConfigDict(frozen=True)

    source: Source
    entries: tuple[Entry, ...]
    apart: tuple[Entry, ...]
    tasks: tuple[TaskView, ...]


def render_page(benchmark: Benchmark, sources: Sequence[SourceView], refused: Sequence[Verification]) -> str:
    """Render the page.

    Args:
        benchmark: What the publication states.
        sources: Those with results, in the order of the page.
        refused: Runs that did not verify.
    """
    environment = Environment(
        loader=PackageLoader("llm4mat_bench.metrics.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        headline=headline, whole_headline=whole_headline, written=written, written_interval=written_interval
    )
    environment.filters["visible"] = visible
    return environment.get_template("leaderboard.html.j2").render(
        benchmark=benchmark, sources=sources, refused=refused, example=_example(sources)
    )


def _example(sources: Sequence[SourceView]) -> str | None:
    return next((view.tasks[0].task.name for view in sources if view.tasks), None)
