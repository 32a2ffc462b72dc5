"""Numbers as people and models write them, read at one position of a levelled text."""

import re
from typing import NamedTuple

_EUROPEAN = re.compile(r"([0-9]{1,3}(?:\.[0-9]{3}){1,6}),([0-9]{1,40})(?![0-9,.])")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3}){1,6}(?![0-9]|,[0-9])(?:\.[0-9]++)?")
_GROUPED_OTHERWISE = re.compile(r"[1-9][0-9]{0,2}(?:([' ])[0-9]{3}(?:\1[0-9]{3}){0,5})(?![0-9]|\1[0-9])(?:\.[0-9]++)?")
_DECIMAL_COMMA = re.compile(r"([0-9]{1,9}),([0-9]{1,2}|(?<=0,)[0-9]{3,20})(?![0-9.]|,[0-9])")
_PLAIN = re.compile(r"[0-9]++(?:\.(?:[0-9]++|(?=[eE][+-]?[0-9])))?|\.[0-9]++")

_GAP = r"(?:\\[,;:! ]|[ ~$]){0,4}"
_POWER = (
    rf"10(?:{_GAP}(?:\^|\*\*|to the (?:power (?:of )?)?){_GAP}[({{]{{0,2}} ?([+-]?) ?([0-9]{{1,40}})(?: ?[)}}]{{1,2}})?"
    r"|<sup>([+-]?[0-9]{1,40})</sup>|([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,40})|([+-][0-9]{1,3})(?![0-9]|\.[0-9]))"
)
_TEN_TO_THE = re.compile(_POWER)
_TIMES_TEN = re.compile(rf"{_GAP}\{{?(?:[x×X*·⋅∙•✕✖]|\\+times|\\+cdotp?|\\+ast|&times;|times)?\}}?{_GAP}{_POWER}")
_LETTER_E = re.compile(r"[eE]([+-]?[0-9]++)(?![0-9])|[eEdD] ?([+-][0-9]++)| [eE]([+-][0-9]++)")
_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_VULGAR = {"¼": 0.25, "½": 0.5, "¾": 0.75}


class Numeral(NamedTuple):
    """An unsigned number; ``power`` is the power of ten that is written out, None without one.

    ``bare_power`` marks 10⁵ without a factor before it.
    """

    value: float
    end: int
    power: int | None
    times_ten: bool
    bare_power: bool


def scaled(mantissa: str, exponent: str) -> float:
    """Mantissa times ten to the exponent, rounded once; infinite or zero where a float ends."""
    digits = exponent.lstrip("+-").lstrip("0")
    if len(digits) > 6:
        digits = "999999"
    sign = "-" if exponent.startswith("-") else ""
    return float(f"{mantissa}e{sign}{digits or '0'}")


def power_behind(text: str, position: int) -> tuple[str, int] | None:
    """The power of ten by which what ends at a position is multiplied, and where it ends; None where there is none."""
    times = _TIMES_TEN.match(text, position)
    return None if times is None or times[0].startswith("1") else (_exponent(times), times.end())


def _exponent(matched: re.Match[str]) -> str:
    sign, digits, tag, superscript, joined = matched.groups()
    if digits:
        return (sign or "") + digits
    return str(tag or joined or superscript).translate(_SUPERSCRIPTS)


def _as_power(exponent: str) -> int:
    return int(exponent) if len(exponent) < 7 else 10**6


def read_numeral(text: str, position: int) -> Numeral | None:
    r"""Read the number that begins at a position with a digit or a decimal point.

    Thousands separated by commas, blanks or apostrophes, decimal commas, and scientific notation in every spelling
    (``1.2e-3``, ``1.2 x 10^-3``, ``1.2 × 10⁻³``, ``1.2 \times 10^{-3}``, ``10^5``) are understood.
    """
    plain = _PLAIN.match(text, position)
    if plain is None:
        return None
    end = plain.end()
    mantissa = plain[0]
    following = text[end : end + 1]
    if following == "," or (following and following in "' "):
        for pattern in (_GROUPED,) if following == "," else (_GROUPED_OTHERWISE,):
            grouped = pattern.match(text, position)
            if grouped is not None:
                mantissa, end = re.sub("[,' ]", "", grouped[0]), grouped.end()
                break
        else:
            comma = (
                (_EUROPEAN.match(text, position) or _DECIMAL_COMMA.match(text, position)) if following == "," else None
            )
            if comma is not None:
                mantissa, end = f"{comma[1].replace('.', '')}.{comma[2]}", comma.end()
    elif following == "." and "." in mantissa:
        european = _EUROPEAN.match(text, position)
        if european is not None:
            mantissa, end = f"{european[1].replace('.', '')}.{european[2]}", european.end()
    if mantissa == "10":
        power = _TEN_TO_THE.match(text, position)
        if power is not None:
            exponent = _exponent(power)
            return Numeral(scaled("1", exponent), power.end(), _as_power(exponent), True, True)
    letter = _LETTER_E.match(text, end)
    if letter is not None:
        exponent = letter[1] or letter[2] or letter[3]
        return Numeral(scaled(mantissa, exponent), letter.end(), _as_power(exponent), False, False)
    times = _TIMES_TEN.match(text, end)
    if times is not None and times.end() > end and (times[0][0] != "1"):
        exponent = _exponent(times)
        return Numeral(scaled(mantissa, exponent), times.end(), _as_power(exponent), True, False)
    if text[end : end + 1] in _VULGAR and mantissa.isdigit():  # 1½
        return Numeral(float(mantissa) + _VULGAR[text[end]], end + 1, None, False, False)
    return Numeral(float(mantissa), end, None, False, False)
