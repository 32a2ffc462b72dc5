"""The published tables as data: their declarations, checked against the catalogue when they are read."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...dataset_builder.catalogue import Kind, Modality, Source, get_source
from ...dataset_builder.catalogue.models import Citation
from ...errors import DataError
from ...yaml_files import read_yaml
from ..protocols import ScoreKind

_FOLDER = Path(__file__).resolve().parent
_TABLES = _FOLDER / "tables"

RowId = Annotated[str, Field(pattern=r"^(composition|cif|description)/[a-z0-9-]+$")]
Printed = Annotated[float, Field(ge=0)] | None
"""A cell: MAD:MAE or AUC with three decimals, None where it says "Inval."."""


class Declaration(BaseModel):
    """Base of what is read from the files here: immutable, a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PublishedRow(Declaration):
    """A model as the tables name it."""

    name: str
    modality: Modality
    kind: Literal["gnn", "finetuned", "prompted"]
    parameters: int | None = Field(default=None, gt=0, description="as in the name")
    shots: int | None = Field(default=None, ge=0)


class Publication(Declaration):
    """What holds for all tables: where they stand, how they were made, which models they have."""

    citation: Citation
    status: Literal["reported, not recomputed"]
    status_note: str
    protocol: Literal["published"]
    protocol_note: str
    score_kinds: dict[Kind, ScoreKind] = Field(description="what the scores of classifiers were")
    score_kinds_note: str
    average: str
    rows_note: str
    rows: dict[RowId, PublishedRow]


class PublishedTable(Declaration):
    """The printed numbers of one source."""

    source: str
    scores: dict[str, dict[RowId, Printed]] = Field(description="by property, then by row")
    averages: dict[Kind, dict[RowId, Printed]]
    header_tasks: int | None = Field(
        default=None, description="tasks that the table of averages states, where the source has another number"
    )


@cache
def get_publication() -> Publication:
    """What holds for all published tables.

    Raises:
        DataError: The file is damaged.
    """
    return read_yaml(_FOLDER / "publication.yaml", Publication)


@cache
def get_published_table(source: str) -> PublishedTable | None:
    """The published numbers of a source, None for one that is no part of the benchmark.

    Raises:
        DataError: The file is damaged, or does not fit the catalogue.
    """
    wanted = get_source(source)
    path = _TABLES / f"{wanted.id}.yaml"
    if not path.is_file():
        return None
    table = read_yaml(path, PublishedTable)
    check_table(table, wanted, get_publication(), path)
    return table


def check_table(table: PublishedTable, source: Source, publication: Publication, path: Path) -> None:
    """Compare a table with the catalogue: every task once, every row in each, averages of the kinds that there are.

    Raises:
        DataError: They differ; the message names the first difference.
    """
    rows = publication.rows.keys()
    expected = {prop.name for prop in source.properties}
    kinds = {prop.kind for prop in source.properties}
    if table.source != source.id:
        raise DataError(f"{path}: source: {table.source}, the catalogue's is {source.id}")
    for where, found, wanted in (
        ("scores", set(table.scores), expected),
        ("averages", {str(kind) for kind in table.averages}, {str(kind) for kind in kinds}),
        *((f"scores.{name}", set(cells), set(rows)) for name, cells in table.scores.items()),
        *((f"averages.{kind}", set(cells), set(rows)) for kind, cells in table.averages.items()),
    ):
        if odd := sorted(found ^ wanted):
            side = "missing" if odd[0] in wanted else "not in the catalogue"
            raise DataError(f"{path}: {where}: {odd[0]} is {side} ({len(odd)} in all)")
    for name, cells in table.scores.items():
        kind = next(prop.kind for prop in source.properties if prop.name == name)
        if kind == "classification" and any(value is not None and value > 1 for value in cells.values()):
            raise DataError(f"{path}: scores.{name}: an AUC is at most 1")
