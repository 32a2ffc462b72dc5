"""Describe the same crystals with other kernels of the linear algebra, and see where the text changes.

OpenBLAS, which comes with NumPy and SciPy, has other code for every family of processors, and that differs in the last
bit. The variable ``OPENBLAS_CORETYPE`` chooses the code, so each kernel gets processes of its own.

    python scripts/describe_under_kernels.py corpus --engine upstream    # hours; continues where it stopped
    python scripts/describe_under_kernels.py sample                      # a minute or two for each kernel
    python scripts/describe_under_kernels.py corpus --engine upstream --store    # the log's texts into the corpus
    python scripts/describe_under_kernels.py corpus --report             # only say what the log holds

``corpus`` is ``tests/data/description_corpus.parquet``, ``sample`` the crystals of the sample in this repository.
``upstream`` is an untouched Robocrystallographer, but for one thing: the tables that it reads and the primitive cells
that it finds, again for every crystal, are kept within a process (``--untouched`` leaves even that as it is). ``fast``
is this package.

Kernels without FMA (Prescott, Nehalem, Sandybridge) run on every x86-64 processor with the instructions; SkylakeX and
later ones need AVX-512. Every line of the log says which kernel really ran.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "data" / "description_corpus.parquet"
SAMPLE = ROOT / "dataset_builder" / "sample"
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")
REFERENCE = "Nehalem"
FAILED = "error: "
AT_ONCE = 150  # crystals that one process does before another kernel has its turn


def crystals(what: str) -> list[tuple[str, str]]:
    """Names and structures: JSON for the corpus, a CIF for the sample."""
    import pyarrow.parquet as pq

    if what == "corpus":
        rows = pq.read_table(CORPUS, columns=["name", "structure"]).to_pylist()
        return [(row["name"], row["structure"]) for row in rows]
    return [
        (row["material_id"], row["cif"])
        for split in ("train", "validation", "test")
        for row in pq.read_table(SAMPLE / f"{split}.parquet", columns=["material_id", "cif"]).to_pylist()
    ]


def key(name: str, structure: str) -> str:
    """What a crystal is found again by: its name and the hash of its structure."""
    return f"{name}|{hashlib.sha256(structure.encode()).hexdigest()[:16]}"


def read_log(log: Path) -> list[dict[str, Any]]:
    """The whole lines of a log."""
    records = []
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed run
                records.append(json.loads(line))
    return records


def _structure(text: str) -> Any:  # noqa: ANN401
    from pymatgen.core import Structure

    if text.startswith("{"):
        return Structure.from_dict(json.loads(text))
    sys.path.insert(0, str(ROOT / "scripts"))
    from sample_maker.merge import structure_from_cif

    return structure_from_cif(text)


def keep_tables() -> None:
    """Have upstream keep the tables that it reads, and the primitive cells that it finds, again for every crystal."""
    from functools import cache

    from pymatgen.core.structure_matcher import StructureMatcher
    from robocrys.condense import mineral, molecule

    molecule.loadfn = cache(molecule.loadfn)
    mineral.load_mineral_db_file = cache(mineral.load_mineral_db_file)
    reduce = StructureMatcher.__dict__["_get_reduced_structure"].__func__
    kept: dict[Any, Any] = {}

    def reduced(_class: type, struct: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        content = (
            type(struct), arguments, tuple(sorted(options.items())),
            struct.lattice.matrix.tobytes(), struct.lattice.pbc, struct.frac_coords.tobytes(),
            json.dumps([site.as_dict(verbosity=0) for site in struct], default=str),
        )  # fmt: skip
        if content not in kept:
            kept[content] = reduce(_class, struct, *arguments, **options)
        return kept[content].copy()

    StructureMatcher._get_reduced_structure = classmethod(reduced)


def _describe_upstream(structure: Any) -> dict[str, str]:  # noqa: ANN401
    from robocrys import StructureCondenser, StructureDescriber

    # a new condenser each time: the mineral matcher keeps the last structure, so the order would matter
    return {"text": str(StructureDescriber().describe(StructureCondenser().condense_structure(structure)))}


def _describe_fast(structure: Any) -> dict[str, str]:  # noqa: ANN401
    from llm4mat_bench.dataset_builder.descriptions import describe_and_condense

    text, summary = describe_and_condense(structure, style="upstream")
    return {"text": text, "summary_sha256": hashlib.sha256(json.dumps(summary).encode()).hexdigest()}


def architectures() -> list[str]:
    """Which kernels run in the OpenBLAS of NumPy and that of SciPy; OpenBLAS calls Prescott by the name Katmai."""
    import numpy  # noqa: F401 - both are loaded to be asked
    import scipy.linalg  # noqa: F401
    import threadpoolctl

    loaded = [library for library in threadpoolctl.threadpool_info() if library["internal_api"] == "openblas"]
    return sorted({{"Katmai": "Prescott"}.get(name, name) for name in (library["architecture"] for library in loaded)})


def _time_out(_signal: int, _frame: Any) -> None:  # noqa: ANN401
    raise TimeoutError


def work(kernel: str, engine: str, untouched: bool, limit: int, log: Path) -> None:
    """Describe what comes on standard input, in a process that was started with the kernel."""
    warnings.simplefilter("ignore")
    todo = json.load(sys.stdin)
    running = architectures()
    if engine == "upstream" and not untouched:
        keep_tables()
    signal.signal(signal.SIGALRM, _time_out)
    with log.open("a", encoding="utf-8") as out:
        for name, text in todo:
            record: dict[str, Any] = {"key": key(name, text), "name": name, "kernel": kernel, "running": running}
            record |= {"engine": engine, "untouched": untouched}
            start = time.process_time()
            signal.alarm(limit)
            try:
                structure = _structure(text)
                record |= _describe_upstream(structure) if engine == "upstream" else _describe_fast(structure)
            except TimeoutError:
                record["time_out"] = limit
            except Exception as error:  # any error of upstream is a result
                record["error"] = f"{type(error).__name__}: {error}"
            finally:
                signal.alarm(0)
            record["seconds"] = round(time.process_time() - start, 3)
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
            out.flush()


def run(
    chosen: list[tuple[str, str]], kernels: list[str], engine: str, *, untouched: bool, limit: int, log: Path
) -> None:
    """Describe under each kernel what the log does not hold yet, some crystals at a time."""
    log.parent.mkdir(parents=True, exist_ok=True)
    done = {(r["key"], r["kernel"]) for r in read_log(log) if r["engine"] == engine and r["untouched"] >= untouched}
    size = AT_ONCE if engine == "upstream" else len(chosen)
    for start in range(0, len(chosen), size):
        for kernel in kernels:
            part = [pair for pair in chosen[start : start + size] if (key(*pair), kernel) not in done]
            if not part:
                continue
            began = time.monotonic()
            command = [sys.executable, __file__, "work", "--engine", engine, "--kernels", kernel, "--log", str(log)]
            subprocess.run(  # noqa: S603 - this script, with our own arguments
                [*command, "--limit", str(limit), *(["--untouched"] if untouched else [])],
                input=json.dumps(part), text=True, check=True,
                env=os.environ | {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            )  # fmt: skip
            sys.stderr.write(f"{kernel}: {len(part)} crystals from {start}, {time.monotonic() - began:.0f} s\n")


def outcomes(records: list[dict[str, Any]], engine: str) -> dict[str, dict[str, list[str]]]:
    """For every crystal (by its key), each text or error and the kernels that give it."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record["engine"] == engine and "time_out" not in record:
            result = record["text"] if "text" in record else FAILED + record["error"]
            ran = [kernel for kernel in record["running"] if kernel in KERNELS]
            if len(ran) == 1 and ran[0] not in found[record["key"]][result]:
                found[record["key"]][result].append(ran[0])
    return {name: dict(results) for name, results in found.items()}


def store(records: list[dict[str, Any]]) -> None:
    """Write into the corpus under which kernels upstream was run for each crystal, and what it printed; whole or not.

    The text of a crystal is that under the reference kernel, where upstream was run under it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = outcomes(records, "upstream")
    table = pq.read_table(CORPUS)
    rows = table.to_pylist()
    for row in rows:
        results = found.get(key(row["name"], row["structure"]), {})
        several = []
        for result, kernels in results.items():
            error = result.removeprefix(FAILED) if result.startswith(FAILED) else None
            outcome = {"text": result if error is None else None, "error": error}
            several.append({"kernels": sorted(kernels, key=KERNELS.index), **outcome})
            if REFERENCE in kernels:
                row.update(outcome)
        row["kernels"] = sorted(set().union(*results.values()), key=KERNELS.index)
        row["depends_on_kernel"] = len(several) > 1
        row["variants"] = several if len(several) > 1 else []
    variant = pa.struct([("kernels", pa.list_(pa.string())), ("text", pa.string()), ("error", pa.string())])
    added = [("kernels", pa.list_(pa.string())), ("depends_on_kernel", pa.bool_()), ("variants", pa.list_(variant))]
    kept = [field for field in table.schema if field.name not in dict(added)]
    metadata = {**table.schema.metadata, b"reference_kernel": REFERENCE.encode()}
    schema = pa.schema([*kept, *(pa.field(name, kind) for name, kind in added)], metadata=metadata)
    partial = CORPUS.with_suffix(".partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial, compression="zstd", compression_level=22)
    partial.replace(CORPUS)


def report(records: list[dict[str, Any]], engine: str) -> None:
    """Print which crystals have several texts."""
    found = outcomes(records, engine)
    several = {name: results for name, results in found.items() if len(results) > 1}
    ran: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record["engine"] == engine:
            ran[" and ".join(record["running"])].add(record["key"])
    print(f"{engine}: {len(several)} of {len(found)} crystals have more than one text")
    for kernel, names in ran.items():
        print(f"  {kernel}: {len(names)} crystals")
    for name, results in several.items():
        groups = " | ".join(" ".join(sorted(kernels, key=KERNELS.index)) for kernels in results.values())
        print(f"  {name.split('|')[0]}: {groups}")


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["corpus", "sample", "work"], help="`work` is used by the script itself")
    parser.add_argument("--engine", choices=["upstream", "fast"], default="fast")
    parser.add_argument("--kernels", default=",".join(KERNELS), help="names as OPENBLAS_CORETYPE takes them")
    parser.add_argument("--first", type=Path, help="a file of names, one a line: these crystals only")
    parser.add_argument("--untouched", action="store_true", help="upstream without kept tables and primitive cells")
    parser.add_argument("--limit", type=int, default=1800, help="seconds a crystal may take")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--store", action="store_true", help="write what the log holds of upstream into the corpus")
    parser.add_argument("--report", action="store_true", help="only say what the log holds")
    arguments = parser.parse_args()
    log = arguments.log or ROOT / "build" / f"kernels_{arguments.what}.jsonl"
    kernels = arguments.kernels.split(",")
    if arguments.what == "work":
        work(kernels[0], arguments.engine, arguments.untouched, arguments.limit, log)
        return
    chosen = crystals(arguments.what)
    if arguments.first:
        names = arguments.first.read_text(encoding="utf-8").splitlines()
        chosen = [pair for pair in chosen if pair[0] in names]
    if arguments.store:
        store(read_log(log))
    elif not arguments.report:
        run(chosen, kernels, arguments.engine, untouched=arguments.untouched, limit=arguments.limit, log=log)
    report(read_log(log), arguments.engine)


if __name__ == "__main__":
    main()
