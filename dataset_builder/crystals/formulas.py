"""Formulas: shares of elements, reduced formula, mass; in a formula column or the first word of a description."""

import math
import re
import warnings
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

ELEMENTS = frozenset([
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca",
    "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",
    "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce",
    "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir",
    "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm",
    "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc",
    "Lv", "Ts", "Og", "D", "T",
])  # fmt: skip
_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[])|([)\]])|(\d+(?:\.\d+)?|\.\d+)|([\s'\"·*]+)")
_PLAIN = re.compile(r"(?:[A-Z][a-z]?(?:\d+(?:\.\d+)?)? ?)+")
_PAIR = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?|[()\[\]]|\d+(?:\.\d+)?|\s)+")
_TOLERANCE = 2e-3  # of a share; formula sums of partly occupied sites are rounded to 3 or more digits

_LARGEST_DIVISOR = 1000

Shares = dict[str, float]


@lru_cache(maxsize=4096)
def element_shares(formula: str) -> Shares | None:
    """Share of each element among the atoms of a formula, None where it names anything but elements.

    Brackets may nest; deuterium and tritium count as hydrogen. ``"NaN"`` is sodium nitride.
    """
    if _PLAIN.fullmatch(formula):  # no brackets, as nine formulas in ten: a tenth of the work
        return _shares_of_pairs(_PAIR.findall(formula))
    stack: list[Shares] = [{}]
    last: Shares | None = None  # what a number that follows multiplies
    position = 0
    while position < len(formula):
        match = _TOKEN.match(formula, position)
        if match is None:
            return None
        position = match.end()
        symbol, opening, closing, number, _ = match.groups()
        if symbol:
            if symbol not in ELEMENTS:
                return None
            if last:
                _add(stack[-1], last, 1.0)
            last = {"H" if symbol in ("D", "T") else symbol: 1.0}
        elif opening:
            if last:
                _add(stack[-1], last, 1.0)
            last = None
            stack.append({})
        elif closing:
            if last:
                _add(stack[-1], last, 1.0)
            if len(stack) == 1:
                return None
            last = stack.pop()
        elif number:
            if last is None:
                return None
            _add(stack[-1], last, float(number))
            last = None
    if last:
        _add(stack[-1], last, 1.0)
    total = sum(stack[0].values())
    if len(stack) != 1 or total <= 0:
        return None
    return {element: amount / total for element, amount in stack[0].items() if amount > 0}


def _shares_of_pairs(pairs: list[tuple[str, str]]) -> Shares | None:
    amounts: Shares = {}
    for symbol, number in pairs:
        if symbol not in ELEMENTS:
            return None
        element = "H" if symbol in ("D", "T") else symbol
        amounts[element] = amounts.get(element, 0.0) + (float(number) if number else 1.0)
    total = sum(amounts.values())
    return {element: amount / total for element, amount in amounts.items() if amount > 0} if total > 0 else None


@lru_cache(maxsize=1 << 14)
def reduced_formula(formula: str) -> str | None:
    """The formula divided by its common divisor, elements in alphabetical order; None where it names no elements.

    ``Na2Cl2``, ``ClNa`` and ``Na0.5Cl0.5`` all give ``Cl1Na1``. Shares that are no simple fractions have four
    digits.
    """
    shares = element_shares(formula)
    if shares is None:
        return None
    least = min(shares.values())
    ratios = {element: Fraction(share / least).limit_denominator(_LARGEST_DIVISOR) for element, share in shares.items()}
    if any(abs(float(ratio) - shares[element] / least) > 1e-6 * float(ratio) for element, ratio in ratios.items()):
        return "".join(f"{element}{share:.4f}" for element, share in sorted(shares.items()))
    whole = math.lcm(*(ratio.denominator for ratio in ratios.values()))
    return "".join(f"{element}{int(ratio * whole)}" for element, ratio in sorted(ratios.items()))


def same_proportions(one: Shares, other: Shares) -> bool:
    """Compare two formulas as proportions."""
    return one.keys() == other.keys() and all(abs(one[key] - other[key]) <= _TOLERANCE for key in one)


def description_formula(description: str) -> str | None:
    """First word of a description: Robocrystallographer begins with the formula."""
    words = description.split(maxsplit=1)
    return words[0].strip(",.") if words else None


def _add(into: Shares, amounts: Shares, factor: float) -> None:
    for element, amount in amounts.items():
        into[element] = into.get(element, 0.0) + amount * factor


class CompositionFacts(NamedTuple):
    """A formula read as it is written.

    ``atoms`` is the number of atoms of the formula, ``mass`` their mass in u, ``amounts`` the elements and their
    amounts, ``reduced`` the formula divided by the common divisor.
    """

    atoms: float
    mass: float
    amounts: dict[str, float]
    reduced: str


@lru_cache(maxsize=1 << 14)
def composition_facts(formula: str) -> CompositionFacts | None:
    """Read a formula such as ``Na3Bi(P2O7)2`` or ``Na6 Bi2 P8 O28``; None where it is none."""
    from pymatgen.core.composition import Composition

    text = formula.strip()
    if not text or _FORMULA.fullmatch(text) is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # noble gases have no electronegativity, which matters to nobody here
            composition = Composition(text, strict=True)
            reduced = composition.reduced_formula
    except (ValueError, KeyError):
        return None
    amounts = {str(element): float(amount) for element, amount in composition.items()}
    if not amounts:
        return None
    return CompositionFacts(
        atoms=float(composition.num_atoms),
        mass=float(composition.weight),
        amounts=amounts,
        reduced=reduced,
    )
