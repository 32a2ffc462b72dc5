"""Do the published averages follow from the published tables?"""

from pydantic import BaseModel, ConfigDict

from ...dataset_builder.catalogue import Kind, Modality, list_sources
from ..headline import weighted_mean
from .tables import get_publication, get_published_table

TOLERANCE = 0.01
"""Up to which an average follows: tasks are printed with three decimals and their samples with one of a thousand."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AverageFault(_Part):
    """A published average that is not the weighted mean of its own table.

    Attributes:
        source: Id of the source.
        kind: Which tasks are averaged.
        model: The model, as printed.
        modality: What it read.
        published: The average as printed, None for "Inval.".
        recomputed: Mean over the tasks weighted by their samples, None where one of them is "Inval.".
    """

    source: str
    kind: Kind
    model: str
    modality: Modality
    published: float | None
    recomputed: float | None

    @property
    def shown(self) -> str:
        """What the table gives, as it would be printed."""
        return "Inval." if self.recomputed is None else f"{self.recomputed:.3f}"


class HeaderFault(_Part):
    """A number of tasks in the header of the published averages that its own table contradicts."""

    source: str
    stated_tasks: int
    tasks: int


class AverageCheck(_Part):
    """What came of checking the averages.

    Attributes:
        checked: Averages that were recomputed.
        tolerance: Largest difference up to which one follows.
        faults: Those that do not.
        headers: Numbers of tasks that do not hold.
    """

    checked: int
    tolerance: float
    faults: tuple[AverageFault, ...]
    headers: tuple[HeaderFault, ...]


def check_averages(tolerance: float = TOLERANCE) -> AverageCheck:
    """Recompute every published average from the table it stands over.

    Args:
        tolerance: Largest difference up to which a printed average follows from printed scores.
    """
    rows = get_publication().rows
    checked, faults, headers = 0, [], []
    for source in list_sources():
        table = get_published_table(source.id)
        if table is None:
            continue
        if table.header_tasks is not None and table.header_tasks != len(source.properties):
            headers.append(HeaderFault(source=source.id, stated_tasks=table.header_tasks, tasks=len(source.properties)))
        for kind, averages in table.averages.items():
            properties = [prop for prop in source.properties if prop.kind == kind]
            for row, printed in averages.items():
                values = [table.scores[prop.name][row] for prop in properties]
                there = [value for value in values if value is not None]
                mean = (
                    weighted_mean(there, [prop.samples for prop in properties]) if len(there) == len(values) else None
                )
                checked += 1
                if not _follows(printed, mean, tolerance):
                    faults.append(
                        AverageFault(
                            source=source.id,
                            kind=kind,
                            model=rows[row].name,
                            modality=rows[row].modality,
                            published=printed,
                            recomputed=mean,
                        )
                    )
    return AverageCheck(checked=checked, tolerance=tolerance, faults=tuple(faults), headers=tuple(headers))


def _follows(printed: float | None, mean: float | None, tolerance: float) -> bool:
    if printed is None or mean is None:
        return printed is None and mean is None
    return abs(printed - mean) <= tolerance
