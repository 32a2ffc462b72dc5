"""What pydantic finds wrong with a value, in the words of people who have never heard of pydantic."""

from typing import Any, NamedTuple

from pydantic import ValidationError

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here (misspelt?)",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "dict_type": "must be a list of names with values",
    "model_type": "must be a list of names with values",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "is not of the form that is needed ({pattern})",
    "string_too_long": "is longer than {max_length} characters",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "does not say of which kind it is ({discriminator})",
    "json_invalid": "is no JSON: {error}",
}


class Fault(NamedTuple):
    """The first thing that is wrong.

    Attributes:
        where: Names and numbers that lead to it, joined by points; "the whole file" at the top.
        what: What is wrong with it, to be read after its name.
        n_faults: How many faults there are in all.
        value: What stands there.
    """

    where: str
    what: str
    n_faults: int
    value: Any

    @property
    def told(self) -> str:
        """All in one line, without the value."""
        return f"{self.where} {self.what}" + (f" ({self.n_faults} faults in all)" if self.n_faults > 1 else "")


def first_fault(error: ValidationError) -> Fault:
    """Say in plain words what is wrong first."""
    first = error.errors(include_url=False)[0]
    words = _WORDS.get(first["type"])
    if words is None:
        what = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        what = what.replace("Input should be", "must be", 1)
    else:
        what = words.format_map({name: _shown(value) for name, value in first.get("ctx", {}).items()})
    where = ".".join(str(part) for part in first["loc"]) or "the whole file"
    return Fault(where, what, error.error_count(), first["input"])


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
