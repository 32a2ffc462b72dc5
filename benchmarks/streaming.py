"""How many bytes are fetched when one modality is streamed, by the size of row groups.

    python benchmarks/streaming.py --folder BUILT --source mp

Takes the longest train shard of a built folder, writes it with row groups of several sizes, serves each from a web
server on this machine, streams ``material_id`` and one modality through ``datasets`` and counts what the server sent.
"""

import argparse
import json
import re
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq


class RangeServer(ThreadingHTTPServer):
    """Serves files with ranges and counts bytes and requests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.sent = self.requests = 0
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: RangeServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.server.folder / self.path.rpartition("/")[2]
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted.group(1)) if wanted else 0
        end = min(len(data), int(wanted.group(2)) + 1 if wanted and wanted.group(2) else len(data))
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.wfile.write(data[start:end])
            with self.server.lock:
                self.server.sent += end - start
                self.server.requests += 1


def measure(shard: Path, modality: str, group_bytes: int | None) -> dict[str, float | str]:
    """Stream one modality of one shard."""
    from datasets import load_dataset

    table = pq.read_table(shard)
    rows = table.num_rows if group_bytes is None else max(1, int(table.num_rows * group_bytes / table.nbytes))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard.parquet"
        pq.write_table(table, path, row_group_size=rows, compression="zstd", compression_level=3, use_dictionary=False)
        size = path.stat().st_size
        meta = pq.read_metadata(path)
        wanted = [i for i in range(meta.num_columns) if meta.schema.column(i).name in ("material_id", modality)]
        column = sum(
            meta.row_group(group).column(i).total_compressed_size
            for group in range(meta.num_row_groups)
            for i in wanted
        )
        server = RangeServer(Path(folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/shard.parquet"
        start = time.perf_counter()
        stream = load_dataset(
            "parquet", data_files=url, split="train", streaming=True, columns=["material_id", modality]
        )
        count, first = 0, 0.0
        for _ in stream:
            count += 1
            first = first or time.perf_counter() - start
        server.shutdown()
    if count != table.num_rows:
        raise SystemExit(f"{count} rows came, {table.num_rows} are there")
    return {
        "modality": modality,
        "row_groups": meta.num_row_groups,
        "rows_a_group": min(rows, table.num_rows),
        "file_mb": round(size / 1e6, 2),
        "columns_mb": round(column / 1e6, 2),
        "fetched_mb": round(server.sent / 1e6, 2),
        "requests": server.requests,
        "first_row_s": round(first, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--source", default="mp")
    parser.add_argument("--group-mb", type=int, nargs="*", default=[4, 16, 64])
    arguments = parser.parse_args()
    longest = max(
        (arguments.folder / "data" / arguments.source).glob("train-*.parquet"), key=lambda p: p.stat().st_size
    )
    for text in ("composition", "cif", "description"):
        for megabytes in (*arguments.group_mb, None):
            print(json.dumps(measure(longest, text, megabytes and megabytes << 20)), flush=True)
