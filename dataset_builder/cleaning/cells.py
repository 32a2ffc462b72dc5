"""Raw cells to values, a column at a time: text, numbers, classes, and what stands for "none"."""

import codecs
import math
import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..catalogue import PossibleRange, Property

Mask = NDArray[np.bool_]

# What stands for a missing value. A formula is compared exactly: "NaN" is sodium nitride and "Na" is sodium.
MISSING_TEXTS = ("", "na", "nan", "none", "null", "n/a", "<na>")
MISSING_FORMULAS = ("", "na", "n/a", "nan", "none", "None", "null", "NULL", "Null")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = r"^[+-]?\d*,\d+([eE][+-]?\d+)?$"
_INFINITE = re.compile(r"[+-]?(inf|infinity)|-nan", re.IGNORECASE)


_AS_WINDOWS_1252 = "llm4mat-windows-1252"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error(_AS_WINDOWS_1252, _as_windows_1252)


class TextColumn(NamedTuple):
    """Text with nulls, and the rows that were not UTF-8."""

    values: pa.Array
    repaired: Mask


class LabelColumn(NamedTuple):
    """Numbers or class codes with nulls, and the rows whose cell was something but no label."""

    values: pa.Array
    non_finite: Mask
    unreadable: Mask
    no_class: Mask


def decode(cells: pa.Array) -> TextColumn:
    """Read bytes as UTF-8; those that are not UTF-8 are read as Windows-1252, in which older files write Å and –."""
    count = len(cells)
    try:
        return TextColumn(cells.cast(pa.string()), np.zeros(count, np.bool_))
    except pa.ArrowInvalid:
        pass
    repaired = np.zeros(count, np.bool_)
    texts: list[str | None] = []
    for index, cell in enumerate(cells.to_pylist()):
        if cell is None:
            texts.append(None)
            continue
        try:
            texts.append(cell.decode("utf-8"))
        except UnicodeDecodeError:
            repaired[index] = True
            texts.append(cell.decode("utf-8", errors=_AS_WINDOWS_1252))
    return TextColumn(pa.array(texts, pa.string()), repaired)


def clean_text(cells: pa.Array) -> TextColumn:
    """Text as it is; missing signs become null."""
    values, repaired = decode(cells)
    short = pc.less_equal(pc.binary_length(values), max(map(len, MISSING_TEXTS)) + 8)
    if pc.any(short).as_py():
        missing = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(values)), pa.array(MISSING_TEXTS))
        values = pc.if_else(pc.and_(short, missing), pa.scalar(None, pa.string()), values)
    return TextColumn(values, repaired)


def clean_name(cells: pa.Array, *, formula: bool) -> tuple[TextColumn, Mask]:
    """An id or a formula: blanks around it go, missing signs become null.

    Returns:
        The column, and the mask of rows that had blanks.
    """
    values, repaired = decode(cells)
    trimmed = pc.utf8_trim_whitespace(values)
    if formula:
        trimmed = pc.replace_substring_regex(trimmed, r"\s+", "")
        missing = pc.is_in(trimmed, pa.array(MISSING_FORMULAS))
    else:
        missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(MISSING_TEXTS))
    blanks = pc.and_(pc.not_equal(values, trimmed), pc.invert(missing)).fill_null(False)
    return TextColumn(pc.if_else(missing, pa.scalar(None, pa.string()), trimmed), repaired), _mask(blanks)


def clean_label(cells: pa.Array, prop: Property) -> LabelColumn:
    """A label: float64, or the code of its class; null where there is none."""
    values = pc.utf8_trim_whitespace(decode(cells).values)
    spelt = {text.casefold() for text in prop.classes.dropped} if prop.classes else set()
    # "Null" is missing in a column of numbers and an answer ("there is no gap") among SNUMAT's classes.
    missing = pc.is_in(pc.utf8_lower(values), pa.array([text for text in MISSING_TEXTS if text not in spelt]))
    values = pc.if_else(missing, pa.scalar(None, pa.string()), values)
    return _clean_class(values, prop) if prop.classes else _clean_number(values)


def _clean_number(values: pa.Array) -> LabelColumn:
    count = len(values)
    nothing = np.zeros(count, np.bool_)
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowInvalid:
        numbers = None
    if numbers is not None:
        infinite = pc.invert(pc.is_finite(numbers)).fill_null(False)
        if pc.any(infinite).as_py():
            numbers = pc.if_else(infinite, pa.scalar(None, pa.float64()), numbers)
        return LabelColumn(numbers, _mask(infinite), nothing, nothing)
    non_finite, unreadable = nothing.copy(), nothing.copy()
    found: list[float | None] = []
    for index, text in enumerate(values.to_pylist()):
        value = None
        if text is not None:
            if _NUMBER.fullmatch(text):
                value = float(text.replace("d", "e").replace("D", "e"))
                if not math.isfinite(value):  # 1e999
                    non_finite[index], value = True, None
            elif _INFINITE.fullmatch(text):
                non_finite[index] = True
            else:
                unreadable[index] = True
        found.append(value)
    return LabelColumn(pa.array(found, pa.float64()), non_finite, unreadable, nothing)


def _clean_class(values: pa.Array, prop: Property) -> LabelColumn:
    classes = prop.classes
    if classes is None:
        raise ValueError(f"{prop.name} is no class property")
    spellings = {classes.negative.casefold(): 0, classes.positive.casefold(): 1}
    if {"true", "false"} == set(spellings):
        spellings |= {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
    folded = pc.utf8_lower(values)
    dropped = pc.is_in(folded, pa.array([text.casefold() for text in classes.dropped], pa.string()))
    index = pc.index_in(folded, pa.array(list(spellings), pa.string()))
    codes = pc.take(pa.array(list(spellings.values()), pa.int64()), index)
    unreadable = pc.and_(pc.and_(pc.is_valid(values), pc.is_null(codes)), pc.invert(dropped))
    return LabelColumn(codes, np.zeros(len(values), np.bool_), _mask(unreadable), _mask(dropped))


def _mask(values: pa.Array) -> Mask:
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def is_no_id(ids: pa.Array) -> Mask:
    """Mask of ids that are no names: prose, CIFs, structures. Ids of ten databases are shorter than 60 characters."""
    odd = pc.match_substring_regex(ids, r"^[{\[]|\n|(\S+\s+){4}")
    return _mask(pc.or_(odd, pc.greater(pc.utf8_length(ids), 128)))


def is_no_cif(cifs: pa.Array) -> Mask:
    """Mask of CIFs without a data block, a cell or atoms."""
    missing = np.zeros(len(cifs), np.bool_)
    for needed in ("data_", "_cell", "_atom_site"):
        missing |= _mask(pc.invert(pc.match_substring(cifs, needed)))
    for index in np.flatnonzero(missing):  # keywords may be written in capitals
        text = cifs[int(index)].as_py().casefold()
        missing[index] = not all(needed in text for needed in ("data_", "_cell", "_atom_site"))
    return missing


def is_no_description(descriptions: pa.Array) -> Mask:
    """Mask of descriptions that are no prose: one word, a number, or the text of a structure."""
    heads = pc.utf8_slice_codeunits(pc.utf8_ltrim_whitespace(descriptions), 0, 400)
    prose = pc.match_substring_regex(heads, r"[A-Za-z]\S*\s+\S")
    structure = pc.match_substring_regex(heads, r"^([{\[#]|data_)|_cell_|_atom_site|'@class'|\"@class\"")
    return _mask(pc.or_(pc.invert(prose), structure))


def is_impossible(values: pa.Array, possible: PossibleRange | None) -> Mask:
    """Mask of numbers outside of what is possible."""
    outside = np.zeros(len(values), np.bool_)
    if possible is None:
        return outside
    for compare, end in ((pc.less, possible.minimum), (pc.less_equal, possible.above), (pc.greater, possible.maximum)):
        if end is not None:
            outside |= _mask(compare(values, end))
    return outside


def has_decimal_comma(cells: pa.Array) -> Mask:
    """Mask of cells that are numbers but for a comma in place of the point."""
    return _mask(pc.match_substring_regex(pc.utf8_trim_whitespace(decode(cells).values), _DECIMAL_COMMA))
