"""What the dataset card says of leakage."""

from pathlib import Path

from ...files import write_text
from ..dataset_folder.card_sections import begin_mark, end_mark
from ..dataset_folder.card_sections import update_card as updated
from .models import Finding, LeakageReport

BEGIN, END = begin_mark("leakage"), end_mark("leakage")


def card_section(report: LeakageReport) -> str:
    """Write the section of the dataset card, in Markdown, between marks by which a later check replaces it."""
    limits = report.limits
    lines = [
        BEGIN,
        "## Leakage",
        "",
        "Targets that the text of a modality gives away, found by data and not by name: up to "
        f"{limits.rows:,} labelled rows of each target, half of them to fit, half of them to judge. An expression "
        f"counts when it gives at least {limits.coverage:.0%} of the held-out rows to within "
        f"{limits.relative_tolerance:g} (or as printed) and a shuffled target shows that this is no chance. A score on "
        "such a target with such an input measures reading "
        "and arithmetic, not prediction.",
        "",
    ]
    if report.leaks:
        lines += [
            "| task | modality | how | expression | rows hit | by chance | median relative error |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_leak_row(one) for one in report.leaks]
    else:
        lines.append("None was found.")
    if report.hints:
        lines += ["", "Not exact, but close: the best single expression on held-out rows.", ""]
        lines += ["| task | modality | expression | R² or AUC | MAE | MAD:MAE |", "|---|---|---|---|---|---|"]
        lines += [_hint_row(one) for one in report.hints]
    untested = sorted({one.task for one in report.findings if one.verdict == "untested"})
    if untested:
        lines += ["", f"Not tested for want of labelled rows or varied values: {', '.join(untested)}."]
    return "\n".join([*lines, END, ""])


def update_card(readme: Path, section: str) -> bool:
    """Put the section into a card, in place of an earlier one, else at its end; False where nothing changed.

    Raises:
        DataError: The card cannot be read, or holds the opening mark without the closing one.
    """
    new = updated(readme, section)
    if new is not None:
        write_text(readme, new)
    return new is not None


def _cell(text: str | None) -> str:
    return (text or "–").replace("|", "\\|").replace("\n", " ")


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _leak_row(one: Finding) -> str:
    hit = one.coverage if one.coverage is not None else one.balanced_accuracy
    return (
        f"| `{one.task}` | {one.modality} | {one.verdict} | {_cell(one.expression)} | {_figure(hit, '.1%')} | "
        f"{_figure(one.control, '.1%')} | {_figure(one.median_relative_error, '.1e')} |"
    )


def _hint_row(one: Finding) -> str:
    strength = one.r2 if one.r2 is not None else one.auc
    return (
        f"| `{one.task}` | {one.modality} | {_cell(one.expression)} | {_figure(strength, '.3f')} | "
        f"{_figure(one.mae, '.4g')} | {_figure(one.mad_mae, '.1f')} |"
    )
