"""Numbers as they are printed: the value, and how far off the printed digits may be."""

import re
from functools import lru_cache
from typing import NamedTuple

# A number on its own: not the 2 of `PO2`, not the 1 of `P2_1`, not the 7 of `Na(7)`.
NUMERAL = re.compile(r"(?<![\w.])(?<!\w\()[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\d|\.\d)")
_WHOLE = re.compile(r"^(?P<number>[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\(\d+\))?$")


class Printed(NamedTuple):
    """A printed number; ``half_unit`` is half a unit of its last digit."""

    value: float
    half_unit: float

    @property
    def is_integer(self) -> bool:
        """Printed without decimals: most likely a count."""
        return self.half_unit == 0.5


def read_numeral(text: str) -> Printed | None:
    """Read a number, with or without an uncertainty in brackets as CIFs have it; None where it is none."""
    match = _WHOLE.match(text.strip())
    return None if match is None else printed(match["number"])


@lru_cache(maxsize=1 << 14)
def printed(numeral: str) -> Printed:
    """Read a numeral that `NUMERAL` has found."""
    plain = numeral.replace("−", "-")
    mantissa, _, exponent = plain.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return Printed(float(plain), 0.5 * 10.0 ** (int(exponent or 0) - decimals))


def significant_digits(numeral: str) -> int:
    """Count the digits that carry information, leading zeros and sign apart."""
    return len(numeral.lower().partition("e")[0].lstrip("+-−0.").replace(".", ""))
