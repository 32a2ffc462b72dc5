"""Names inside a dataset folder. Nothing else in the package spells them.

README.md  build_report.json  splits.json  eval.yaml  croissant.json
data/{source}/{split}-{i:05d}-of-{n:05d}.parquet
faults/{source}/{split}.parquet
.build/{source}/         what an unfinished build has done so far
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

CARD = "README.md"
REPORT = "build_report.json"
SPLITS_FILE = "splits.json"
EVALUATION = "eval.yaml"
CROISSANT = "croissant.json"
WORK = ".build"
DATA = "data"
FAULTS = "faults"
ID_COLUMN = "material_id"
STRIPPED = "cif_stripped"  # column of the CIF without derived fields, where it is built

_SHARD = re.compile(r"^(?:(?P<folder>.*)/)?(?P<split>[^/]*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.parquet$")


def shard_name(split: str, index: int, count: int) -> str:
    """Name of one Parquet shard, as the Hub's tools name them."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"


def shard_path(source: str, split: str, index: int, count: int) -> str:
    """Path of a shard inside the dataset folder."""
    return f"{DATA}/{source}/{shard_name(split, index, count)}"


def shard_pattern(source: str, split: str) -> str:
    """Pattern that all shards of a split match, and no other file of a whole dataset folder."""
    return f"{DATA}/{source}/{split}-*.parquet"


def faults_path(source: str, split: str) -> str:
    """Path of the table of marked and dropped rows of a split."""
    return f"{FAULTS}/{source}/{split}.parquet"


@dataclass(frozen=True)
class ShardName:
    """A shard's name taken apart; ``folder`` is empty where the name came without one."""

    folder: str
    split: str
    index: int
    count: int


def parse_shard_name(path: str) -> ShardName | None:
    """Take the name of a shard apart; None where it is none."""
    found = _SHARD.match(path)
    if found is None:
        return None
    return ShardName(found["folder"] or "", found["split"], int(found["index"]), int(found["count"]))


@dataclass
class ShardSet:
    """The shards of one split that are there, and those that should be.

    Attributes:
        paths: Path by number.
        counts: How many shards the names say there are; more than one answer where two builds lie together.
    """

    paths: dict[int, str] = field(default_factory=dict)
    counts: set[int] = field(default_factory=set)

    @property
    def missing(self) -> list[int]:
        """Numbers of the shards that are not there, by the largest count that a name states."""
        return sorted(set(range(max(self.counts))) - self.paths.keys())

    @property
    def in_order(self) -> list[str]:
        """Paths by number."""
        return [self.paths[index] for index in sorted(self.paths)]


def sort_shards(paths: Iterable[str]) -> dict[tuple[str, str], ShardSet]:
    """Sort paths of shards by folder and split; paths that are no shards are passed over."""
    sets: dict[tuple[str, str], ShardSet] = {}
    for path in paths:
        if name := parse_shard_name(path):
            one = sets.setdefault((name.folder, name.split), ShardSet())
            one.paths[name.index] = path
            one.counts.add(name.count)
    return sets
