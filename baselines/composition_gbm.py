"""Gradient-boosted trees on element statistics: what can be had from the formula alone, in seconds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from ..dataset_builder.catalogue import Kind
from ..errors import DataError
from .element_features import FEATURE_NAMES, element_features
from .models import Answers, Progress, Rows
from .models import Settings as BaseSettings

_ROWS_WORTH_THREADS = 50_000


class Settings(BaseSettings):
    """Settings of LightGBM; training stops when the validation error no longer falls."""

    n_estimators: int = Field(default=2000, ge=1, description="most trees")
    early_stopping_rounds: int = Field(default=100, ge=1, description="trees without improvement before it stops")
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    num_leaves: int = Field(default=31, ge=2)
    min_child_samples: int = Field(default=10, ge=1)
    feature_fraction: float = Field(default=0.5, gt=0, le=1)
    bagging_fraction: float = Field(default=0.8, gt=0, le=1)
    reg_lambda: float = Field(default=1.0, ge=0)


def fit_and_predict(
    train: Rows,
    validation: Rows,
    test_texts: Sequence[str | None],
    kind: Kind,
    settings: BaseSettings,
    seed: int,
    progress: Progress,
) -> Answers:
    """Fit on the training rows, stop by the validation rows, answer the test rows.

    Regression minimises the absolute error, which is what MAD:MAE asks for.
    """
    import lightgbm

    assert isinstance(settings, Settings)  # noqa: S101 - the registry pairs the two
    progress(0.0, "element statistics")
    train_x, train_y = _matrix(train, "train")
    validation_x, validation_y = _matrix(validation, "validation")
    test_x = _features(test_texts, "test")
    options: dict[str, Any] = {
        "objective": "regression_l1" if kind == "regression" else "binary",
        "metric": "l1" if kind == "regression" else "auc",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_child_samples": settings.min_child_samples,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": settings.reg_lambda,
        "seed": seed,
        # Threads that wait for each other cost a small task far more than they gain it, on a busy machine 20 times.
        "num_threads": 1 if len(train_y) < _ROWS_WORTH_THREADS else 0,
        # The same trees on any number of threads.
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    names = list(FEATURE_NAMES)
    trees = lightgbm.Dataset(train_x, train_y, feature_name=names, free_raw_data=True)
    held_out = lightgbm.Dataset(validation_x, validation_y, reference=trees, feature_name=names)
    booster = lightgbm.train(
        options,
        trees,
        num_boost_round=settings.n_estimators,
        valid_sets=[held_out],
        callbacks=[
            lightgbm.early_stopping(settings.early_stopping_rounds, verbose=False),
            lambda state: progress((state.iteration + 1) / settings.n_estimators, f"tree {state.iteration + 1}"),
        ],
    )
    values = np.full(len(test_texts), np.nan)
    answered = ~np.isnan(test_x[:, 0])
    if answered.any():
        values[answered] = booster.predict(test_x[answered], num_iteration=booster.best_iteration)
    progress(1.0, f"{booster.best_iteration} trees")
    # A tree with k leaves holds k values and k - 1 splits.
    leaves = sum(tree["num_leaves"] for tree in booster.dump_model(num_iteration=booster.best_iteration)["tree_info"])
    return Answers(values, parameters=2 * leaves - booster.best_iteration, fitted={"trees": booster.best_iteration})


def _features(texts: Sequence[str | None], split: str) -> np.ndarray:
    try:
        return element_features(texts)
    except ValueError as error:
        raise DataError(f"split {split}, {error}") from error


def _matrix(rows: Rows, split: str) -> tuple[np.ndarray, np.ndarray]:
    features = _features(rows.texts, split)
    usable = ~np.isnan(features[:, 0])
    if not usable.any():
        raise DataError(f"split {split}: no row has a composition")
    return features[usable], rows.targets[usable]
