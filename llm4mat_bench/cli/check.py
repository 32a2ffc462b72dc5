"""``check``: leakage, duplicates and impossible values of a built dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..files import write_json
from .console import JsonOption, err, out, print_json
from .progress import show_progress
from .tables import add_task_column

if TYPE_CHECKING:
    from ..dataset_builder.crossings import DuplicatesReport, SourceDuplicates
    from ..dataset_builder.leakage import Finding, LeakageReport
    from ..dataset_builder.statistics.impossible import ImpossibleValues


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder that `build` wrote.")],
    *,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source; may be given several times.")
    ] = None,
    rows: Annotated[
        int, typer.Option(min=20, help="Labelled rows of each target in which to look for leakage.")
    ] = 2000,
    structures: Annotated[
        bool,
        typer.Option("--structures/--no-structures", help="Compare structures that share a formula across splits."),
    ] = True,
    max_pairs: Annotated[
        int,
        typer.Option(min=1, help="Pairs of structures to compare in each source; the report says if there are more."),
    ] = 1000,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Write the reports here and leave DIR, its card included, as it is."
        ),
    ] = None,
    fail_on_leak: Annotated[
        bool, typer.Option("--fail-on-leak", help="Exit status 1 where a text gives its target away.")
    ] = False,
    fail_on_duplicates: Annotated[
        bool,
        typer.Option(
            "--fail-on-duplicates",
            help="Exit status 1 where two splits share an id, a CIF, a description, a structure.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find leakage, duplicates and values that cannot be: targets in their own input, crystals in two splits.

    Writes leakage.json, duplicates.json and impossible_values.json into DIR and a section on leakage into its card
    (README.md).
    """
    from ..dataset_builder.crossings import find_duplicates
    from ..dataset_builder.dataset_folder import open_dataset_folder
    from ..dataset_builder.dataset_folder.layout import CARD
    from ..dataset_builder.leakage import Limits, card_section, check_leakage, update_card
    from ..dataset_builder.statistics.impossible import find_impossible_values

    folder = open_dataset_folder(directory)
    with show_progress(quiet=as_json) as progress:
        impossible = find_impossible_values(folder, sources=source, progress=progress)
        leakage = check_leakage(folder, sources=source, limits=Limits(rows=rows), progress=progress)
        duplicates = find_duplicates(
            folder, sources=source, structures=structures, max_pairs=max_pairs, progress=progress
        )
    target = out_dir or directory
    write_json(target / "leakage.json", leakage.model_dump(mode="json"))
    write_json(target / "duplicates.json", duplicates.model_dump(mode="json"))
    listed = [one.model_dump(mode="json") for one in impossible]
    write_json(target / "impossible_values.json", listed)
    written = [str(target / f"{name}.json") for name in ("leakage", "duplicates", "impossible_values")]
    card = directory / CARD
    if out_dir is None and card.is_file() and not source:
        update_card(card, card_section(leakage))
        written.append(str(card))
    if as_json:
        print_json(
            {
                "leakage": leakage.model_dump(mode="json"),
                "duplicates": duplicates.model_dump(mode="json"),
                "impossible_values": listed,
            }
        )
    else:
        _print_leakage(leakage)
        _print_duplicates(duplicates)
        _print_impossible(impossible)
        out.print(f"Written: {', '.join(written)}", soft_wrap=True, highlight=False, markup=False)
    failures = []
    if fail_on_leak and leakage.leaks:
        failures.append(f"{len(leakage.leaks)} targets stand in their own input")
    if fail_on_duplicates and duplicates.crosses_splits:
        names = [one.source for one in duplicates.sources if one.crosses_splits]
        failures.append(f"the splits of {', '.join(names)} share crystals")
    if failures:
        err.print(f"[bold red]check failed:[/] {'; '.join(failures)}", soft_wrap=True, highlight=False)
        raise typer.Exit(1)


def _print_impossible(found: "tuple[ImpossibleValues, ...]") -> None:
    if not found:
        out.print("Values that cannot be: none.")
        return
    for one in found:
        unit = f" {one.unit}" if one.unit else ""
        out.print(
            f"{one.source}/{one.name}: {one.total:,} values that cannot be (possible: {one.possible}{unit}), for "
            f"example {'; '.join(one.examples[:2])}.",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )


def _print_leakage(report: "LeakageReport") -> None:
    tested = [one for one in report.findings if one.verdict != "untested"]
    if not report.leaks and not report.hints:
        out.print(f"Leakage: none in {len(tested)} pairs of target and modality.")
    else:
        table = Table(
            title=f"Leakage: {len(report.leaks)} of {len(tested)} pairs of target and modality",
            caption="copied and derived: exact on held-out rows; near: R² (classes: AUC) says how close.",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        add_task_column(table)
        for heading in ("modality", "verdict", "expression"):
            table.add_column(heading, overflow="fold")
        for heading in ("rows hit", "by chance", "R²/AUC"):
            table.add_column(heading, justify="right", no_wrap=True)
        for one in [*report.leaks, *report.hints]:
            table.add_row(*_leakage_row(one))
        out.print(table)
    untested = [one for one in report.findings if one.verdict == "untested"]
    if untested:
        out.print(f"Not tested: {len(untested)} pairs (too few labelled rows, or one value only; see leakage.json).")


def _leakage_row(one: "Finding") -> tuple[str, ...]:
    strength = one.r2 if one.r2 is not None else one.auc
    hit = one.coverage if one.coverage is not None else one.balanced_accuracy
    return (
        one.task,
        one.modality,
        one.verdict,
        one.expression or "–",
        "–" if hit is None else f"{hit:.1%}",
        "–" if one.control is None else f"{one.control:.1%}",
        "–" if strength is None else f"{strength:.4f}",
    )


def _print_duplicates(report: "DuplicatesReport") -> None:
    table = Table(
        title="Duplicates",
        caption="rows of the later split whose key is in the earlier one. A shared formula alone may be a polymorph.",
    )
    table.add_column("source")
    table.add_column("key")
    table.add_column("repeated in a split", justify="right")
    pairs = [("train", "validation"), ("train", "test"), ("validation", "test")]
    for first, second in pairs:
        table.add_column(f"{first} → {second}", justify="right")
    for one in report.sources:
        for by_key in one.keys:
            found = {shared.splits: shared.rows[1] for shared in by_key.shared}
            counts = ["–" if pair not in found else f"{found[pair]:,}" for pair in pairs]
            table.add_row(one.source, by_key.key.replace("_", " "), f"{sum(by_key.repeated.values()):,}", *counts)
        if one.structure is not None:
            found = {shared.splits: shared.rows[1] for shared in one.structure.shared}
            counts = ["–" if pair not in found else f"{found[pair]:,}" for pair in pairs]
            table.add_row(one.source, "structure", "–", *counts)
        table.add_section()
    out.print(table)
    for one in report.sources:
        note = _structure_note(one)
        if note:
            out.print(note, soft_wrap=True, highlight=False)


def _structure_note(one: "SourceDuplicates") -> str | None:
    if one.structure is None:
        return f"{one.source}: {one.structure_note}." if one.structure_note else None
    if one.structure.complete:
        return None
    share = one.structure.compared / max(1, one.structure.pairs)
    return (
        f"{one.source}: {one.structure.compared:,} of {one.structure.pairs:,} pairs of structures were compared "
        f"({share:.1%}); the numbers are a lower bound. --max-pairs compares more."
    )
