"""The page of the Space: paste predictions beside references, read the scores.

Evaluate's own ``launch_gradio_widget`` calls ``gradio.inputs``, which gradio dropped in version 4; this does the same
with today's gradio, for both configurations.
"""

from pathlib import Path
from typing import Any

import evaluate
import gradio

FOLDER = Path(__file__).resolve().parent
EXAMPLE = {"regression": "1.0, 1.0\n2.0, 3.0\n3.0, 3.0\n6.0, 4.0", "classification": "0, 0.1\n0, 0.4\n1, 0.35\n1, 0.8"}


def read_pairs(text: str) -> tuple[list[float], list[float]]:
    """Read lines of ``reference, prediction``; an empty prediction is a missing answer (NaN).

    Raises:
        ValueError: a line is something else; the message has its number.
    """
    references, predictions = [], []
    for number, line in enumerate(text.strip().splitlines(), start=1):
        cells = [cell.strip() for cell in line.split(",")]
        try:
            reference, prediction = float(cells[0]), float(cells[1] or "nan")
        except (ValueError, IndexError):
            raise ValueError(f"line {number}: expected 'reference, prediction', not {line!r}") from None
        references.append(reference)
        predictions.append(prediction)
    return references, predictions


def score(config: str, text: str, protocol: str, score_kind: str, train_mean: float | None) -> dict[str, Any]:
    """Score what was pasted."""
    settings = {"score_kind": score_kind} if config == "classification" else {"train_mean": train_mean}
    try:
        references, predictions = read_pairs(text)
        metric = evaluate.load(str(FOLDER / "llm4mat_score.py"), config)  # the folder has another name in a Space
        result: dict[str, Any] = metric.compute(
            predictions=predictions, references=references, protocol=protocol, confidence=0.95, **settings
        )
    except ValueError as error:
        raise gradio.Error(str(error)) from None
    return result


def interface() -> gradio.Blocks:
    """Lay out the page."""
    card = (FOLDER / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    with gradio.Blocks(title="LLM4Mat-Bench score") as page:
        gradio.Markdown("# LLM4Mat-Bench score\nOne material a line: `reference, prediction`; leave a missing one out.")
        config = gradio.Radio(list(EXAMPLE), value="regression", label="Configuration")
        pairs = gradio.Textbox(EXAMPLE["regression"], lines=8, label="reference, prediction")
        protocol = gradio.Radio(["whole", "published"], value="whole", label="Protocol")
        kind = gradio.Radio(["probability", "logit", "hard_label"], value="probability", label="Scores are (classes)")
        mean = gradio.Number(None, label="Training mean (regression, where answers are missing)")
        config.change(EXAMPLE.get, config, pairs)
        gradio.Button("Score", variant="primary").click(score, [config, pairs, protocol, kind, mean], gradio.JSON())
        gradio.Markdown(card)
    return page


if __name__ == "__main__":
    interface().launch()
