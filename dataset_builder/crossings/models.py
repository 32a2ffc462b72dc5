"""What the search for duplicates reports."""

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SharedKeys(_Record):
    """What two splits share: how many different keys, and how many rows of each split have one of them."""

    splits: tuple[str, str]
    keys: int
    rows: tuple[int, int]


class Example(_Record):
    """Rows that are the same by some key: split and id of each, at most six."""

    splits: tuple[str, ...]
    ids: tuple[str | None, ...]


class KeyReport(_Record):
    """Duplicates by one key. Keys are 64-bit hashes (xxh3): two texts of a million collide with probability 3e-8."""

    key: str = Field(description="id, reduced_formula, or the text column whose texts are equal")
    without: dict[str, int] = Field(description="rows of each split without this key (null or empty)")
    unreadable: int = Field(default=0, description="formulas that could not be read and are compared as text")
    repeated: dict[str, int] = Field(description="rows of each split beyond the first of their key in that split")
    shared: tuple[SharedKeys, ...]
    examples: tuple[Example, ...] = Field(description="of keys that are in two splits")

    @property
    def rows_across(self) -> int:
        """Rows of the later split whose key is in an earlier split, over all pairs of splits."""
        return sum(one.rows[1] for one in self.shared)


class StructureReport(_Record):
    """Rows of different splits with the same reduced formula whose structures were compared.

    Compared with pymatgen's StructureMatcher at its defaults (cells are reduced and scaled to the same volume).
    ``complete`` is False where the cap left pairs out: the numbers are then a lower bound.
    """

    pairs: int = Field(description="pairs of rows of two splits with the same reduced formula")
    compared: int
    cap: int
    complete: bool
    unreadable: int = Field(description="rows whose CIF could not be read; their pairs count as compared")
    matching: int = Field(description="pairs that match")
    identical_text: int = Field(description="of these, pairs with the very same CIF text")
    shared: tuple[SharedKeys, ...] = Field(description="keys counts the pairs, rows the rows that match")
    examples: tuple[Example, ...]


class SourceDuplicates(_Record):
    """Duplicates of one source; ``structure`` is None where structures were not compared."""

    source: str
    rows: dict[str, int]
    keys: tuple[KeyReport, ...]
    structure: StructureReport | None
    structure_note: str | None = None

    def by(self, key: str) -> KeyReport:
        """Return the report of that key."""
        return next(one for one in self.keys if one.key == key)

    @property
    def crosses_splits(self) -> bool:
        """The same id, CIF, description or structure is in two splits. A shared formula alone is not it."""
        texts = any(one.rows_across for one in self.keys if one.key.startswith(("id", "cif", "description")))
        return texts or bool(self.structure and self.structure.matching)


class DuplicatesReport(_Record):
    """Duplicates of all sources; sources are not compared with one another."""

    schema_version: int = 1
    sources: tuple[SourceDuplicates, ...]

    @property
    def crosses_splits(self) -> bool:
        """A source has the same crystal in two splits."""
        return any(one.crosses_splits for one in self.sources)
