"""The evaluate module as a user meets it: load, compute, add_batch, combine, save.

Importing evaluate is slow, so this is the only test module that does.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from llm4mat_bench.metrics import module_path
from llm4mat_bench.metrics.protocols import score_classification, score_regression

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory):
    """Evaluate itself, writing its caches into a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("hf")
        patch.setenv("HF_EVALUATE_OFFLINE", "1")
        library = pytest.importorskip("evaluate")
        patch.setattr(library.config, "HF_METRICS_CACHE", str(home / "metrics"))
        patch.setattr(library.config, "HF_EVALUATE_CACHE", str(home / "evaluate"))
        patch.setattr(library.config, "HF_MODULES_CACHE", str(home / "modules"))
        yield library


@pytest.fixture
def regression(evaluate, tmp_path: Path):
    return evaluate.load(str(module_path()), "regression", cache_dir=str(tmp_path))


@pytest.fixture
def classification(evaluate, tmp_path: Path):
    return evaluate.load(str(module_path()), "classification", cache_dir=str(tmp_path))


def test_regression_gives_the_protocols_numbers(regression) -> None:
    random = np.random.default_rng(0)
    targets = random.normal(size=300) + 1e6  # float32 on the way would show
    predictions = targets + random.normal(size=300) * 0.2
    result = regression.compute(predictions=predictions, references=targets)
    expected = score_regression(targets, predictions).whole
    assert {"mad_mae", "mae", "rmse", "r2", "spearman", "mad", "coverage", "n", "n_total", "protocol"} == set(result)
    for name in ("mad_mae", "mae", "rmse", "r2", "spearman", "mad"):
        assert result[name] == getattr(expected, name).value, name
    assert (result["n"], result["coverage"], result["protocol"]) == (300, 1.0, "whole")


def test_classification_gives_roc_auc_and_friends(classification) -> None:
    random = np.random.default_rng(0)
    labels = random.random(300) < 0.4
    logits = random.normal(size=300) + labels
    result = classification.compute(predictions=logits, references=labels, score_kind="logit")
    expected = score_classification(labels, logits, "logit").whole
    for name in ("roc_auc", "accuracy", "balanced_accuracy", "precision", "recall", "f1"):
        assert result[name] == getattr(expected, name).value, name
    assert (result["n"], result["coverage"], result["score_kind"]) == (300, 1.0, "logit")
    with pytest.raises(ValueError, match="not probabilities"):
        classification.compute(predictions=logits, references=labels)
    with pytest.raises(ValueError, match=r"class labels must be 0 or 1, not 0\.7"):
        classification.compute(predictions=[0.1, 0.2], references=[0.7, 1])


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_answers_under_both_protocols(regression, classification, missing: float | None) -> None:
    targets = [float(i) for i in range(20)]
    predictions = [missing, *targets[2:], 19.0, missing][:20]
    predictions[-1] = missing
    whole = regression.compute(predictions=predictions, references=targets, train_mean=9.0)
    assert (whole["n"], whole["n_total"], whole["coverage"]) == (20, 20, 0.9)
    assert whole["mae"] == pytest.approx((9 + 18 + 10) / 20)
    published = regression.compute(predictions=predictions, references=targets, protocol="published")
    assert (published["n"], published["coverage"], published["mae"]) == (18, 0.9, 1.0)
    with pytest.raises(ValueError, match="2 of 20 predictions are missing: give train_mean"):
        regression.compute(predictions=predictions, references=targets)
    refused = regression.compute(predictions=predictions[:5], references=targets[:5], protocol="published")
    assert refused["mad_mae"] is None and "4 valid answers" in refused["undefined"]["mad_mae"]
    scored = classification.compute(predictions=[0.9, missing, 0.1, missing], references=[1, 1, 0, 0])
    assert (scored["roc_auc"], scored["accuracy"], scored["coverage"]) == (0.875, 0.5, 0.5)


def test_intervals_come_on_request_and_survive_save(evaluate, regression, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    targets = random.normal(size=100)
    predictions = targets + random.normal(size=100)
    result = regression.compute(predictions=predictions, references=targets, confidence=0.9, seed=5)
    expected = score_regression(targets, predictions, confidence=0.9, seed=5).whole
    assert result["intervals"]["mad_mae"] == expected.mad_mae.interval.model_dump()
    assert set(result["intervals"]) == {"mad_mae", "mae", "rmse", "r2", "spearman", "mad"}
    path = evaluate.save(tmp_path / "result.json", **result, model="ours")
    saved = json.loads(Path(path).read_text(), parse_constant=pytest.fail)
    assert {key: saved[key] for key in result} == result


def test_perfect_predictions_save_as_json(evaluate, regression, tmp_path: Path) -> None:
    result = regression.compute(predictions=[1.0, 2.0, 4.0], references=[1.0, 2.0, 4.0])
    assert result["mad_mae"] is None and result["mae"] == 0.0
    assert result["undefined"] == {"mad_mae": "every prediction is exact: MAE is 0"}
    path = evaluate.save(tmp_path, **result)
    assert json.loads(Path(path).read_text(), parse_constant=pytest.fail)["mad_mae"] is None


def test_add_and_add_batch_collect(regression) -> None:
    regression.add_batch(predictions=[1.0, 3.0], references=[1.0, 2.0])
    regression.add_batch(predictions=np.array([3.0]), references=np.array([3.0]))
    regression.add(prediction=4.0, reference=6.0)
    result = regression.compute()
    assert (result["mad_mae"], result["mae"], result["n"]) == (2.0, 0.75, 4)


def test_combine_with_itself_and_with_another_metric(evaluate, regression, classification, tmp_path: Path) -> None:
    other = tmp_path / "largest_error"
    other.mkdir()
    (other / "largest_error.py").write_text(
        "import datasets\nimport evaluate\n\n\n"
        "class LargestError(evaluate.Metric):\n"
        "    def _info(self):\n"
        "        value = datasets.Value('float64')\n"
        "        return evaluate.MetricInfo(description='', citation='', inputs_description='',\n"
        "            features=datasets.Features({'predictions': value, 'references': value}))\n\n"
        "    def _compute(self, predictions, references):\n"
        "        return {'largest': max(abs(p - r) for p, r in zip(predictions, references))}\n"
    )
    together = evaluate.combine([regression, evaluate.load(str(other), cache_dir=str(tmp_path))])
    result = together.compute(predictions=[1.0, 3.0, 3.0, 4.0], references=[1.0, 2.0, 3.0, 6.0])
    assert (result["mad_mae"], result["largest"]) == (2.0, 2.0)

    named = evaluate.combine({"value": regression, "class": classification})
    named.add_batch(predictions=[0.1, 0.4, 0.35, 0.8], references=[0, 0, 1, 1])
    result = named.compute()
    assert result["roc_auc"] == 0.75 and result["mae"] == pytest.approx((0.1 + 0.4 + 0.65 + 0.2) / 4)
    assert result["value_n"] == result["class_n"] == 4
    evaluate.save(tmp_path / "both.json", **result)


def test_errors_name_the_remedy(evaluate, regression, classification) -> None:
    with pytest.raises(ValueError, match='needs a configuration, "regression" or "classification", and none was given'):
        evaluate.load(str(module_path()))
    with pytest.raises(ValueError, match="'regresion' was given"):
        evaluate.load(str(module_path()), "regresion")
    with pytest.raises(ValueError, match="protocol must be 'whole' or 'published', not 'best'"):
        regression.compute(predictions=[1.0], references=[1.0], protocol="best")
    with pytest.raises(ValueError, match="score_kind belongs to the configuration 'classification'"):
        regression.compute(predictions=[1.0], references=[1.0], score_kind="logit")
    with pytest.raises(ValueError, match="train_mean belongs to the configuration 'regression'"):
        classification.compute(predictions=[1.0], references=[1.0], train_mean=1.0)
    with pytest.raises(ValueError, match="Mismatch in the number of predictions"):
        regression.compute(predictions=[1.0, 2.0], references=[1.0])
    with pytest.raises(ValueError, match="could not convert string to float"):
        regression.compute(predictions=["a lot"], references=[1.0])


def test_the_card_is_that_of_a_metric_space_and_its_examples_are_true(evaluate, regression, classification) -> None:
    text = (module_path() / "README.md").read_text()
    front, card = text.removeprefix("---\n").split("---\n", 1)
    settings = yaml.safe_load(front)
    assert settings["sdk"] == "gradio" and settings["app_file"] == "app.py"
    assert {"evaluate", "metric"} <= set(settings["tags"])
    assert all((module_path() / name).is_file() for name in ("app.py", "requirements.txt", "llm4mat_score.py"))
    assert "llm4mat-bench" in (module_path() / "requirements.txt").read_text().split()
    example = re.search(r"```python\n(.*?)```", card, re.DOTALL).group(1)
    printed = re.findall(r"'(\w+)': ([-\d.]+)", example)
    calls = re.findall(r"^metric\.compute\((.*)\)$", example, re.MULTILINE)
    assert len(calls) == 2 and len(printed) >= 10
    results = {}
    for metric, call in zip((classification, regression), reversed(calls), strict=True):
        results |= metric.compute(**eval(f"dict({call})"))  # our own card
    for name, value in printed:
        assert repr(results[name]).startswith(value.removesuffix("...")), name


def test_the_page_of_the_space(tmp_path: Path, evaluate) -> None:
    """Without a browser, and where gradio is installed: it is the Space's dependency, not ours."""
    pytest.importorskip("gradio", minversion="5")
    import shutil
    import sys

    folder = tmp_path / "app"  # a Space is cloned into a folder of this name
    shutil.copytree(module_path(), folder)
    sys.path.insert(0, str(folder))
    try:
        import app
    finally:
        sys.path.remove(str(folder))
    app.interface()
    assert app.score("regression", "1,1\n2,\n3,3\n6,4", "whole", "logit", 3.0)["mad_mae"] == 2.0
