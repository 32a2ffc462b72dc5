"""Clean one batch of raw rows: values of the right types, a list of its faults, and keys to find repeats by."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..catalogue import Source
from ..crystals.cif_fields import cif_formulas
from ..crystals.formulas import description_formula, element_shares, same_proportions
from .cells import (
    Mask,
    clean_label,
    clean_name,
    clean_text,
    has_decimal_comma,
    is_impossible,
    is_no_cif,
    is_no_description,
    is_no_id,
)
from .keys import Keys, hash_formulas, hash_texts
from .raw import RawBatch

_RULE_OF_TEXT = {
    "material_id": "unreadable_id",
    "composition": "unreadable_formula",
    "cif": "unreadable_cif",
    "description": "unreadable_description",
}
KEY_NAMES = ("material_id", "row", "composition", "reduced_formula", "cif", "description")


@dataclass
class CleanBatch:
    """Rows with typed columns, and everything that was found about them.

    Attributes:
        table: ``material_id``, the modalities and the properties, in the order and with the types of the dataset.
        rows: Row numbers in the file.
        marks: Rule: mask of the rows of ``table`` that it marks.
        keys: Name of `KEY_NAMES`: 64-bit hashes of the rows of ``table``, 0 where there is no text.
        read: Rows seen, those dropped included.
        dropped: Rule: (row number, what is wrong) of the rows left out.
        repaired: Rule: number of cells or rows repaired.
        unreadable: Column: number of cells that are not what the column holds.
        decimal_commas: Property: number of unreadable cells that are numbers with a comma for the point.
        filled: Column: number of cells with something in them.
        examples: Rule: the first few things it met, for people.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    marks: dict[str, Mask]
    keys: dict[str, Keys]
    read: int
    dropped: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    repaired: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    decimal_commas: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)


def clean_batch(raw: RawBatch, source: Source, schema: pa.Schema) -> CleanBatch:
    """Apply the row-wise rules of the policy.

    Args:
        raw: Cells as a reader gives them.
        source: Declaration of the source.
        schema: Schema of the dataset without columns that a build adds.
    """
    count = raw.table.num_rows
    repaired: Counter[str] = Counter()
    unreadable: Counter[str] = Counter()
    decimal_commas: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    out_of_range = np.zeros(count, np.bool_)
    encoding = np.zeros(count, np.bool_)
    columns: dict[str, pa.Array] = {}

    (ids, bad_ids), id_blanks = clean_name(_column(raw, "material_id"), formula=False)
    (formulas, bad_formulas), formula_blanks = clean_name(_column(raw, "composition"), formula=True)
    columns |= {"material_id": ids, "composition": formulas}
    encoding |= bad_ids | bad_formulas
    for name in ("cif", "description"):
        columns[name], bad = clean_text(_column(raw, name))
        encoding |= bad
    for prop in source.properties:
        label = clean_label(_column(raw, prop.name), prop)
        columns[prop.name] = label.values
        for rule, mask in (
            ("non_finite_label", label.non_finite),
            ("unreadable_label", label.unreadable),
            ("no_class", label.no_class),
        ):
            if mask.any():
                repaired[rule] += int(mask.sum())
                _example(examples, rule, raw, prop.name, mask)
        filled[prop.name] += int(_valid(label.values).sum() + label.unreadable.sum())
        if label.unreadable.any():
            unreadable[prop.name] += int(label.unreadable.sum())
            decimal_commas[prop.name] += int((has_decimal_comma(_column(raw, prop.name)) & label.unreadable).sum())
        outside = is_impossible(label.values, prop.possible)
        if outside.any():
            out_of_range |= outside
            _example(examples, "impossible_value", raw, prop.name, outside)
    _count(repaired, "mixed_encoding", encoding)
    _count(repaired, "surrounding_blanks", id_blanks | formula_blanks)

    valid = {name: _valid(values) for name, values in columns.items()}
    empty = ~np.logical_or.reduce(list(valid.values())) if count else np.zeros(0, np.bool_)
    no_id = ~valid["material_id"] & ~empty
    dropped: dict[str, list[tuple[int, str]]] = {}
    if raw.broken:
        dropped["broken_row"] = [(bad.row, bad.why) for bad in raw.broken]
    for rule, mask in (("empty_row", empty), ("missing_id", no_id)):
        if mask.any():
            dropped[rule] = [(int(row), "") for row in raw.rows[mask]]
    for rule, mask in raw.repaired.items():
        _count(repaired, rule, mask)

    kept = ~(empty | no_id)
    table = pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
    marks = {f"missing_{name}": ~valid[name] for name in ("composition", "cif", "description")}
    content = {
        "unreadable_id": is_no_id(columns["material_id"]),
        "unreadable_cif": is_no_cif(columns["cif"]),
        "unreadable_description": is_no_description(columns["description"]),
        "impossible_value": out_of_range,
    }
    for found in (raw.marked, _compare_formulas(columns), content):
        for rule, mask in found.items():
            marks[rule] = marks[rule] | mask if rule in marks else mask
    for name, rule in _RULE_OF_TEXT.items():
        filled[name] += int(valid[name].sum())
        if marks[rule].any():
            unreadable[name] += int(marks[rule].sum())
    rows = raw.rows
    if not kept.all():
        table, rows = table.filter(pa.array(kept)), rows[kept]
        marks = {rule: mask[kept] for rule, mask in marks.items()}
    return CleanBatch(
        table=table,
        rows=rows,
        marks={rule: mask for rule, mask in marks.items() if mask.any()},
        keys=row_keys(table, source),
        read=count + len(raw.broken),
        dropped=dropped,
        repaired=repaired,
        unreadable=unreadable,
        decimal_commas=decimal_commas,
        filled=filled,
        examples=examples,
    )


def row_keys(table: pa.Table, source: Source) -> dict[str, Keys]:
    """Keys of the texts, of the reduced formula and of the whole row, by `KEY_NAMES`; 0 stands for no text."""
    texts = {
        name: hash_texts(table[name].combine_chunks()) for name in ("material_id", "composition", "cif", "description")
    }
    row = np.zeros(table.num_rows, np.uint64)
    for key in texts.values():
        row = _mix(row, key)
    for prop in source.properties:
        values = table[prop.name].combine_chunks()
        bits = values.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
        row = _mix(_mix(row, bits), _valid(values).astype(np.uint64))
    formulas, _ = hash_formulas(table["composition"].combine_chunks())
    return {**texts, "reduced_formula": formulas, "row": row}


def _compare_formulas(columns: dict[str, pa.Array]) -> dict[str, Mask]:
    count = len(columns["composition"])
    masks = {
        rule: np.zeros(count, np.bool_) for rule in ("formula_mismatch", "description_mismatch", "unreadable_formula")
    }
    heads = pc.utf8_slice_codeunits(columns["description"], 0, 400).to_pylist()  # a formula is no longer
    stated = cif_formulas(columns["cif"])
    for index, (formula, total, head) in enumerate(zip(columns["composition"].to_pylist(), stated, heads, strict=True)):
        if formula is None:
            continue
        shares = element_shares(formula)
        if shares is None:
            masks["unreadable_formula"][index] = True
            continue
        if total is not None:
            found = element_shares(total)
            masks["formula_mismatch"][index] = found is not None and not same_proportions(shares, found)
        if head is not None and (word := description_formula(head)) is not None:
            found = element_shares(word)
            # The text may round or reorder; other elements are another crystal.
            masks["description_mismatch"][index] = found is not None and found.keys() != shares.keys()
    return masks


def _example(examples: dict[str, list[str]], rule: str, raw: RawBatch, name: str, mask: Mask) -> None:
    first = int(np.flatnonzero(mask)[0])
    cell = (raw.table[name][first].as_py() or b"")[:40].decode("utf-8", "replace")
    examples.setdefault(rule, []).append(f"row {raw.rows[first]}, {name}: {cell!r}")


def _column(raw: RawBatch, name: str) -> pa.Array:
    column = raw.table[name]
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _valid(values: pa.Array) -> Mask:
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _count(counter: "Counter[str]", rule: str, mask: Mask) -> None:
    if mask.any():
        counter[rule] += int(mask.sum())


def _mix(one: Keys, other: Keys) -> Keys:
    """Combine two hashes so that the order counts (the mixing step of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = (one * np.uint64(0x9E3779B97F4A7C15)) ^ other
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
    return mixed
