"""A shard wherever it lies: a file here, or one on the Hub of which only the columns asked for are fetched."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from ...errors import DataError

_HUB_BYTES = 8 << 20  # asked of the Hub at a time


@contextmanager
def hub_failures(what: str) -> Iterator[None]:
    """Turn failures of the Hub and of the way there into one line.

    The original error is no cause of ours: it holds the request with its headers, and so the token.

    Raises:
        DataError: In place of them.
    """
    import httpx2

    try:
        yield
    except (OSError, httpx2.HTTPError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{what}: cannot be fetched from the Hub ({first}). Look at the network; the same call goes on where it "
            "stopped."
        ) from None


class HubFile(BaseModel):
    """One file of a dataset repo on the Hub, at one commit."""

    model_config = ConfigDict(frozen=True)

    repo: str
    commit: str
    path: str
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.repo}@{self.commit[:8]}/{self.path}"

    def download(self) -> Path:
        """Fetch the whole file into the Hub's cache, or find it there."""
        from huggingface_hub import hf_hub_download

        with hub_failures(str(self)):
            return Path(hf_hub_download(self.repo, self.path, repo_type="dataset", revision=self.commit))

    def cached(self) -> Path | None:
        """The file in the Hub's cache, None where it is not there."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repo, self.path, repo_type="dataset", revision=self.commit)
        return Path(found) if isinstance(found, str) else None


ShardFile = Path | HubFile


def size_of(file: ShardFile) -> int:
    """Size of a shard in bytes."""
    return file.size_bytes if isinstance(file, HubFile) else file.stat().st_size


def state_of(file: ShardFile) -> str:
    """What changes when a shard does: size and time of a file here, the commit of one on the Hub."""
    if isinstance(file, HubFile):
        return f"{file.repo}@{file.commit}/{file.path}"
    status = file.stat()
    return f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"


@contextmanager
def open_shard(file: ShardFile) -> Iterator[pq.ParquetFile]:
    """Open a shard for reading some of its columns.

    Raises:
        DataError: It is not a whole Parquet file, or cannot be fetched; also when that shows while it is read.
    """
    here = file if isinstance(file, Path) else file.cached()
    try:
        if here is not None:
            # Without pre-buffering the reader holds pages, not whole row groups of long texts.
            with pq.ParquetFile(here, pre_buffer=False, buffer_size=1 << 20) as opened:
                yield opened
        else:
            from huggingface_hub import HfFileSystem

            assert isinstance(file, HubFile)  # noqa: S101 - a path is always here
            address = f"datasets/{file.repo}@{file.commit}/{file.path}"
            with (
                hub_failures(str(file)),
                HfFileSystem().open(address, cache_type="none") as handle,
                pq.ParquetFile(handle, pre_buffer=False, buffer_size=_HUB_BYTES) as opened,
            ):
                yield opened
    except (pa.ArrowInvalid, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{file}: not a whole Parquet file ({first}). Build this folder again or download this shard again."
        ) from error


def iter_batches(
    files: Sequence[ShardFile], columns: Sequence[str], batch_rows: int = 4096
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Stream some columns of some shards, in order.

    Args:
        files: Shards of one split.
        columns: The columns to read, which is also their order in the batches; the others are not touched.
        batch_rows: Rows a batch, which bounds the memory in use.

    Yields:
        The number of the batch's first row within these shards, and the batch.

    Raises:
        DataError: A shard cannot be read to its end.
    """
    start = 0
    for file in files:
        with open_shard(file) as opened:
            for batch in opened.iter_batches(batch_size=batch_rows, columns=list(columns)):
                yield start, batch.select(list(columns))
                start += batch.num_rows


def read_column(files: Sequence[ShardFile], column: str) -> pa.ChunkedArray:
    """Read one column of some shards as a whole (for numbers and ids, not for texts).

    Raises:
        DataError: A shard cannot be read.
    """
    chunks = [batch.column(0) for _, batch in iter_batches(files, [column], batch_rows=1 << 16)]
    return pa.chunked_array(chunks) if chunks else pa.chunked_array([], type=pa.null())
