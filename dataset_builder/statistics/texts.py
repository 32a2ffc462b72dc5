"""Words and tokens of the texts, streamed: four bytes for each text are kept."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...progress import Advance, silent
from ..dataset_folder.shard_files import ShardFile, iter_batches
from .models import Lengths, TextStatistics
from .tokens import TokenCounter

WORD_PIECE = r"[\pL\pN_]+|[^\pL\pN_\s]"
_BATCH_ROWS = 1024


def text_statistics(
    paths: Sequence[ShardFile],
    modality: str,
    tokenizer: TokenCounter | None = None,
    advance: Advance = silent,
) -> TextStatistics:
    """Count the words of one modality in the shards of one split.

    Args:
        paths: The shards.
        modality: The text column.
        tokenizer: Counts subword tokens too.
        advance: Called with the number of rows done.

    Raises:
        DataError: A shard cannot be read.
    """
    words: list[NDArray[np.int32]] = []
    pieces: list[NDArray[np.int32]] = []
    tokens: list[NDArray[np.int32]] = []
    size = missing = 0
    for _, batch in iter_batches(paths, [modality], batch_rows=_BATCH_ROWS):
        column = batch.column(0)
        texts = column.filter(pc.fill_null(pc.greater(pc.binary_length(column), 0), False))
        missing += len(column) - len(texts)
        size += pc.sum(pc.binary_length(texts)).as_py() or 0
        # Splitting is twice as fast as counting matches of \S+; blanks at the ends would give empty words.
        words.append(_integers(pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts)))))
        pieces.append(_integers(pc.count_substring_regex(texts, WORD_PIECE)))
        if tokenizer is not None:
            tokens.append(np.asarray(tokenizer.count_tokens(texts.to_pylist()), dtype=np.int32))
        advance(batch.num_rows)
    return TextStatistics(
        texts=sum(map(len, words)),
        missing=missing,
        bytes=size,
        words=_lengths(words),
        word_pieces=_lengths(pieces),
        tokens=_lengths(tokens),
    )


def _integers(counts: pa.Array) -> NDArray[np.int32]:
    return np.asarray(counts.to_numpy(zero_copy_only=False), dtype=np.int32)


def _lengths(parts: list[NDArray[np.int32]]) -> Lengths | None:
    counts = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    if len(counts) == 0:
        return None
    total = int(counts.sum(dtype=np.int64))
    median, p95, p99 = np.quantile(counts, [0.5, 0.95, 0.99])
    return Lengths(
        total=total,
        mean=total / len(counts),
        least=int(counts.min()),
        median=float(median),
        p95=float(p95),
        p99=float(p99),
        greatest=int(counts.max()),
    )
