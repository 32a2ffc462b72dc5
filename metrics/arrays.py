"""What the scores ask of their input, and numbers split into mantissa and power of two.

Sums of squares of 1e200 overflow and those of 1e-200 vanish, so every sum here is taken over values divided by a power
of two (which is exact) chosen from their largest magnitude, and the power is put back at the end.
"""

import math
import numbers
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ScoreError

Floats = NDArray[np.float64]


class Scaled(NamedTuple):
    """Values of moderate size and the power of two that they are to be multiplied by.

    Attributes:
        values: shape ``(n,)``, magnitudes at most 1.
        exponent: the true values are ``values * 2**exponent``.
    """

    values: Floats
    exponent: int


def as_numbers(values: ArrayLike, name: str, *, none_is_nan: bool = False) -> Floats:
    """Return ``values`` as a float64 vector; NaN and infinity pass.

    Args:
        values: anything that NumPy reads as a vector of real numbers or booleans.
        name: what to call it in an error message.
        none_is_nan: read None as NaN, rather than refuse it.

    Raises:
        ScoreError: the values are text, objects, complex, masked, or not one-dimensional, or there are none.
    """
    if np.ma.is_masked(values):
        raise ScoreError(f"{name} has masked values: fill them with NaN or drop them first")
    try:
        array: NDArray[Any] = np.asarray(values)
    except ValueError:  # lists of lists of different lengths
        raise ScoreError(f"{name} must be one-dimensional, not nested lists of different lengths") from None
    if array.ndim != 1:
        raise ScoreError(f"{name} must be one-dimensional, not of shape {array.shape}")
    if array.size == 0:
        raise ScoreError(f"{name} is empty: there is nothing to score")
    if array.dtype.kind in "US":
        raise ScoreError(f"{name} must be numbers, not text such as {str(array[0])!r}")
    if array.dtype.kind == "O":
        if none_is_nan:
            array = np.array([math.nan if value is None else value for value in array], dtype=object)
        for position, value in enumerate(array):
            if not isinstance(value, numbers.Real):
                raise ScoreError(f"{name} must be numbers: there is {value!r} at position {position}")
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise ScoreError(f"{name} has an integer beyond the range of float64") from None
    if array.dtype.kind not in "biuf":
        raise ScoreError(f"{name} must be real numbers, not {array.dtype}")
    return array.astype(np.float64, copy=False)


def require_finite(values: Floats, name: str) -> None:
    """Raise a ScoreError that counts the NaN and infinite values and places the first of them."""
    if np.isfinite(values).all():  # the usual case, one pass
        return
    for kind, bad in (("NaN", np.isnan(values)), ("infinite", np.isinf(values))):
        if count := int(bad.sum()):
            verb = "is" if count == 1 else "are"
            first = int(bad.argmax())
            raise ScoreError(f"{name}: {count} of {values.size} values {verb} {kind}, the first at position {first}")


def require_same_length(targets: Floats, predictions: Floats, name: str = "predictions") -> None:
    """Raise a ScoreError where there is not one prediction a target."""
    if targets.size != predictions.size:
        raise ScoreError(f"{targets.size} targets but {predictions.size} {name}: one {name[:-1]} a target is needed")


def finite_pair(targets: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    """Return targets and predictions as float64 vectors of one length without NaN or infinity."""
    true, predicted = as_numbers(targets, "targets"), as_numbers(predictions, "predictions")
    require_same_length(true, predicted)
    require_finite(true, "targets")
    require_finite(predicted, "predictions")
    return true, predicted


def binary_labels(targets: ArrayLike) -> NDArray[np.bool_]:
    """Return class labels as booleans.

    Raises:
        ScoreError: a label is something else than 0, 1, False or True.
    """
    labels = as_numbers(targets, "targets")
    require_finite(labels, "targets")
    positive: NDArray[np.bool_] = labels == 1.0
    other = ~positive & (labels != 0.0)
    if other.any():
        first = int(other.argmax())
        raise ScoreError(f"targets: class labels must be 0 or 1, not {labels[first]:g} (position {first})")
    return positive


def require_both_classes(positive: NDArray[np.bool_]) -> None:
    """Raise a ScoreError where all labels are the same."""
    count = int(positive.sum())
    if count in (0, positive.size):
        only = 1 if count else 0
        raise ScoreError(f"targets: all {positive.size} labels are {only}; an AUC needs both classes")


def is_constant(values: Floats) -> bool:
    """Tell whether all values are equal, bit for bit (a computed spread would depend on rounding)."""
    return bool(values.min() == values.max())


def scaled(values: Floats, exponent: int = 0) -> Scaled:
    """Divide by the power of two that brings the largest magnitude to between 1/2 and 1 (zeros stay zeros)."""
    _, power = math.frexp(max(float(values.max()), -float(values.min())))
    if abs(power) < 1000:  # a multiplication is many times faster than ldexp, and as exact while 2**-power is a float
        return Scaled(values * 2.0**-power, exponent + power)
    return Scaled(np.ldexp(values, -power), exponent + power)


def centred(values: Floats) -> Scaled:
    """Return the deviations from the mean.

    The mean of large, close values carries a rounding error as large as their spread may be; the differences from it
    are exact, so the mean of the differences mends it.
    """
    moderate = scaled(values)
    deviations = moderate.values - moderate.values.mean()
    deviations -= deviations.mean()
    return scaled(deviations, moderate.exponent)


def differences(targets: Floats, predictions: Floats) -> Scaled:
    """Return ``predictions - targets``, without overflow where the two lie at opposite ends of the range."""
    with np.errstate(over="ignore"):
        errors = predictions - targets
    if np.isfinite(errors).all():
        return scaled(errors)
    return scaled(predictions / 2 - targets / 2, 1)


def times_power_of_two(mantissa: float, exponent: int, name: str) -> float:
    """Return ``mantissa * 2**exponent``.

    Raises:
        ScoreError: the result is too large for float64.
    """
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        raise ScoreError(f"{name} is beyond the range of float64: look for absurd values in the input") from None
