"""``stats``: what a built dataset holds, in numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..files import write_json, write_text
from .console import JsonOption, out, print_json
from .progress import show_progress

if TYPE_CHECKING:
    from ..dataset_builder.statistics import StatisticsReport
    from ..dataset_builder.statistics.models import Lengths


def stats(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset folder that `build` wrote.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source; may be given several times.")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Count subword tokens too: a tokenizer.json, a folder with one, or a name on the Hub."),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Where to write stats.json and stats.html; DIR if left out."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count rows, words, tokens and missing values, describe the targets, compare with the publication.

    Writes stats.json and stats.html, a page that needs no server.
    """
    from ..dataset_builder.dataset_folder import open_dataset_folder
    from ..dataset_builder.statistics import compute_statistics, load_tokenizer, statistics_page

    folder = open_dataset_folder(directory)
    counter = load_tokenizer(tokenizer) if tokenizer else None
    with show_progress(quiet=as_json) as progress:
        report = compute_statistics(folder, sources=source, tokenizer=counter, progress=progress)
    target = out_dir or directory
    write_json(target / "stats.json", report.model_dump(mode="json"))
    write_text(target / "stats.html", statistics_page(report))
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    _print_texts(report)
    _print_comparison(report)
    out.print(
        f"Written: {target / 'stats.json'}, {target / 'stats.html'}", soft_wrap=True, highlight=False, markup=False
    )


def _print_texts(report: "StatisticsReport") -> None:
    table = Table(title="Texts", caption="words are separated by white space; pieces count punctuation too")
    for heading in ("source", "modality", "split"):
        table.add_column(heading)
    for heading in ("texts", "missing", "words", "pieces", *(("tokens",) if report.tokenizer else ())):
        table.add_column(heading, justify="right")
    for one in report.sources:
        for modality, splits in one.texts.items():
            for split, text in splits.items():
                counted = (text.words, text.word_pieces, *((text.tokens,) if report.tokenizer else ()))
                table.add_row(
                    one.source, modality, split, f"{text.texts:,}", f"{text.missing:,}", *map(_total, counted)
                )  # fmt: skip
        table.add_section()
    out.print(table)


def _total(lengths: "Lengths | None") -> str:
    return "–" if lengths is None else f"{lengths.total:,}"


def _print_comparison(report: "StatisticsReport") -> None:
    differing = [one for one in report.comparisons if not one.agrees]
    if report.comparisons:
        agreeing = len(report.comparisons) - len(differing)
        out.print(f"Published numbers: {agreeing} of {len(report.comparisons)} agree.")
    if differing:
        table = Table(title="Where it differs from the publication")
        table.add_column("number", overflow="fold")
        for heading in ("published", "found", "difference"):
            table.add_column(heading, justify="right")
        for one in differing:
            table.add_row(one.what, f"{one.published:,}", f"{one.found:,}", f"{one.found - one.published:+,}")
        out.print(table)
    for note in report.notes:
        out.print(note, soft_wrap=True, highlight=False, markup=False)
