"""The pages: HTML from templates, everything in it escaped, nothing fetched from elsewhere, no script."""

import unicodedata
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ...drawing.style import dark_rules
from ...metrics.results.names import visible
from .findings import Findings
from .sentences import percent

_PLAIN = "\n\t"


def render_run(found: Findings, plots: Mapping[str, str], *, single: bool) -> str:
    """Render the page of one run.

    Args:
        found: What was found.
        plots: SVG by title.
        single: There is no page that lists others.
    """
    drawn = {title: Markup(svg) for title, svg in plots.items()}  # noqa: S704 - made by `plots`, of numbers
    return _environment().get_template("run.html.j2").render(run=found, plots=drawn, single=single)


def render_index(runs: Sequence[Findings], pages: Mapping[str, str]) -> str:
    """Render the page that lists all runs.

    Args:
        runs: What was found in each.
        pages: The page of each, by the run's folder.
    """
    shares: dict[tuple[str, str], list[int]] = {}
    for one in runs:
        counted = shares.setdefault((one.model, one.modality), [0, 0, 0])
        counted[0] += 1
        counted[1] += one.asked
        counted[2] += one.valid
    return _environment().get_template("index.html.j2").render(runs=runs, pages=pages, shares=sorted(shares.items()))


def readable(text: str) -> str:
    """A model's words as they are, with what cannot be seen spelt out."""
    return "".join(
        one if one in _PLAIN or unicodedata.category(one)[0] not in "CZ" or one == " " else visible(one) for one in text
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("llm4mat_bench.prompting.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["dark_rules"] = Markup(dark_rules())  # noqa: S704 - of colours alone
    environment.filters.update(percent=percent, readable=readable, visible=visible)
    return environment
