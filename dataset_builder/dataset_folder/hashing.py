"""Hashes of columns, over Arrow's buffers: the same whatever the chunks, at the speed of SHA-256.

``docs/task-identity.md`` defines what is hashed; it is part of published results, so a change here is a new version.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...errors import DataError

_NULL = -1


class TextColumnHash:
    """SHA-256 of a column of texts, fed in pieces; pieces of any size give the same.

    Two streams are hashed: the length of each text in bytes of UTF-8, as little-endian int64, -1 for null; and the
    texts themselves, one behind the other.
    """

    def __init__(self) -> None:
        self._lengths = hashlib.sha256()
        self._bytes = hashlib.sha256()
        self.rows = 0

    def update(self, column: pa.Array | pa.ChunkedArray) -> None:
        """Take the next rows.

        Raises:
            DataError: The column holds no texts.
        """
        for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            self._take(_as_text(chunk))

    def hexdigest(self) -> str:
        """The hash of the rows so far: SHA-256 over the 32 bytes of either stream's hash."""
        return hashlib.sha256(self._lengths.digest() + self._bytes.digest()).hexdigest()

    def _take(self, texts: pa.Array) -> None:
        self.rows += len(texts)
        lengths = pc.binary_length(texts).cast(pa.int64()).fill_null(_NULL)
        self._lengths.update(lengths.to_numpy(zero_copy_only=False).astype("<i8").tobytes())
        if texts.null_count:
            texts = texts.drop_null()  # what lies under a null is nobody's text
        if not len(texts):
            return
        _, offsets, data = texts.buffers()
        width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
        bounds = np.frombuffer(offsets, width)[[texts.offset, texts.offset + len(texts)]]
        if data is not None:
            self._bytes.update(memoryview(data)[int(bounds[0]) : int(bounds[1])])


def text_column_sha256(columns: Iterable[pa.Array | pa.ChunkedArray]) -> str:
    """SHA-256 of a column of texts that comes in pieces."""
    digest = TextColumnHash()
    for column in columns:
        digest.update(column)
    return digest.hexdigest()


def number_column_sha256(values: NDArray[np.float64]) -> str:
    """SHA-256 of numbers as little-endian float64; -0.0 counts as 0.0."""
    return hashlib.sha256((values + 0.0).astype("<f8").tobytes()).hexdigest()


def lines_sha256(*lines: str) -> str:
    """SHA-256 of some lines, each ended by a line feed, so that ``sha256sum`` gives the same."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _as_text(chunk: pa.Array) -> pa.Array:
    kind = chunk.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return chunk
    if pa.types.is_dictionary(kind):
        return _as_text(chunk.cast(kind.value_type))
    if pa.types.is_null(kind) or pa.types.is_string_view(kind):
        return chunk.cast(pa.large_string())
    raise DataError(f"a column of texts is of type {kind}")
