"""The whole check: every source, every target, every modality."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, advance_of, silent
from ..dataset_folder.reading import DatasetFolder, SourceFiles
from .classes import best_split
from .features import is_literal
from .models import Finding, LeakageReport, Limits
from .sampling import FeatureTable, Floats, Target, draw_rows, read_features, read_targets
from .search import Fit, Numbers, Rows, best_by_chance, choose_numbers, exact_search, lift, make_rows, nearest

_LEAST_ROWS = 12
Index = NDArray[np.int64]


def check_leakage(
    folder: DatasetFolder,
    *,
    sources: Sequence[str] | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> LeakageReport:
    """Find the targets of a built dataset that can be read or worked out from the text of a modality.

    Args:
        folder: The dataset.
        sources: Names of the sources to look at; all of them if left out.
        limits: When an expression counts as a leak.
        progress: Called as the work goes on.

    Raises:
        DataError: A shard cannot be read.
        UsageError: An unknown source.
    """
    limits = limits or Limits()
    findings: list[Finding] = []
    chosen = folder.select(sources)
    sampled = {}
    for source in chosen:
        found, sampled[source.name] = _check_source(source, limits, progress)
        findings += found
    return LeakageReport(
        limits=limits,
        rows={source.name: source.total_rows for source in chosen},
        rows_sampled=sampled,
        findings=tuple(findings),
    )


def _check_source(source: SourceFiles, limits: Limits, progress: Progress) -> tuple[list[Finding], int]:
    columns = read_targets(source)
    rows = draw_rows(source, columns, limits.rows, limits.seed)
    targets = [
        Target(name, "classification" if name in source.classes else "regression", values[rows])
        for name, values in columns.items()
    ]
    findings = []
    for modality in source.modalities:
        advance = advance_of(f"{source.name}: reading {modality}", source.total_rows, progress)
        table = read_features(source, modality, rows, targets, advance)
        for index, target in enumerate(targets):
            progress(f"{source.name}: searching {modality}", index, len(targets))
            findings.append(_check_target(source.name, modality, target, table, limits))
        progress(f"{source.name}: searching {modality}", len(targets), len(targets))
    order = {target.name: index for index, target in enumerate(targets)}
    return sorted(findings, key=lambda one: order[one.target]), len(rows)


def _check_target(source: str, modality: str, target: Target, table: FeatureTable, limits: Limits) -> Finding:
    blank = Finding(
        source=source,
        target=target.name,
        modality=modality,
        kind="classification" if target.kind == "classification" else "regression",
        verdict="untested",
    )
    labelled = np.flatnonzero(np.isfinite(target.values) & np.isfinite(table.hits[target.name]))[: limits.rows]
    if len(labelled) < _LEAST_ROWS:
        return blank.model_copy(update={"note": f"{len(labelled)} labelled rows with this text, {_LEAST_ROWS} needed"})
    rows = make_rows(target.values[labelled])
    blank = blank.model_copy(update={"rows_fitted": len(rows.fit), "rows_held_out": len(rows.held_out)})
    if np.ptp(rows.target) == 0:
        return blank.model_copy(update={"note": "the target has one value only"})
    if target.kind == "regression" and min(rows.informative[half].sum() for half in (rows.fit, rows.held_out)) < 5:
        return blank.model_copy(update={"note": "too few rows differ from the most common value"})
    if target.kind == "classification":
        return _check_classes(blank, rows, table, labelled, limits)
    return _check_numbers(blank, rows, table, labelled, limits)


def _check_classes(blank: Finding, rows: Rows, table: FeatureTable, labelled: Index, limits: Limits) -> Finding:
    if len(np.unique(rows.target)) > 2:
        return blank.model_copy(update={"note": "more than two classes are not searched"})
    values = np.hstack([table.values[labelled], table.words[labelled].astype(np.float64)])
    split = best_split(values, rows)
    if split is None:
        return blank.model_copy(update={"note": "one class only, or nothing that varies in the text"})
    is_word = split.column >= len(table.names)
    if is_word:
        name = table.word_names[split.column - len(table.names)]
        expression = f"“{name}” is {'there' if split.above else 'not there'}"
    else:
        expression = f"{table.names[split.column]} {'>' if split.above else '≤'} {split.threshold:.6g}"
    certain = split.p_value <= limits.p_value
    verdict = "none"
    if certain and split.balanced_accuracy >= limits.balanced_accuracy:
        verdict = "copied" if is_word else "derived"
    elif certain and split.auc >= limits.near_r2:
        verdict = "near"
    return blank.model_copy(
        update={
            "verdict": verdict,
            "expression": expression,
            "auc": split.auc,
            "balanced_accuracy": split.balanced_accuracy,
            "features": values.shape[1],
        }
    )


def _check_numbers(blank: Finding, rows: Rows, table: FeatureTable, labelled: Index, limits: Limits) -> Finding:
    numbers, left_out = choose_numbers(table.names, table.values[labelled], table.half_units[labelled], limits)
    blank = blank.model_copy(update={"features": len(numbers.names), "features_left_out": left_out})
    fits = exact_search(numbers, rows, limits)
    if fits:
        chance = best_by_chance(numbers, rows, limits, limits.seed)
        fits = [fit for fit in fits if lift(fit.informative_coverage, max(chance, fit.control)) >= limits.lift]
    if fits:
        best = fits[0]
        literal = best.expression.form == "copy" and is_literal(numbers.names[best.expression.columns[0]])
        verdict = "copied" if literal else "derived"
        control = max(chance, best.control)
        others = tuple(fit.expression.write(numbers.names, fit.constant) for fit in fits[1:6])
        return _with_fit(blank, best, numbers, rows).model_copy(
            update={"verdict": verdict, "control": control, "others": others}
        )
    shown = _shown_somewhere(blank, rows, table, labelled, limits)
    if shown is not None:
        return shown
    near = nearest(numbers, rows)
    if near is None:
        return blank.model_copy(update={"verdict": "none", "note": "no number that varies stands in nearly all texts"})
    expression, slope, offset = near
    prediction = slope * expression.evaluate(numbers.values) + offset
    written = f"{expression.write(numbers.names, slope)} {'+' if offset >= 0 else '-'} {abs(offset):.6g}"
    scores = _scores(rows, prediction)
    verdict = "near" if (scores["r2"] or 0) >= limits.near_r2 else "none"
    return blank.model_copy(update={"verdict": verdict, "expression": written, **scores})


def _shown_somewhere(
    blank: Finding, rows: Rows, table: FeatureTable, labelled: Index, limits: Limits
) -> Finding | None:
    """Look whether the value stands anywhere in the text, wherever that is, with three digits or more."""
    told = rows.held_out[rows.informative[rows.held_out]]
    if len(told) == 0:
        return None
    hits = table.hits[blank.target][labelled]
    control = float(table.chance_hits[blank.target][labelled][told].mean())
    coverage = float(hits[told].mean())
    if coverage < limits.coverage or lift(coverage, control) < limits.lift:
        return None
    return blank.model_copy(
        update={
            "verdict": "copied",
            "expression": "a number somewhere in the text, as printed",
            "coverage": float(hits[rows.held_out].mean()),
            "informative_coverage": coverage,
            "control": control,
        }
    )


def _with_fit(blank: Finding, fit: Fit, numbers: Numbers, rows: Rows) -> Finding:
    return blank.model_copy(
        update={
            "expression": fit.expression.write(numbers.names, fit.constant),
            "coverage": fit.coverage,
            "informative_coverage": fit.informative_coverage,
            "median_relative_error": fit.median_relative_error,
            **_scores(rows, fit.prediction),
        }
    )


def _scores(rows: Rows, prediction: Floats) -> dict[str, float | None]:
    """R², MAE and MAD:MAE on the held-out rows that have a prediction."""
    told = rows.held_out[np.isfinite(prediction[rows.held_out])]
    target, predicted = rows.target[told], prediction[told]
    if len(told) < 3 or np.ptp(target) == 0:
        return {"r2": None, "mae": None, "mad_mae": None}
    error = predicted - target
    mae = float(np.abs(error).mean())
    mad = float(np.abs(target - target.mean()).mean())
    r2 = 1 - float((error**2).sum()) / float(((target - target.mean()) ** 2).sum())
    return {"r2": r2, "mae": mae, "mad_mae": mad / mae if mae > 0 else None}
