"""The finished file: one Parquet table, written whole or not at all, the same bytes for the same rows."""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path
from typing import Any

ROWS_PER_GROUP = 4096
METADATA_KEY = b"llm4mat_bench.describe"
