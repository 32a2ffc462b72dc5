"""The numbers and words that a text gives away, by modality.

A feature is named by where it stands: the tag of a CIF, the phrase around a number in a sentence, or what follows from
a formula (number of atoms, mass). Nothing here knows any target.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..crystals.formulas import composition_facts
from .numerals import NUMERAL, Printed, printed, read_numeral, significant_digits

EXACT = 0.0
_WORD = re.compile(r"[A-Za-z][A-Za-z\-]{2,}")
_TOKEN = re.compile(r"\S+")
_FORMULA_LIKE = re.compile(r"^(?:[A-Z][a-z]?(?:\d+(?:\.\d+)?)?|[()\[\]]\d*)+$")
_SPECIES = re.compile(r"[A-Z][a-z]?\(\d+\)|(?:[A-Z][a-z]?\d*){2,}|[A-Z][a-z]?\d+")
_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


class TextFeatures(NamedTuple):
    """What one text gives: numbers by name, words and ``tag=value`` pairs, and all numerals of three digits or more."""

    numbers: dict[str, Printed]
    words: frozenset[str]
    numerals: list[Printed]


def text_features(modality: str, text: str) -> TextFeatures:
    """Take a text of a modality apart (or of a variant such as ``cif_stripped``); anything else is read as prose."""
    modality = modality.partition("_")[0]
    if modality == "composition":
        numbers = dict(formula_numbers("the formula", text))
        return TextFeatures(numbers, frozenset(), _numerals(text))
    if modality == "cif":
        return _cif_features(text)
    return _prose_features(text)


_COMPUTED = (
    "atoms of ",
    "mass of ",
    "elements of ",
    "rows of ",
    "sum of ",
    "mean ",
    "count of ",
    "number of ",
    "cell volume ",
)


def is_literal(name: str) -> bool:
    """Say whether the number of that name stands in the text as it is, rather than being worked out from it."""
    return not name.removeprefix("comment: ").startswith(_COMPUTED)


def formula_numbers(name: str, formula: str) -> Mapping[str, Printed]:
    """Number of atoms, of elements, and mass in u that a formula gives; nothing where it is no formula."""
    facts = composition_facts(formula)
    if facts is None:
        return {}
    return {
        f"atoms of {name}": Printed(facts.atoms, EXACT),
        f"mass of {name}": Printed(facts.mass, EXACT),
        f"elements of {name}": Printed(float(len(facts.amounts)), EXACT),
    }


def _numerals(text: str) -> list[Printed]:
    return [printed(found) for found in NUMERAL.findall(text) if significant_digits(found) >= 3]


def _cif_features(text: str) -> TextFeatures:
    from pymatgen.io.cif import CifFile

    numbers: dict[str, Printed] = {}
    words: set[str] = set()
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    if comments:
        numbers.update({f"comment: {name}": value for name, value in _phrases(comments).items()})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks = CifFile.from_str(text).data
    except Exception:
        return TextFeatures(numbers, frozenset(words), _numerals(text))
    for header, block in islice(blocks.items(), 1):
        numbers.update(formula_numbers("data_", header))
        for tag, value in block.data.items():
            if isinstance(value, str):
                number = read_numeral(value)
                if number is not None:
                    numbers[tag] = number
                elif value.strip() not in ("", "?", "."):
                    words.add(f"{tag} = {value.strip()}")
                    numbers.update(formula_numbers(tag, value))
        for loop in block.loops:
            columns = {tag: block.data[tag] for tag in loop if isinstance(block.data.get(tag), list)}
            numbers.update(_loop_numbers(columns))
    volume = _cell_volume(numbers)
    if volume is not None:
        numbers["cell volume of lengths and angles"] = volume
    return TextFeatures(numbers, frozenset(words), _numerals(text))


def _loop_numbers(columns: Mapping[str, Sequence[str]]) -> dict[str, Printed]:
    """Count the rows of a loop; sum, least and greatest of its columns of numbers; atoms and mass of its elements."""
    numbers: dict[str, Printed] = {}
    if not columns:
        return numbers
    name = _common_name(list(columns))
    length = len(next(iter(columns.values())))
    numbers[f"rows of {name}"] = Printed(float(length), EXACT)
    weights = np.ones(length)
    symbols: Sequence[str] | None = None
    for tag, cells in columns.items():
        column = _number_column(cells)
        if column is not None:
            array, half_unit = column
            numbers[f"sum of {tag}"] = Printed(float(array.sum()), half_unit)
            numbers[f"least {tag}"] = Printed(float(array.min()), half_unit)
            numbers[f"greatest {tag}"] = Printed(float(array.max()), half_unit)
            if tag.endswith(("_multiplicity", "_occupancy")):
                weights = weights * array
        elif symbols is None and tag.endswith(("_symbol", "_label")):
            symbols = cells
    if symbols is not None:
        masses = [composition_facts(re.sub(r"[^A-Za-z].*$", "", cell)) for cell in symbols]
        if all(one is not None for one in masses):
            numbers[f"atoms of {name}"] = Printed(float(weights.sum()), EXACT)
            mass = sum(float(weight) * one.mass / one.atoms for weight, one in zip(weights, masses, strict=True) if one)
            numbers[f"mass of {name}"] = Printed(mass, EXACT)
    return numbers


def _number_column(cells: Sequence[str]) -> tuple[NDArray[np.float64], float] | None:
    """Read a column of a loop: values and half a unit of the least precise; whole numbers count as exact."""
    first = read_numeral(cells[0]) if cells else None
    if first is None:
        return None
    try:
        # Nearly every column is plain decimals; reading each cell by itself takes ten times as long.
        array = np.array(cells, dtype=np.float64)
        decimals = {len(cell) - cell.find(".") - 1 if "." in cell else 0 for cell in cells if "e" not in cell.lower()}
        half_unit = 0.5 * 10.0 ** -min(decimals, default=0)
    except ValueError:
        read = [read_numeral(cell) for cell in cells]
        values = [one for one in read if one is not None]
        if len(values) < len(read):
            return None
        array = np.array([one.value for one in values])
        half_unit = max(one.half_unit for one in values)
    if not np.isfinite(array).all():
        return None
    return array, EXACT if half_unit == 0.5 else half_unit


def _common_name(tags: Sequence[str]) -> str:
    parts = [tag.strip("_").split("_") for tag in tags]
    shared = []
    for words in zip(*parts, strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return "_" + "_".join(shared) if shared else tags[0]


def _cell_volume(numbers: Mapping[str, Printed]) -> Printed | None:
    """Volume of the cell from lengths in Å and angles in degrees (determinant of the metric tensor)."""
    found = [next((value for tag, value in numbers.items() if tag.endswith(part)), None) for part in _CELL]
    if any(one is None for one in found):
        return None
    a, b, c, alpha, beta, gamma = (one.value for one in found if one is not None)
    cos = np.cos(np.radians([alpha, beta, gamma]))
    square = 1 - float((cos * cos).sum()) + 2 * float(np.prod(cos))
    return Printed(a * b * c * float(np.sqrt(square)), EXACT) if square > 0 else None


def _prose_features(text: str) -> TextFeatures:
    numbers = _phrases(text)
    formulas = (word for word in _TOKEN.findall(text[:2000]) if len(word) > 2 and _FORMULA_LIKE.match(word))
    first = next((word for word in formulas if (facts := composition_facts(word)) and len(facts.amounts) > 1), None)
    if first is not None:
        numbers.update(formula_numbers("the first formula", first))
    words = frozenset(word.lower() for word in _WORD.findall(text))
    return TextFeatures(numbers, words, _numerals(text))


def _phrases(text: str) -> dict[str, Printed]:
    """Numbers by the phrase they stand in: the three words before, the one after, species and numbers taken out."""
    groups: dict[str, list[Printed]] = {}
    for match in NUMERAL.finditer(text):
        before = [_plain(word) for word in text[max(0, match.start() - 80) : match.start()].split()[-3:]]
        after = _plain(next(iter(text[match.end() : match.end() + 24].split()), ""))
        groups.setdefault(" ".join([*before, "#", after]).strip(), []).append(printed(match[0]))
    numbers: dict[str, Printed] = {}
    everything = [value for values in groups.values() for value in values]
    if everything:
        numbers["number of numbers"] = Printed(float(len(everything)), EXACT)
        numbers["first number"], numbers["last number"] = everything[0], everything[-1]
    for phrase, values in groups.items():
        array = np.array([one.value for one in values])
        half_unit = max(one.half_unit for one in values)
        name = f"“{phrase}”"
        numbers[f"first {name}"] = values[0]
        numbers[f"count of {name}"] = Printed(float(len(values)), EXACT)
        numbers[f"mean {name}"] = Printed(float(array.mean()), half_unit)
        numbers[f"least {name}"] = Printed(float(array.min()), half_unit)
        numbers[f"greatest {name}"] = Printed(float(array.max()), half_unit)
    return numbers


@lru_cache(maxsize=1 << 14)
def _plain(word: str) -> str:
    """Take species and digits out of a word, so that sentences of different crystals make one phrase."""
    word = _SPECIES.sub("X", word.strip(".,;:"))
    return re.sub(r"\d+(?:\.\d+)?", "#", word)
