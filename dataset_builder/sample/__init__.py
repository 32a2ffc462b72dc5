"""The embedded sample: real Materials Project crystals that travel with the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import unknown_name

if TYPE_CHECKING:
    import pyarrow as pa

_FOLDER = Path(__file__).resolve().parent
_SPLITS = ("train", "validation", "test")


def sample_files() -> dict[str, Path]:
    """Return the Parquet file of each split, by its name."""
    return {split: _FOLDER / f"{split}.parquet" for split in _SPLITS}


def read_sample(split: str, columns: list[str] | None = None) -> "pa.Table":
    """Read one split: a row a crystal, null where a label is not known.

    Args:
        split: ``train``, ``validation`` or ``test``.
        columns: The columns to read, all of them by default.

    Returns:
        ``material_id``, ``composition``, ``cif``, ``description``, then the properties of ``source.yaml``.

    Raises:
        UsageError: There is no such split; the message lists them.
    """
    import pyarrow.parquet as pq

    files = sample_files()
    if split not in files:
        raise unknown_name("split", split, list(files))
    return pq.read_table(files[split], columns=columns)
