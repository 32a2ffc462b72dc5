"""What the task file of lighteval imports: the tasks of a folder, asked by its endpoint mode."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lighteval.metrics.metrics_sample import SampleLevelComputation
from lighteval.metrics.utils.metric_utils import CorpusLevelMetric
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc, SamplingMethod

from ...dataset_builder.catalogue import get_task
from .lm_eval import METRIC
from .scoring import Answered, coverage_of, headline_of, read_value
from .write import read_settings

__all__ = ["tasks_in"]


class ReadAnswer(SampleLevelComputation):
    """Reads one answer with the parser of llm4mat-bench."""

    def compute(self, doc: Doc, model_response: Any, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - of lighteval
        """Read the first answer to a question."""
        known = doc.specific
        value = read_value(model_response.final_text[0], known["task"])
        return Answered(value, known["target"], known["training_mean"], known["task"])._asdict()


def tasks_in(folder: Path) -> list[LightevalTaskConfig]:
    """The tasks whose questions lie in a folder."""
    return [_task(one) for one in sorted(folder.iterdir()) if one.is_dir()]


def _task(folder: Path) -> LightevalTaskConfig:
    settings = read_settings(folder)
    return LightevalTaskConfig(
        name=folder.name,
        prompt_function=_question,
        hf_repo=str(folder),
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        metrics=[
            _metric(METRIC[get_task(settings["task"]).kind], _headline),
            _metric("coverage", _coverage),
        ],
        generation_size=settings["max_tokens"],
        stop_sequence=[],
        version=settings["version"],
    )


def _metric(name: str, aggregate: Callable[[Sequence[Any]], float]) -> CorpusLevelMetric:
    return CorpusLevelMetric(
        metric_name=name,
        higher_is_better=True,
        category=SamplingMethod.GENERATIVE,
        sample_level_fn=ReadAnswer(),
        corpus_level_fn=aggregate,
    )


# functions of the module, since lighteval sends them to other processes
def _headline(items: Sequence[Any]) -> float:
    return headline_of([Answered(**one) for one in items])


def _coverage(items: Sequence[Any]) -> float:
    return coverage_of([Answered(**one) for one in items])


def _question(line: dict[str, Any], task_name: str) -> Doc:
    (message,) = line["messages"]
    known = {name: line[name] for name in ("task", "target", "training_mean")}
    return Doc(
        task_name=task_name, query=message["content"], choices=[str(line["target"])], gold_index=0, specific=known
    )
