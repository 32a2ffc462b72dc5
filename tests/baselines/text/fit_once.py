"""Run by `test_resume.py` in a process of its own: fit a tiny encoder, write what it answers.

    python -P fit_once.py WORK CHECKPOINT ANSWERS [STEP]

With STEP, the process kills itself with SIGKILL when so many steps are done: as sudden as any other kill, and at a
known place.
"""

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Fit and predict."""
    import datasets
    import numpy as np

    from llm4mat_bench.baselines.protocol import Context, Split, TaskData, Texts
    from llm4mat_bench.baselines.text import encoder
    from llm4mat_bench.dataset_builder.catalogue import get_task

    work, checkpoint, answers = map(Path, sys.argv[1:4])
    stop = int(sys.argv[4]) if len(sys.argv) > 4 else None
    texts = [f"{['NaCl', 'Fe2O3', 'Si'][at % 3]} {'bond length ' * (at % 7)}" for at in range(40)]
    rows = datasets.Dataset.from_dict(
        {"material_id": [str(at) for at in range(40)], "text": texts, "target": [float(at % 3) for at in range(40)]}
    )

    def progress(words: str, done: int, total: int) -> None:
        if stop is not None and done == stop and words.startswith("epoch"):
            os.kill(os.getpid(), signal.SIGKILL)

    settings = encoder.resolve(
        encoder.Settings(model_id=str(checkpoint), epochs=3, batch_size=4, checkpoint_steps=3, learning_rate=1e-3)
    )
    data = TaskData(
        get_task("sample/band_gap"), "description", Split("train", rows), Split("validation", rows.select(range(9)))
    )
    fitted = encoder.fit(data, Context(settings, seed=1, work=work, progress=progress))
    np.save(answers, fitted.predict(Texts(texts)))


if __name__ == "__main__":
    main()
