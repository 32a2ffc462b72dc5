"""The page: one HTML file that needs no server and no network."""

from .drawings import HEIGHT, WIDTH, draw_histogram
from .models import StatisticsReport


def statistics_page(report: StatisticsReport) -> str:
    """Write the report as a self-contained HTML page; the same report gives the same bytes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("llm4mat_bench.dataset_builder.statistics"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda value: f"{value:,}"
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.4g}"
    environment.filters["size"] = _size
    return environment.get_template("statistics.html").render(
        report=report, draw=draw_histogram, width=WIDTH, height=HEIGHT
    )


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} GB"
