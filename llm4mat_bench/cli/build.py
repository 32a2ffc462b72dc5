"""``build``: published files or raw dumps to a dataset folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from ..errors import UsageError
from ..processors import available_processors
from .console import JsonOption, err, out, print_json

if TYPE_CHECKING:
    from ..dataset_builder.catalogue import Source
    from ..dataset_builder.dataset_folder import SourceReport
    from ..dataset_builder.export.options import BuildOptions


def build(
    sources: Annotated[
        list[str],
        typer.Argument(help="Sources, by id or alias; `all` for the ten, `sample` for the embedded one."),
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="Dataset folder to make or add to.")],
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of the published CSVs, or folder or file of a raw dump.")
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(help="Form of the input; found by looking if left out (published_csv, jarvis, gnome, ...)."),
    ] = None,
    download: Annotated[
        bool, typer.Option(help="Fetch the raw dump into --from first; goes on where it left off.")
    ] = False,
    catalogue: Annotated[
        Path | None, typer.Option(help="YAML declaration of a source of your own, built with the reader cif_folder.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Drop faulty rows instead of marking them.")] = False,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Go on when the number of rows is not the published one.")
    ] = False,
    cif_policy: Annotated[
        Literal["keep", "strip-derived"],
        typer.Option(help="strip-derived adds a config SOURCE-cif-stripped without volume, formula and the like."),
    ] = "keep",
    splits: Annotated[
        Path | None,
        typer.Option(help="Manifest of ids (JSON, CSV or folder of train.txt ...): which id is in which split."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split of a raw dump without a manifest.")] = 42,
    exclude_noncommercial: Annotated[
        bool, typer.Option("--exclude-noncommercial", help="Leave out sources that forbid commercial use (GNoME).")
    ] = False,
    match_structures: Annotated[
        bool, typer.Option("--match-structures", help="Also compare structures of equal formula across splits (slow).")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core if left out.")] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster to run on; its nodes must see both folders.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build a dataset folder that `load_dataset` reads and `push` publishes. A killed build goes on where it was."""
    from ..dataset_builder.export.options import BuildOptions

    options = BuildOptions(
        strict=strict,
        allow_partial=allow_partial,
        cif_policy=cif_policy,
        manifest=splits,
        seed=seed,
        match_structures=match_structures,
        workers=workers or available_processors(),
        ray_address=ray,
    )
    reports = []
    for source in _chosen(sources, catalogue, exclude_noncommercial):
        reports.append(_build_one(source, origin, out_folder, options, reader, download, own=catalogue is not None))
    if as_json:
        print_json([report.model_dump(mode="json") for report in reports])
        return
    _print_reports(reports, out_folder)


def _chosen(names: list[str], catalogue: Path | None, exclude_noncommercial: bool) -> "list[Source]":
    from ..dataset_builder.catalogue import get_source, list_sources, load_source_file

    own = load_source_file(catalogue) if catalogue else None
    chosen: list[Source] = []
    for name in names:
        if own is not None and name == own.id:
            chosen.append(own)
        else:
            chosen += list_sources() if name == "all" else [get_source(name)]
    if own is not None and own not in chosen:
        raise UsageError(f"{catalogue} declares '{own.id}', which is not among the sources to build")
    if exclude_noncommercial:
        left_out = [source.id for source in chosen if source.licence.commercial_use is False]
        chosen = [source for source in chosen if source.id not in left_out]
        if left_out:
            err.print(f"left out: {', '.join(left_out)} (non-commercial)", highlight=False)
        unknown = [source.id for source in chosen if source.licence.commercial_use is None]
        if unknown:
            err.print(f"terms not known, ask before commercial use: {', '.join(unknown)}", highlight=False)
    if not chosen:
        raise UsageError("no source is left to build")
    return list({source.id: source for source in chosen}.values())


def _build_one(
    source: "Source",
    origin: Path | None,
    out_folder: Path,
    options: "BuildOptions",
    reader: str | None,
    download: bool,
    *,
    own: bool,
) -> "SourceReport":
    from ..dataset_builder.export.build import build_source
    from ..dataset_builder.export.sample import build_sample
    from ..dataset_builder.readers.registry import choose_reader
    from .progress import show_progress

    if source.id == "sample" and origin is None:
        return build_sample(out_folder)
    if origin is None:
        raise UsageError(f"{source.id}: --from is needed: the folder of its published CSVs or its raw dump")
    with show_progress() as progress:
        if download:
            from ..dataset_builder.readers.download import download_source

            download_source(source, origin, progress)
        chosen = reader or ("cif_folder" if own else choose_reader(source, origin))
        return build_source(source, origin, out_folder, options, reader_name=chosen, progress=progress)


def _print_reports(reports: "list[SourceReport]", folder: Path) -> None:
    table = Table(title=str(folder))
    for heading in ("source", "split"):
        table.add_column(heading)
    for heading in ("read", "written", "expected"):
        table.add_column(heading, justify="right")
    for heading in ("dropped", "repaired", "marked"):
        table.add_column(heading, overflow="fold")
    for report in reports:
        outside = {"in no split": report.unassigned} if report.unassigned else {}
        for name, split in {**report.splits, **outside}.items():
            table.add_row(
                report.declaration.id,
                name,
                f"{split.read:,}",
                f"{split.written:,}",
                "–" if split.expected is None else f"{split.expected:,}",
                *(
                    "\n".join(f"{rule}: {count:,}" for rule, count in counts.items()) or "–"
                    for counts in (split.dropped, split.repaired, split.marked)
                ),
            )
        table.add_section()
    out.print(table)
    for report in reports:
        for note in report.notes:
            out.print(f"{report.declaration.id}: {note}", markup=False, highlight=False, soft_wrap=True)
    if any(report.faults for report in reports):
        out.print(f"The rows behind the counts: {folder}/faults/", markup=False, highlight=False, soft_wrap=True)
    first = reports[0].declaration.id
    out.print(f'load_dataset("{folder}", "{first}-description")', markup=False, highlight=False, soft_wrap=True)
