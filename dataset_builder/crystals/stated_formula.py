"""The formula that a CIF states, compared with the atoms that it lists."""

import math
import re
from collections.abc import Mapping

from .formulas import ELEMENTS, Shares

SHARE = 0.01
"""By so much the share of an element may differ from that in a formula with broken numbers."""

_DIATOMIC = frozenset(["H", "N", "O", "F", "Cl"])
_PEROXIDES = frozenset(["H", "Li", "Na", "K", "Rb", "Cs"])
_TOKEN = re.compile(r"(\d{1,3})?([A-Za-z]{1,2})(\d+\.?\d*|\.\d+)?")
_CHARGE = re.compile(r"\d*[+-]")
_RUN = re.compile(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?")


def readings(formula: str) -> list[Shares]:
    """Amounts of the elements, in every way that a formula can be read; D and T are hydrogen.

    ``CL NA`` is sodium chloride, ``2H3 N`` and ``D3 N`` are ammonia, ``CO`` is carbon monoxide or cobalt.
    """
    words = [word for word in re.split(r"[\s,]+", formula.strip("'\" ")) if word and not _CHARGE.fullmatch(word)]
    if not words:
        return []
    found = [amounts for read in (_as_written, _word_by_word) if (amounts := read(words)) is not None]
    return [amounts for place, amounts in enumerate(found) if amounts not in found[:place]]


def known_elements(formula: str | None) -> frozenset[str]:
    """All elements that any reading of a formula names."""
    return frozenset(element for amounts in readings(formula or "") for element in amounts)


def _as_written(words: list[str]) -> Shares | None:
    """Capital and small letters count: ``CO`` is carbon and oxygen."""
    amounts: Shares = {}
    for word in words:
        position = 0
        while position < len(word):
            match = _RUN.match(word, position)
            if match is None or not _add(amounts, match[1], match[2]):
                return None
            position = match.end()
    return _positive(amounts)


def _word_by_word(words: list[str]) -> Shares | None:
    """One element a word, capital or small, with a mass number or without: ``CO`` is cobalt, ``2H3`` three D."""
    amounts: Shares = {}
    for word in words:
        match = _TOKEN.fullmatch(word)
        if match is None or not _add(amounts, match[2].title(), match[3]):
            return None
    return _positive(amounts)


def _add(amounts: Shares, symbol: str, amount: str | None) -> bool:
    if symbol not in ELEMENTS:
        return False
    element = "H" if symbol in ("D", "T") else symbol
    amounts[element] = amounts.get(element, 0.0) + (float(amount) if amount else 1.0)
    return True


def _positive(amounts: Shares) -> Shares | None:
    found = {element: amount for element, amount in amounts.items() if amount > 0}
    return found or None


def same(counts: Mapping[str, float], amounts: Mapping[str, float]) -> bool:
    """Whether atoms of a cell are a multiple of a formula; to the atom where the formula has whole numbers.

    Args:
        counts: Atoms of each element in the cell.
        amounts: Amounts in the formula.
    """
    if counts.keys() != amounts.keys():
        return False
    total, whole = sum(counts.values()), sum(amounts.values())
    off = max(abs(counts[element] * whole - amounts[element] * total) for element in counts)
    if all(float(amount).is_integer() for amount in amounts.values()):
        return off < 1e-3 * whole
    return off < SHARE * whole * total


def difference(counts: Mapping[str, float], formula: str, amounts: Mapping[str, float]) -> str:
    """Say how the atoms differ from the formula."""
    made = " ".join(f"{element}{amount:g}" for element, amount in sorted(counts.items()))
    text = f"the atoms make {made}, but _chemical_formula_sum is {formula}"
    missing = sorted(amounts.keys() - counts.keys())
    if missing:
        names = ", ".join("hydrogen" if element == "H" else element for element in missing)
        text += f": no position is given for {names}"
    elif "H" in amounts and _others_fit(counts, amounts):
        text += ": some hydrogens have no position"
    return text


def _others_fit(counts: Mapping[str, float], amounts: Mapping[str, float]) -> bool:
    rest = {element: amount for element, amount in counts.items() if element != "H"}
    wanted = {element: amount for element, amount in amounts.items() if element != "H"}
    if not rest or not same(rest, wanted):
        return False
    return counts.get("H", 0) * sum(wanted.values()) < amounts["H"] * sum(rest.values())


def fits_units(total: float, amounts: Mapping[str, float], units: float) -> bool:
    """Whether a cell of ``total`` atoms holds ``units`` formula units (Z).

    The unit is the formula as it stands. pymatgen, whose formula is that of the whole cell, counts units of the reduced
    formula, in which diatomic gases and peroxides keep their two atoms.
    """
    whole = sum(amounts.values())
    choices = [whole * units]
    if all(float(amount).is_integer() for amount in amounts.values()):
        divisor = math.gcd(*(int(amount) for amount in amounts.values()))
        if units == divisor or (units * 2 == divisor and _comes_in_pairs(amounts)):
            choices.append(whole)
    return any(abs(total - choice) < 0.5 for choice in choices)


def _comes_in_pairs(amounts: Mapping[str, float]) -> bool:
    elements = frozenset(amounts)
    if len(elements) == 1:
        return elements <= _DIATOMIC
    return len(elements) == 2 and "O" in elements and elements - {"O"} <= _PEROXIDES and len({*amounts.values()}) == 1
