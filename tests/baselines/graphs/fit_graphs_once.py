"""A small network on a few crystals: fitted by `test_cgcnn_resume.py`, there and in a process of its own that dies.

    python -P fit_graphs_once.py WORK STEP

kills itself with SIGKILL when so many steps are done: as sudden as any other kill, and at a known place.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from llm4mat_bench.progress import silent


def fitted_in(work: Path, progress: Any = silent, task: str = "sample/is_stable") -> Any:
    """Answers of a network that was fitted in a work folder, 16 steps in 4 epochs, a checkpoint after every second."""
    import datasets

    from llm4mat_bench.baselines.graphs import cgcnn
    from llm4mat_bench.baselines.protocol import Context, Split, TaskData, Texts
    from llm4mat_bench.dataset_builder.catalogue import get_task
    from llm4mat_bench.dataset_builder.sample import read_sample

    texts = read_sample("validation", ["cif"])["cif"].to_pylist()[:40]
    targets = [float(len(text) % 7 > 3) for text in texts]
    rows = datasets.Dataset.from_dict({"material_id": [str(at) for at in range(40)], "text": texts, "target": targets})
    settings = cgcnn.Settings(
        epochs=4, batch_size=8, checkpoint_steps=2, optimizer="adamw", schedule="onecycle", learning_rate=1e-2,
        atom_features=16, hidden_features=16, convolutions=2,
    )  # fmt: skip
    train, validation = Split("train", rows.select(range(30))), Split("validation", rows.select(range(30, 40)))
    data = TaskData(get_task(task), "cif", train, validation)
    work.mkdir(exist_ok=True)
    return cgcnn.fit(data, Context(settings, seed=1, work=work, progress=progress, threads=1)).predict(Texts(texts))


def main() -> None:
    """Fit and die."""
    work, stop = Path(sys.argv[1]), int(sys.argv[2])

    def progress(words: str, done: int, total: int) -> None:
        if done == stop and words.startswith("training"):
            os.kill(os.getpid(), signal.SIGKILL)

    fitted_in(work, progress)


if __name__ == "__main__":
    main()
