"""What follows from a chemical formula alone: elements, number of atoms, mass, reduced formula."""

import re
import warnings
from functools import lru_cache
from typing import NamedTuple

_FORMULA = re.compile(r"(?:[A-Z][a-z]?|[()\[\]]|\d+(?:\.\d+)?|\s)+")


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
