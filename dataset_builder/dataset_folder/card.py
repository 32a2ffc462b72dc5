"""The dataset card: README.md with the YAML that the Hub and ``load_dataset`` read, and text for people."""

from importlib import resources
from typing import Any

import yaml

from ..catalogue import SPLITS, get_benchmark
from ..catalogue.models import Citation
from ..cleaning import policy
from .configs import config_columns, yaml_configs
from .report import BuildReport

_HUB_LICENCES = {"CC BY 4.0": "cc-by-4.0", "CC BY-NC 4.0": "cc-by-nc-4.0", "CC0 1.0": "cc0-1.0", "MIT": "mit"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(build: BuildReport) -> str:
    """Write the card of a build."""
    from jinja2 import Environment, StrictUndefined

    template = resources.files(__package__).joinpath("templates/dataset_card.md.j2").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - Markdown
    environment.filters["cell"] = _cell
    rows = sum(split.written for report in build.sources.values() for split in report.splits.values())
    benchmark = get_benchmark()
    return environment.from_string(template).render(
        front_matter=_yaml(_front_matter(build, rows)),
        build=build,
        sources=list(build.sources.values()),
        splits=SPLITS,
        rows=rows,
        benchmark=benchmark,
        citation=_reference(benchmark.citation),
        bibtex=_bibtex("llm4mat_bench", benchmark.citation),
        source_bibtex=[_bibtex(key, report.declaration.citation) for key, report in build.sources.items()],
        references={key: _reference(report.declaration.citation) for key, report in build.sources.items()},
        configs={key: list(config_columns(report)) for key, report in build.sources.items()},
        rules=policy.RULES,
        cleaning_version=policy.VERSION,
        noncommercial=[
            r.declaration.title for r in build.sources.values() if r.declaration.licence.commercial_use is False
        ],
        unverified=[
            r.declaration.title for r in build.sources.values() if r.declaration.licence.status == "unverified"
        ],
    )


def _front_matter(build: BuildReport, rows: int) -> dict[str, Any]:
    names = {report.declaration.licence.name for report in build.sources.values()}
    licences = sorted({_HUB_LICENCES.get(name, "other") for name in names})
    return {
        "pretty_name": get_benchmark().title,
        "language": ["en"],
        "license": licences if len(licences) != 1 else licences[0],
        "task_categories": ["tabular-regression", "tabular-classification", "text-classification"],
        "size_categories": [next((label for bound, label in _SIZES if rows < bound), "1M<n<10M")],
        "tags": ["chemistry", "materials-science", "crystals", "property-prediction", "benchmark"],
        "configs": yaml_configs(build),
    }


class _PlainDumper(yaml.SafeDumper):
    """Writes a list that occurs twice twice: anchors are correct YAML, but people read this."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - as in the library
        return True


def _yaml(front_matter: dict[str, Any]) -> str:
    return yaml.dump(front_matter, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120).strip()


def _cell(text: object) -> str:
    """Make text safe inside a Markdown table cell."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def _reference(citation: Citation) -> str:
    return f"{citation.authors}: {citation.title}. {citation.journal} ({citation.year}). https://doi.org/{citation.doi}"


def _bibtex(key: str, citation: Citation) -> str:
    # Braces keep capitals (DFT, JARVIS) as they are; initials and names stand in one field as the catalogue has them.
    authors = citation.authors.replace(" et al.", " and others").replace(" & ", " and ").rstrip(",")
    return (
        f"@article{{{key},\n  author = {{{authors}}},\n  title = {{{{{citation.title}}}}},\n"
        f"  journal = {{{citation.journal}}},\n  year = {{{citation.year}}},\n  doi = {{{citation.doi}}}\n}}"
    )
