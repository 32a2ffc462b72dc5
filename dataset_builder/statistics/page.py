"""The page: one HTML file that needs no server and no network."""

from ...drawing.style import available, dark_rules
from .drawings import classes_svg, histogram_svg, outside
from .models import StatisticsReport


def statistics_page(report: StatisticsReport) -> str:
    """Write the report as a self-contained HTML page; the same report gives the same bytes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

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
        report=report,
        histogram_svg=lambda name, histogram: Markup(histogram_svg(name, histogram)),  # noqa: S704 - made here
        classes_svg=lambda target: Markup(classes_svg(target)),  # noqa: S704 - made here
        outside=outside,
        dark_rules=Markup(dark_rules()),  # noqa: S704 - of colours alone
        drawable=available(),
    )


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} GB"
