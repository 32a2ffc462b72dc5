"""The cleaning policy: its rules, what each does to a row, and a version that is raised when one changes."""

from typing import Literal, NamedTuple

VERSION = 2


class Rule(NamedTuple):
    """One rule: what it finds and what is done by default and with ``--strict``."""

    name: str
    meaning: str
    default: Literal["drop", "repair", "mark"]
    strict: Literal["drop", "repair", "mark"]


RULES = (
    Rule("broken_row", "the row has more or fewer fields than the header, or cannot be read", "drop", "drop"),
    Rule("empty_row", "no field has a value", "drop", "drop"),
    Rule("missing_id", "the row has no id", "drop", "drop"),
    Rule("in_no_split", "the id is in none of the splits (raw dumps with a manifest)", "drop", "drop"),
    Rule("mixed_encoding", "a text is not UTF-8; it is read as Windows-1252", "repair", "repair"),
    Rule("surrounding_blanks", "an id or formula has blanks around it or in its element symbols", "repair", "repair"),
    Rule("non_finite_label", "a label is inf or nan; the row has no such label", "repair", "repair"),
    Rule(
        "unreadable_label",
        "a label is no number, class or sign of absence; the row has no such label",
        "repair",
        "repair",
    ),
    Rule("no_class", "a class label says that there is none (Null); the row has no such label", "repair", "repair"),
    Rule("cif_from_structure", "the CIF is missing and was written from the structure column", "repair", "repair"),
    Rule("missing_composition", "no formula", "mark", "drop"),
    Rule("missing_cif", "no structure", "mark", "drop"),
    Rule("missing_description", "no description", "mark", "mark"),
    Rule("unreadable_structure", "a structure that cannot be turned into a CIF; the row has none", "mark", "drop"),
    Rule("formula_mismatch", "the structure has other elements or other proportions than the formula", "mark", "drop"),
    Rule(
        "description_mismatch", "the description is of a crystal with other elements than the formula", "mark", "drop"
    ),
    Rule("unreadable_formula", "the formula names no elements, so it cannot be compared", "mark", "mark"),
    Rule("unreadable_id", "the id is no name: a structure, a CIF or prose", "mark", "drop"),
    Rule("unreadable_cif", "the CIF has no data block, cell or atoms", "mark", "drop"),
    Rule("unreadable_description", "the description is no prose: a CIF, a structure, a number", "mark", "drop"),
    Rule("impossible_value", "a label lies outside of what the catalogue says is possible", "mark", "drop"),
    Rule("repeated_row", "all fields equal those of an earlier row of the split", "mark", "drop"),
    Rule("repeated_id", "the id occurred in an earlier row of the split, with other content", "mark", "drop"),
    Rule(
        "id_in_other_split",
        "the id also occurs in another split (test goes before validation, validation before train)",
        "mark",
        "drop",
    ),
    Rule(
        "same_text_in_held_out",
        "a train row whose CIF or description is also in validation or test, or a validation row with one of test",
        "mark",
        "drop",
    ),
    Rule(
        "same_crystal_in_held_out",
        "a train row whose structure matches one of validation or test (only with --match-structures)",
        "mark",
        "drop",
    ),
)
RULE_NAMES = tuple(rule.name for rule in RULES)
