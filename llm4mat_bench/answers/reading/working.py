r"""Calculations that an answer writes out, of which only the result counts: ``3.5 eV - 1.2 eV = 2.3 eV``."""

import re

from .levelled import blank

# Each part is atomic: what it has matched it keeps. And a calculation without a result is matched, too, so that none is
# begun again at its next number: a long text is read in linear time.
_UNIT = r"(?> ?[a-zÅµ][a-zA-ZÅµ]{0,9}(?:/[a-z]{1,7})?)?+"
_NUMBER = r"(?>[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4}|\^\{?[-+]?[0-9]{1,4}\}?)?)"
_QUOTIENT = rf"\\d?frac\{{{_NUMBER}\}}\{{{_NUMBER}\}}"
_TERM = rf"(?>[(\[]{{0,3}} ?(?:{_QUOTIENT}|{_NUMBER}){_UNIT}(?: ?[)\]]){{0,3}})"
_OPERATOR = r"(?> ?(?:[-+*/x×·⋅÷]|\\times|\\cdot|\\div) ?)"
_EQUALS = r"[ $]{0,3}(?:=|≈|~|\\approx)[ $]{0,3}"
_WORKING = re.compile(
    rf"(?<![\w.])(?>{_TERM}(?:{_OPERATOR}{_TERM})++|[(\[]?{_QUOTIENT}[)\]]?)({_EQUALS}(?=[-+(]?[0-9.]))?"
)
_FRACTION = re.compile(rf"\\d?frac\{{ ?({_NUMBER}) ?\}}\{{ ?({_NUMBER}) ?\}}")


def without_working(text: str) -> str:
    r"""Blank calculations up to the result, and write ``\frac{3}{2}`` as ``3/2``; the length stays the same.

    Args:
        text: A levelled text.
    """
    if "=" in text or "≈" in text or "\\approx" in text:
        text = blank(text, [matched.span() for matched in _WORKING.finditer(text) if matched[1]])
    if "frac{" in text:
        text = _FRACTION.sub(lambda matched: f"{matched[1]}/{matched[2]}".rjust(len(matched[0])), text)
    return text
