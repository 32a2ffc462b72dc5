"""Which element an atom of a CIF is: type symbols with charges, isotopes and capitals, and labels without a type."""

import re
from typing import NamedTuple

from .errors import StructureError
from .formulas import ELEMENTS

_HEAVY_HYDROGEN = {"D": "deuterium", "T": "tritium", "2H": "deuterium", "3H": "tritium"}
_TYPE = re.compile(r"(\d{1,3})?([A-Za-z]{1,2})(\d*\.?\d*[+-]{1,4}|[+-]\d*\.?\d*|\d*)")
_VALENCE_FACTORS = {"cval": "C", "siva": "Si"}  # form factors of bonded atoms have symbols of their own
_LABEL = re.compile(r"(\d{0,3})([A-Za-z]+)")
_MAN_MADE = ("Cn", "No")  # in capitals rather cyanide and nitrosyl


class Symbol(NamedTuple):
    """An element, and the isotope that it stood for (``deuterium``, ``13C``), if any."""

    element: str
    isotope: str | None = None


def of_type(text: str, known: frozenset[str] = frozenset()) -> Symbol:
    """Element of a type symbol such as ``Fe3+``, ``O2-``, ``CL``, ``D``, ``2H`` or ``13C``.

    Args:
        text: The symbol.
        known: Elements that the formula names; empty where there is none.

    Raises:
        StructureError: It is no element: a group (``OH``, ``NO3``), water, a vacancy.
    """
    if (bonded := _VALENCE_FACTORS.get(text.casefold())) is not None:
        return Symbol(bonded)
    match = _TYPE.fullmatch(text.strip())
    found = None
    if match is not None:
        mass, letters, rest = match.groups()
        found = _symbol(letters.title(), mass)
        capitals = len(letters) == 2 and letters.isupper()
        group = capitals and (rest.isdigit() or letters.title() in _MAN_MADE)  # CO3, PO4, NO3
        if found is not None and group and found.element not in known:
            found = None
    if found is None:
        raise StructureError(f"the type '{text}' is no element")
    return found


def of_label(label: str, known: frozenset[str] = frozenset()) -> Symbol:
    """Element of an atom that has a label and no type.

    ``Na1`` is sodium. ``HO1`` is the hydrogen at O1 and no holmium. ``CO1`` is carbon or cobalt, which only the
    elements of the formula can tell.

    Args:
        label: The label.
        known: Elements that the formula names; empty where there is none.

    Raises:
        StructureError: It names no element, or may be of two.
    """
    match = _LABEL.match(label.strip())
    mass, letters = match.groups() if match is not None else ("", "")
    two = _symbol(letters[:2].title(), mass) if len(letters) > 1 else None
    one = _symbol(letters[:1].upper(), mass)
    choices = [choice for choice in (two, one) if choice is not None]
    if letters.casefold().startswith("wat"):
        raise StructureError(f"the atom {label} is a molecule of water whose hydrogens have no position")
    if not choices:
        raise StructureError(f"the atom {label} has no type, and its label names no element")
    if known:
        choices = [choice for choice in choices if choice.element in known]
        if not choices:
            raise StructureError(f"the atom {label} has no type, and its label none of the elements of the formula")
    elif letters in ("T", "OH", "Oh") or len(letters) > 2:
        raise StructureError(f"the atom {label} has no type (_atom_site_type_symbol), and its label is not plain")
    if len(choices) == 1:
        return choices[0]
    if letters[1].islower() and letters[0].isupper():  # as elements are written
        return choices[0]
    if letters.upper() == "HO" and not known:
        return choices[1]
    names = " or ".join(choice.element for choice in choices)
    raise StructureError(f"the atom {label} has no type (_atom_site_type_symbol), and its label may be {names}")


def _symbol(element: str, mass: str | None) -> Symbol | None:
    if element == "H" and mass and mass != "1":
        isotope = _HEAVY_HYDROGEN.get(f"{mass}H")
        return Symbol("H", isotope) if isotope else None
    if element in _HEAVY_HYDROGEN:
        return None if mass else Symbol("H", _HEAVY_HYDROGEN[element])
    if element not in ELEMENTS:
        return None
    return Symbol(element, f"{mass}{element}" if mass and (element, mass) != ("H", "1") else None)
