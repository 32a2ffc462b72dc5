"""Names and JSON of a dataset folder; writing itself is in ``llm4mat_bench.files``."""

import json
from pathlib import Path
from typing import Any

from ...files import write_text


def write_json(path: Path, answer: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Write JSON with stable layout; a value that is no number (nan, inf) is refused."""
    write_text(path, json.dumps(answer, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def shard_name(split: str, index: int, count: int) -> str:
    """Name of one Parquet shard, as the Hub's tools name them."""
    return f"{split}-{index:05d}-of-{count:05d}.parquet"
