"""The form in which an answer is asked for: the value of a shot, the JSON schema of a structured answer."""

import json
import math
from decimal import Decimal

from pydantic import JsonValue

from ..dataset_builder.catalogue import Task


def answer_schema(task: Task) -> dict[str, JsonValue]:
    """JSON schema of the answer: one key, the property's name, with a number or one of the two class names.

    Bounds are left out on purpose: a value that cannot be is a finding (``out_of_range``), not something to prevent.
    """
    classes = task.property.classes
    value: dict[str, JsonValue] = (
        {"type": "number"} if classes is None else {"type": "string", "enum": [classes.positive, classes.negative]}
    )
    return {
        "type": "object",
        "properties": {task.property.name: value},
        "required": [task.property.name],
        "additionalProperties": False,
    }


def shown_value(target: float | bool, task: Task, digits: int | None) -> str:
    """A target as it stands in a shot, as JSON: a plain decimal number of that many digits, or a class name."""
    classes = task.property.classes
    if classes is not None:
        return json.dumps(classes.positive if target else classes.negative, ensure_ascii=False)
    value = float(target)
    if not math.isfinite(value):
        raise ValueError(f"{task.name}: a shot cannot show {value}")
    if digits is not None:
        value = float(f"{value:.{digits}g}")
    written = format(Decimal(repr(value)), "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written in ("-0", "") else written


def answer_text(target: float | bool, task: Task, digits: int | None) -> str:
    """The answer that is asked for, with its value: one JSON object with one key."""
    return f"{{{json.dumps(task.property.name)}: {shown_value(target, task, digits)}}}"
