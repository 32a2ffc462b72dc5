"""Run by `test_kernels.py` in a process of its own: print, as JSON, what everything that promises equal bytes gives."""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Build, check, train and score on the embedded sample in a folder that goes away."""
    import numpy as np
    import pyarrow as pa
    import threadpoolctl

    from llm4mat_bench.dataset_builder.splits import split_ids
    from llm4mat_bench.metrics import scores
    from llm4mat_bench.metrics.leaderboard.resampling import resampled_auc, resampled_mad_mae

    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _text("build", "sample", "--out", "built")
        found["built"] = _hashes(Path("built"))
        found["check"] = _text("check", "built", "--json")
        found["stats"] = _text("stats", "built", "--json")
        for task in ("sample/band_gap", "sample/is_stable"):
            run = json.loads(_text("train", "composition_gbm", task, "-m", "composition", "--out", "results", "--json"))
            found[f"predictions of {task}"] = run["predictions"]["sha256"]
            found[f"run id of {task}"] = run["run_id"]
            found[f"metrics of {task}"] = run["metrics"]
        _text("leaderboard", "results", "--out", "board", "--no-plots")
        # Records tell of the processor and the time; what is computed of them is on the pages.
        found["page"] = json.loads(Path("board", "leaderboard.json").read_text())
        for entry in (one for board in found["page"] for kind in ("entries", "apart") for one in board[kind]):
            for cell in entry["cells"].values():
                del cell["proofs"], cell["seconds"]
            for mean in entry["means"].values():
                del mean["seconds"]
    found["split"] = _sha256(json.dumps(split_ids([f"id-{i}" for i in range(1000)], seed=3)).encode())
    random = np.random.Generator(np.random.PCG64(5))
    targets, predictions = random.gamma(2.0, size=100_003), random.gamma(2.0, size=100_003)
    found["scores"] = {
        name: getattr(scores, name)(targets, predictions) for name in ("mad_mae", "mae", "rmse", "r2", "spearman")
    } | {"roc_auc": scores.roc_auc(targets > 2, predictions)}
    ids, runs = pa.array([f"id-{i}" for i in range(10_007)]), random.normal(size=(4, 10_007))
    found["resamples"] = [
        _sha256(resampled(ids, targets, runs[1:]).tobytes())
        for resampled, targets in ((resampled_mad_mae, runs[0]), (resampled_auc, (runs[0] > 0) * 1.0))
    ]
    found["kernels"] = sorted(
        {one["architecture"] for one in threadpoolctl.threadpool_info() if one["internal_api"] == "openblas"}
    )
    json.dump(found, sys.stdout)


def _text(*arguments: str) -> str:
    """Call the program and return what it prints."""
    import contextlib
    import io

    from llm4mat_bench.cli import main as program

    sys.argv = ["llm4mat-bench", *arguments]
    caught = io.StringIO()
    with contextlib.redirect_stdout(caught):
        try:
            program()
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"{arguments} ended with {end.code}") from end
    return caught.getvalue()


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): _sha256(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
