"""Run by `test_resume.py` in a process of its own: fit a tiny model, write what it answers.

    python -P fit_once.py MODEL WORK CHECKPOINT ANSWERS [STEP [scoring]]

MODEL is encoder, or lora for a decoder that is taught to write answers.

With STEP, the process kills itself with SIGKILL when so many steps are done: as sudden as any other kill, and at a
known place. With ``scoring``, it does so when it is about to score the epoch that ends there.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Fit and predict."""
    import datasets

    from llm4mat_bench.baselines.protocol import Context, Split, TaskData, Texts
    from llm4mat_bench.baselines.text import encoder, lora, training
    from llm4mat_bench.dataset_builder.catalogue import get_task

    module = {"encoder": encoder, "lora": lora}[sys.argv[1]]
    work, checkpoint, answers = map(Path, sys.argv[2:5])
    stop = int(sys.argv[5]) if len(sys.argv) > 5 else None
    texts = [f"{['NaCl', 'Fe2O3', 'Si'][at % 3]} {'bond length ' * (at % 7)}" for at in range(40)]
    rows = datasets.Dataset.from_dict(
        {"material_id": [str(at) for at in range(40)], "text": texts, "target": [float(at % 3) for at in range(40)]}
    )

    scoring = sys.argv[6:] == ["scoring"]

    def progress(words: str, done: int, total: int) -> None:
        if done == stop and words.startswith("training"):
            if not scoring:
                os.kill(os.getpid(), signal.SIGKILL)
            training.logits_of = lambda *_: os.kill(os.getpid(), signal.SIGKILL)

    given = {"model_id": str(checkpoint), "epochs": 3, "batch_size": 4, "checkpoint_steps": 5, "learning_rate": 1e-3}
    if module is lora:
        given |= {"form": "instruction", "bond_lengths": True, "learning_rate": 1e-2, "r": 16}
    settings = module.resolve(module.Settings(**given))
    data = TaskData(
        get_task("sample/band_gap"), "description", Split("train", rows), Split("validation", rows.select(range(9)))
    )
    fitted = module.fit(data, Context(settings, seed=1, work=work, progress=progress))
    found = fitted.answer(Texts(texts))
    answers.write_text(json.dumps([found.values.tolist(), dict(found.columns)]))


if __name__ == "__main__":
    main()
