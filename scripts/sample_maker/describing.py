"""Second step: describe every candidate, one JSON line each, on several processes, resuming where it was killed."""

import hashlib
import json
import multiprocessing
from pathlib import Path

import pyarrow.parquet as pq

from .merge import structure_from_cif


def describe_candidates(candidates: Path, out: Path, workers: int) -> None:
    """Append to ``out`` the description of each candidate that it does not hold yet, largest cells first."""
    from llm4mat_bench.cli.progress import show_progress
    from llm4mat_bench.dataset_builder.descriptions import prepare

    prepare()  # slow imports, once, before the fork
    rows = pq.read_table(candidates, columns=["material_id", "cif"]).to_pylist()
    done = {(line["material_id"], line["cif_sha256"]) for line in _whole_lines(out)}
    todo = [row for row in rows if (row["material_id"], cif_sha256(row["cif"])) not in done]
    todo.sort(key=lambda row: (-row["cif"].count("\n"), row["material_id"]))
    failures = 0
    with (
        multiprocessing.get_context("fork").Pool(workers) as pool,
        out.open("a", encoding="utf-8") as file,
        show_progress() as progress,  # after the fork: it has a thread
    ):
        for finished, line in enumerate(pool.imap_unordered(_describe, todo), start=1):
            progress("describing", finished, len(todo))
            failures += line["error"] is not None
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
    print(f"{out}: {len(todo)} described now, {failures} of them failed, {len(rows) - len(todo)} were there")


def cif_sha256(cif: str) -> str:
    """SHA-256 of a CIF text, which ties a description to the structure it was made from."""
    return hashlib.sha256(cif.encode()).hexdigest()


def _describe(row: dict[str, str]) -> dict[str, str | None]:
    from llm4mat_bench.dataset_builder.descriptions import describe

    line: dict[str, str | None] = {"material_id": row["material_id"], "cif_sha256": cif_sha256(row["cif"])}
    try:
        return line | {"description": describe(structure_from_cif(row["cif"]), style="published"), "error": None}
    except Exception as error:  # whatever stops one crystal is its reason, and no other's
        return line | {"description": None, "error": f"{type(error).__name__}: {error}".splitlines()[0]}


def _whole_lines(path: Path) -> list[dict[str, str | None]]:
    """Read what an earlier run left, and cut off a last line that a kill left without its end."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [json.loads(line) for line in whole.decode().splitlines()]
