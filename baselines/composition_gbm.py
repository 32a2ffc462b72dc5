"""Gradient-boosted trees on element statistics: what can be had from the formula alone, in seconds."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import DataError
from ..files import write_json, write_text
from .element_features import FEATURE_NAMES, ElementTable, UnreadableFormulaError, element_features, element_table
from .protocol import Context, Declaration, Fitted, Split, TaskData, Texts
from .protocol import Settings as BaseSettings
from .teaching import refuse_what_cannot_teach

if TYPE_CHECKING:
    import lightgbm
    import pyarrow as pa

MODEL = Declaration(
    id="composition_gbm",
    title="Gradient boosting on statistics of the elements",
    kind="classical",
    revision="2",
    modalities=("composition",),
    extra="baselines",
    libraries=("lightgbm", "pymatgen"),
    steps="trees",
)

_ROWS_WORTH_THREADS = 50_000
_ROWS_WORTH_PREDICTING_APART = 5_000
_BATCH = 20_000  # formulas; their statistics are 15 MB
_TREES, _ELEMENTS, _FACTS = "trees.txt", "elements.json", "fit.json"


class Settings(BaseSettings):
    """Settings of LightGBM; training stops when the validation error no longer falls."""

    n_estimators: int = Field(default=2000, ge=1, description="most trees")
    early_stopping_rounds: int = Field(default=100, ge=1, description="trees without improvement before it stops")
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="how much a tree counts")
    num_leaves: int = Field(default=31, ge=2, description="most leaves of a tree")
    min_child_samples: int = Field(default=10, ge=1, description="fewest rows in a leaf")
    feature_fraction: float = Field(default=0.5, gt=0, le=1, description="share of the statistics that a tree sees")
    bagging_fraction: float = Field(default=0.8, gt=0, le=1, description="share of the rows that a tree sees")
    reg_lambda: float = Field(default=1.0, ge=0, description="L2 regularisation")


class BoostedTrees(Fitted):
    """Trees, and the table of elements that they were grown on."""

    def __init__(self, booster: "lightgbm.Booster", text: str, table: ElementTable, facts: dict[str, Any]) -> None:
        """Take what `fit` found or `load` read; ``text`` is the booster in LightGBM's text format."""
        self.booster = booster
        self.text = text
        self.table = table
        self.trees: int = facts["trees"]
        self.parameters: int = facts["parameters"]
        self.facts = {"trees": self.trees}

    def predict(self, texts: Texts) -> NDArray[np.float64]:
        """Answer each formula; NaN where there is none."""
        answers = [np.empty(0)]
        for batch in _batches(texts, self.table):
            values = np.full(len(batch), np.nan)
            answered = ~np.isnan(batch[:, 0])
            if answered.any():
                threads = 1 if len(batch) < _ROWS_WORTH_PREDICTING_APART else 0
                values[answered] = self.booster.predict(batch[answered], num_threads=threads)
            answers.append(values)
        return np.concatenate(answers)

    def save(self, folder: Path) -> None:
        """Write the trees in LightGBM's text format, the elements and the facts as JSON."""
        write_text(folder / _TREES, self.text)
        self.table.write(folder / _ELEMENTS)
        write_json(folder / _FACTS, {**self.facts, "parameters": self.parameters})


def fit(data: TaskData, context: Context[Settings]) -> BoostedTrees:
    """Fit on the training rows, stop by the validation rows.

    Regression minimises the absolute error, which is what MAD:MAE asks for. Features lie on disk in single precision;
    LightGBM reads them by chunks and keeps one byte of each.

    Raises:
        DataError: The training rows cannot teach: one class, a constant target, a formula that cannot be read.
    """
    refuse_what_cannot_teach(data.train, data.task)
    lightgbm = _lightgbm()
    settings, table = context.settings, element_table()
    options: dict[str, Any] = {
        "objective": "regression_l1" if data.task.kind == "regression" else "binary",
        "metric": "l1" if data.task.kind == "regression" else "auc",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_child_samples": settings.min_child_samples,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": settings.reg_lambda,
        "seed": context.seed,
        # Threads that wait for each other cost a small task far more than they gain it, on a busy machine 20 times.
        "num_threads": 1 if len(data.train) < _ROWS_WORTH_THREADS else context.threads,
        # The same trees on any number of threads.
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    names = list(FEATURE_NAMES)
    try:
        train_x, train_y = _features_on_disk(data.train, table, context)
        validation_x, validation_y = _features_on_disk(data.validation, table, context)
        trees = lightgbm.Dataset(train_x, train_y, feature_name=names, free_raw_data=True, params=options)
        held_out = lightgbm.Dataset(validation_x, validation_y, reference=trees, feature_name=names)
        booster = lightgbm.train(
            options,
            trees,
            num_boost_round=settings.n_estimators,
            valid_sets=[held_out],
            callbacks=[
                lightgbm.early_stopping(settings.early_stopping_rounds, verbose=False),
                lambda state: context.progress("trees", state.iteration + 1, settings.n_estimators),
            ],
        )
    finally:  # no later call goes on from them; what a failure leaves shall not stay in a hidden folder
        for split in (data.train, data.validation):
            _features_file(split, context).unlink(missing_ok=True)
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    # A tree with k leaves holds k values and k - 1 splits. (LightGBM's own dump takes a tenth of the training.)
    leaves = sum(map(int, re.findall(r"^num_leaves=(\d+)$", text, re.MULTILINE)))
    facts = {"trees": booster.best_iteration, "parameters": 2 * leaves - booster.best_iteration}
    return BoostedTrees(booster, text, table, facts)


def load(folder: Path) -> BoostedTrees:
    """Read saved trees.

    Raises:
        DataError: They are none that LightGBM can read.
    """
    lightgbm = _lightgbm()
    text = (folder / _TREES).read_text(encoding="utf-8")
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise DataError(f"{folder / _TREES}: LightGBM cannot read it ({error})") from error
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    return BoostedTrees(booster, text, ElementTable.read(folder / _ELEMENTS), facts)


def _lightgbm() -> Any:  # noqa: ANN401 - the module, imported where it is used
    """LightGBM, its threads told to sleep while they wait for each other.

    OpenMP reads the policy when it is loaded. Threads that spin cost a busy machine 25 times the work (measured: two of
    them on two cores that ten other processes shared).
    """
    policy = "OMP_WAIT_POLICY"
    given = os.environ.get(policy)
    os.environ[policy] = given or "PASSIVE"
    try:
        import lightgbm
    finally:
        if given is None:
            del os.environ[policy]
    return lightgbm


def _batches(texts: Texts, table: ElementTable, where: str = "") -> Iterator[NDArray[np.float32]]:
    """Yield features of batches of formulas, each formula of a batch worked out once."""
    done = 0
    for batch in texts.batches(_BATCH):
        try:
            yield _of_batch(batch, table)
        except UnreadableFormulaError as error:
            row = done + batch.index(error.formula).as_py() + 1
            remedy = "; mend it, or leave it empty: a row without a formula is passed over" if where else ""
            raise DataError(f"{where}{UnreadableFormulaError(error.formula, row)}{remedy}") from error
        done += len(batch)


def _of_batch(batch: "pa.Array", table: ElementTable) -> NDArray[np.float32]:
    encoded = batch.dictionary_encode()
    known = element_features(encoded.dictionary.to_pylist(), table).astype(np.float32)
    missing = np.full((1, known.shape[1]), np.nan, dtype=np.float32)  # the place -1
    features: NDArray[np.float32] = np.concatenate([known, missing])[
        encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    ]
    return features


def _features_on_disk(split: Split, table: ElementTable, context: Context[Settings]) -> tuple[Any, NDArray[np.float64]]:
    """Write the features of the rows that have a formula; give them, as LightGBM reads from disk, and the targets."""
    path = _features_file(split, context)
    usable = []
    with path.open("wb") as handle:
        for features in _batches(split.texts, table, f"split {split.name}, "):
            answered = ~np.isnan(features[:, 0])
            handle.write(features[answered].tobytes())
            usable.append(answered)
            context.progress(f"element statistics, {split.name}", sum(map(len, usable)), len(split))
    mask = np.concatenate(usable)
    if not mask.any():
        raise DataError(f"split {split.name}: no row has a composition")
    return _sequence(path, int(mask.sum())), split.targets[mask]


def _features_file(split: Split, context: Context[Settings]) -> Path:
    return context.work / f"{split.name}.features"


def _sequence(path: Path, rows: int) -> Any:  # noqa: ANN401 - the class needs LightGBM, which is imported where used
    import lightgbm

    width = len(FEATURE_NAMES)

    class OnDisk(lightgbm.Sequence):  # type: ignore[misc]
        """Rows of features, read when LightGBM asks for them."""

        batch_size = _BATCH

        def __len__(self) -> int:
            return rows

        def __getitem__(self, index: int | slice) -> NDArray[np.float64]:
            at = index if isinstance(index, slice) else slice(index, index + 1)
            count = at.stop - at.start
            found = np.fromfile(path, np.float32, count * width, offset=at.start * width * 4).astype(np.float64)
            return found.reshape(count, width) if isinstance(index, slice) else found

    return OnDisk()
