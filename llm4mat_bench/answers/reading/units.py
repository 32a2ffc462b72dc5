"""Units as they are written after a number: which dimension, and how many SI units.

Factors are exact fractions (CODATA 2018 where a constant is measured), so that milli is a thousandth and nothing else.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_BASES = ("kg", "m", "s", "A", "K", "mol", "atom", "cell", "formula", "angle", "percent", "magneton", "arbitrary")
_INDEX = {name: place for place, name in enumerate(_BASES)}
Dimension = tuple[int, ...]
_NONE: Dimension = (0,) * len(_BASES)
_AVOGADRO = Fraction("6.02214076e23")


class Unit(NamedTuple):
    """A unit: ``factor`` is its size in SI units, ``dimension`` the powers of the base units.

    Atoms, cells and formula units are bases of their own: eV/atom and eV per formula unit are different things.
    """

    factor: Fraction
    dimension: Dimension


ONE = Unit(Fraction(1), _NONE)


def _unit(factor: str | Fraction | int, **powers: int) -> Unit:
    dimension = [0] * len(_BASES)
    for base, power in powers.items():
        dimension[_INDEX[base]] = power
    return Unit(Fraction(factor), tuple(dimension))


def _times(unit: Unit, other: Unit, power: int = 1) -> Unit:
    return Unit(
        unit.factor * other.factor**power,
        tuple(a + power * b for a, b in zip(unit.dimension, other.dimension, strict=True)),
    )


_E = Fraction("1.602176634e-19")
_ENERGY = {"kg": 1, "m": 2, "s": -2}
_PRESSURE = {"kg": 1, "m": -1, "s": -2}
# symbol: (unit, spelt names); with SI prefixes
_PREFIXED: dict[str, tuple[Unit, tuple[str, ...]]] = {
    "eV": (_unit(_E, **_ENERGY), ("electronvolt", "electron volt", "electron-volt")),
    "J": (_unit(1, **_ENERGY), ("joule",)),
    "cal": (_unit("4.184", **_ENERGY), ("calorie",)),
    "Ha": (_unit("4.3597447222071e-18", **_ENERGY), ("hartree",)),
    "Ry": (_unit("2.17987236110355e-18", **_ENERGY), ("rydberg",)),
    "Pa": (_unit(1, **_PRESSURE), ("pascal",)),
    "bar": (_unit(100000, **_PRESSURE), ()),
    "m": (_unit(1, m=1), ("meter", "metre")),
    "g": (_unit("1e-3", kg=1), ("gram", "gramme")),
    "mol": (_unit(1, mol=1), ("mole",)),
    "C": (_unit(1, A=1, s=1), ("coulomb",)),
    "V": (_unit(1, kg=1, m=2, s=-3, A=-1), ("volt",)),
    "W": (_unit(1, kg=1, m=2, s=-3), ("watt",)),
    "N": (_unit(1, kg=1, m=1, s=-2), ("newton",)),
    "K": (_unit(1, K=1), ("kelvin",)),
    "s": (_unit(1, s=1), ("second",)),
    "Hz": (_unit(1, s=-1), ("hertz",)),
    "T": (_unit(1, kg=1, s=-2, A=-1), ("tesla",)),
    "Ω": (_unit(1, kg=1, m=2, s=-3, A=-2), ("ohm",)),
    "F": (_unit(1, kg=-1, m=-2, s=4, A=2), ("farad",)),
    "L": (_unit("1e-3", m=3), ("liter", "litre")),
}
_PREFIXES = {
    "f": (-15, "femto"),
    "p": (-12, "pico"),
    "n": (-9, "nano"),
    "µ": (-6, "micro"),
    "u": (-6, "micro"),
    "m": (-3, "milli"),
    "c": (-2, "centi"),
    "k": (3, "kilo"),
    "M": (6, "mega"),
    "G": (9, "giga"),
    "T": (12, "tera"),
}
_ATOM = _unit(1, atom=1)
_CELL = _unit(1, cell=1)
_FORMULA = _unit(1, formula=1)
_ANGSTROM = _unit("1e-10", m=1)
_BOHR = _unit("5.29177210903e-11", m=1)
_ELECTRON_MASS = _unit("9.1093837015e-31", kg=1)
_DALTON = _unit("1.66053906660e-27", kg=1)
_ANGLE = _unit(1, angle=1)
_PERCENT = _unit(1, percent=1)
_MAGNETON = _unit(1, magneton=1)
_ARBITRARY = _unit(1, arbitrary=1)
_PLAIN: dict[str, Unit] = {
    **dict.fromkeys(["Å", "A", "Ang", "ang", "Ang.", "angstrom", "angstroms", "ångström", "ångströms"], _ANGSTROM),
    **dict.fromkeys(["ångstrom", "ångstroms", "angström", "angströms", "aa"], _ANGSTROM),
    **dict.fromkeys(["bohr", "bohrs", "a0", "a_0", "a₀"], _BOHR),
    **dict.fromkeys(["hartrees", "Eh", "E_h", "Hartree", "Hartrees"], _PREFIXED["Ha"][0]),
    **dict.fromkeys(["m_e", "me", "mₑ", "m0", "m_0", "m₀", "electron mass", "electron masses"], _ELECTRON_MASS),
    **dict.fromkeys(["free electron mass", "free electron masses", "free-electron mass"], _ELECTRON_MASS),
    **dict.fromkeys(["amu", "Da", "u", "dalton", "daltons"], _DALTON),
    **dict.fromkeys(["%", "percent", "per cent", "pct", "percentage"], _PERCENT),
    **dict.fromkeys(["°", "deg", "degree", "degrees", "rad", "radians"], _ANGLE),
    **dict.fromkeys(["°C", "celsius", "degrees celsius", "degree celsius"], _unit(1, K=1)),
    **dict.fromkeys(["µB", "µ_B", "Bohr magneton", "Bohr magnetons", "bohr magneton", "bohr magnetons"], _MAGNETON),
    **dict.fromkeys(["a.u.", "a.u", "au", "arb. units", "arb. u.", "arbitrary units", "atomic units"], _ARBITRARY),
    **dict.fromkeys(["cc", "ccm"], _unit("1e-6", m=3)),
    **dict.fromkeys(["l", "ml", "mL"], _unit("1e-3", m=3)),
    **dict.fromkeys(["gm", "gms"], _PREFIXED["g"][0]),
    "atm": _unit(101325, **_PRESSURE),
    "psi": _unit("6894.757293168", **_PRESSURE),
    "dyn": _unit("1e-5", kg=1, m=1, s=-2),
    "dyne": _unit("1e-5", kg=1, m=1, s=-2),
    "erg": _unit("1e-7", **_ENERGY),
    "Debye": _unit("3.33564e-30", A=1, s=1, m=1),
    "h": _unit(3600, s=1),
    "hours": _unit(3600, s=1),
    "minutes": _unit(60, s=1),
    "ton": _unit(1000, kg=1),
    "tonne": _unit(1000, kg=1),
    "tonnes": _unit(1000, kg=1),
}
_PLAIN["ml"] = _PLAIN["mL"] = _unit("1e-6", m=3)
# what may only stand under a stroke, or with a negative power: "5 atoms" is a count
_UNDER: dict[str, Unit] = {
    **dict.fromkeys(["atom", "atoms", "at", "at.", "Atom", "Atoms", "ion", "site", "ions", "sites"], _ATOM),
    **dict.fromkeys(["cell", "unit cell", "cells", "uc", "u.c.", "primitive cell", "unit-cell", "unitcell"], _CELL),
    **dict.fromkeys(["formula unit", "formula-unit", "formula units", "f.u.", "f.u", "fu", "formula"], _FORMULA),
    **dict.fromkeys(["molecule", "molecules", "mol. unit"], _FORMULA),
    **dict.fromkeys(["e", "electron", "electrons"], _unit(1)),
    "t": _unit(1000, kg=1),
}


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for symbol, (unit, names) in _PREFIXED.items():
        for prefix, (power, spelt) in _PREFIXES.items():
            if prefix == "c" and symbol not in ("m", "g", "L"):
                continue
            scaled = Unit(unit.factor * Fraction(10) ** power, unit.dimension)
            table[prefix + symbol] = scaled
            for name in names:
                table[spelt + name] = table[spelt + name + "s"] = scaled
                table[f"{spelt}-{name}"] = table[f"{spelt}-{name}s"] = scaled
        table[symbol] = unit
        for name in names:
            table[name] = table[name + "s"] = unit
    table.update(_PLAIN)
    for two in ("mK",):  # W/mK² means metre and kelvin: nobody measures in millikelvin here
        table[two] = _times(table["m"], table["K"])
    return table


_TABLE = _table()
_AMBIGUOUS = {
    "m",
    "mpa",
    "mev",
    "c",
    "k",
    "v",
    "n",
    "w",
    "f",
    "t",
    "s",
    "h",
    "d",
    "a",
    "g",
    "u",
    "j",
    "l",
    "mk",
    "mm",
    "mg",
    "pa",
}
_FOLDED = {name.lower(): unit for name, unit in _TABLE.items() if name.lower() not in _AMBIGUOUS}
_FOLDED |= {"mev": _TABLE["meV"], "mpa": _TABLE["MPa"], "pa": _TABLE["Pa"]}
_FOLDED |= {name: _TABLE[symbol] for name, symbol in (("ev", "eV"), ("gpa", "GPa"), ("kj", "kJ"), ("kcal", "kcal"))}
_UNDER_FOLDED = {name.lower(): unit for name, unit in _UNDER.items()}

_WORD = re.compile(r"a_?0(?![0-9])|m_?0(?![0-9])|[A-Za-zÅåµΩöä]++(?:_[ehB])?[ₑ₀]?|[%°][CK]?")
_TWO_WORDS = re.compile(
    r"(?i)(?:(?:milli|kilo|mega)?[- ]?electron[- ]volts?|(?:free[- ])?electron mass(?:es)?|formula[- ]units?"
    r"|unit[- ]?cells?|primitive cell|bohr magnetons?|degrees? celsius|per cent|f\.u\.?|u\.c\.|a\.u\.?"
    r"|arb\. u(?:nits|\.)|arbitrary units"
    r"|atomic units|(?:wt|vol|at|mol)\.? ?%|at\.|ang\.)"
)
_POWER = re.compile(
    r" ?(?:\^|\*\*) ?[({]{0,2} ?([+-]?[0-9])(?: ?[)}]{1,2})?"
    r"|([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹])|<sup>([+-]?[0-9])</sup>|([+-]?[1-9])(?![\w.])|([23])(?=[A-Za-zÅ/])"
)
_STROKE = re.compile(r" ?/ ?| per ")
_DOT = re.compile(r" ?[·*⋅∙×.] ?|-(?=[A-Za-z])")
_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_OF_ATOMS = re.compile(r"(?i)(?: of |-of-)(?=atoms?\b)")
_SUBSTANCE = re.compile(r"(?i) (?:of )?(?:CO_?[2₂]|carbon dioxide|gas|H_?2|methane|CH_?4)(?= ?/| per |[·-])")
_LATEX = re.compile(
    r"\\+(?:mathrm|text|textrm|textnormal|mathit|mathbf|rm|operatorname"
    r"|,|;|!|:|quad|left|right|unit|si|textbf)(?![a-z]) ?|[$]|\\(?= )"
)
_RING = re.compile(r"\\+(?:AA|r ?\{?A\}?|mathring ?\{? ?(?:\\text|\\mathrm)?\{?A\}?\}?|angstrom|textup\{\\AA\})")
_FRACTION = re.compile(r"\\+[dt]?frac(?=\{)")
_MU = re.compile(r"\\+(?:mu|micro|textmu) ?")
_LOOK = 72  # no unit is longer
_MODIFIED = {"cubic": 3, "cubed": 3, "square": 2, "squared": 2, "sq": 2}


def _without_latex(text: str) -> str:
    """Blank LaTeX wrapping, leaving every other character where it is."""
    if "frac" in text:
        text = _FRACTION.sub(lambda found: " " * len(found[0]), text).replace("}{", " /", 1)
    text = _RING.sub(lambda found: "Å".rjust(len(found[0])), text)
    text = _MU.sub(lambda found: "µ".rjust(len(found[0])), text)
    text = _LATEX.sub(lambda found: " " * len(found[0]), text)
    # braces that do not belong to a power
    depth = [" " if char in "{}" and not _belongs_to_power(text, place) else char for place, char in enumerate(text)]
    return "".join(depth)


def _belongs_to_power(text: str, place: int) -> bool:
    opening = place if text[place] == "{" else text.rfind("{", max(0, place - 5), place)
    return opening > 0 and text[opening - 1] in "^_"


class Found(NamedTuple):
    """A unit read in a text; ``end`` is the position behind it."""

    unit: Unit
    end: int


def read_unit(text: str, position: int) -> Found | None:
    """Read the unit that stands at a position, blanks before it allowed; None where there is none.

    Brackets around it, LaTeX wrapping, strokes, ``per``, negative powers and spelt-out names are understood.
    Looks at most a few dozen characters ahead.
    """
    piece = text[position : position + _LOOK]
    if not piece:
        return None
    # the quick way out: what follows most numbers is no letter at all
    stripped = piece.lstrip(" ")
    if not stripped or stripped[0] in ",.;:!?\n\"'}|+<>=&#@":
        return None
    if "\\" in piece or "$" in piece or "{" in piece:
        piece = _without_latex(piece)
    found = _expression(piece)
    return None if found is None else Found(found[0], position + found[1])


class _Expression:
    """Reads units joined by strokes, dots, blanks and ``per``, as far as they go."""

    def __init__(self, piece: str, place: int) -> None:
        self.piece = piece
        self.place = place
        self.unit = ONE
        self.end = -1  # behind the last unit that was read
        self.sign = 1  # -1 under a stroke: for all that follows, as in µW/m K²
        self.opened = 0
        self.joined = False
        self.of_moles = False

    def read(self) -> None:
        """Read until something is no unit."""
        while self.place < len(self.piece):
            atom = _atom(self.piece, self.place, under=self.sign < 0 or self.end >= 0)
            if atom is None or not self._take(*atom) or not self._join():
                return

    def _take(self, name: str, found: "Unit | int", after: int) -> bool:
        """Multiply by one unit and its power; False where it is none after all."""
        modifier = 1
        if isinstance(found, int):  # cubic, square
            atom = _atom(self.piece, after + 1, under=True) if self.piece.startswith(" ", after) else None
            if atom is None or isinstance(atom[1], int):
                return False
            modifier = found
            name, found, after = atom[0], atom[1], atom[2]
        written = _POWER.match(self.piece, after)
        power = modifier
        self.joined = False
        if written is not None:
            power *= int(next(group for group in written.groups() if group).translate(_SUPERSCRIPTS))
            after = written.end()
            self.joined = written[5] is not None  # m2g-1: the next unit follows at once
        else:
            for word, exponent in ((" cubed", 3), (" squared", 2)):
                if self.piece.startswith(word, after):
                    power, after = exponent, after + len(word)
        if name in _UNDER_FOLDED and name not in _TABLE and self.sign > 0 and power > 0:
            return False  # a count of atoms
        if written is None and after < len(self.piece) and (self.piece[after].isalnum() or self.piece[after] == "_"):
            return False  # a letter or digit that goes on, as the C of 2C6
        if name == "mK" and power != 1:  # W/mK²: the power is that of the kelvin
            self.unit = _times(_times(self.unit, _TABLE["m"], self.sign), _TABLE["K"], self.sign * power)
        else:
            self.unit = _times(self.unit, found, self.sign * power)
        self.of_moles = found.dimension[_INDEX["mol"]] != 0
        self.place = self.end = after
        while self.opened and self.piece.startswith(")", self.place):
            self.opened -= 1
            self.place = self.end = self.place + 1
        return True

    def _join(self) -> bool:
        """Go to the next unit; False where none is joined to this one."""
        if self.joined:
            return True
        substance = _SUBSTANCE.match(self.piece, self.place) if self.of_moles else None
        if substance is not None:  # mol CO2/kg
            self.place = substance.end()
        stroke = _STROKE.match(self.piece, self.place)
        if stroke is not None:
            self.sign, self.place = -1, stroke.end()
            if self.piece.startswith("(", self.place):
                self.opened += 1
                self.place += 1
            return True
        of_atoms = _OF_ATOMS.match(self.piece, self.place) if self.of_moles else None
        if of_atoms is not None:  # a mole of atoms
            self.sign, self.place = -1, self.place + len(" of ")
            return True
        dot = _DOT.match(self.piece, self.place)
        if dot is not None:
            self.place = dot.end()
            return True
        return self.piece.startswith(" ", self.place) and self._joined_by_blank()

    def _joined_by_blank(self) -> bool:
        """Whether the next word is a unit of this one: it has a power, or stands under the stroke."""
        ahead = _atom(self.piece, self.place + 1, under=True)
        if ahead is None or isinstance(ahead[1], int):
            return False
        if _POWER.match(self.piece, ahead[2]) is None and not self.opened:
            return self.sign < 0 and ahead[0] in ("K", "atom", "atoms", "Atom")
        return True


@lru_cache(maxsize=4096)
def _expression(piece: str) -> tuple[Unit, int] | None:
    place = len(piece) - len(piece.lstrip(" "))
    closing = {"(": ")", "[": "]"}.get(piece[place : place + 1], "")
    if closing or (place == 0 and piece.startswith("-")):  # (eV), a 1.5-eV gap
        place += 1
    expression = _Expression(piece, place)
    expression.read()
    end = expression.end
    if end < 0:
        return None
    if closing:
        end += len(piece[end:]) - len(piece[end:].lstrip(" "))
        if not piece.startswith(closing, end):
            return None
        end += 1
    return expression.unit, end


def _atom(piece: str, place: int, *, under: bool) -> tuple[str, Unit | int, int] | None:
    """One unit or one word that changes the next; its spelling, what it is, and where it ends."""
    while place < len(piece) and piece[place] == " ":
        place += 1
    two = _TWO_WORDS.match(piece, place)
    if two is not None:
        name = two[0]
        if name.endswith("%"):
            return "%", _PERCENT, two.end()
        folded = name.lower().replace("electron-volt", "electron volt")
        for table in (_FOLDED, _UNDER_FOLDED):
            unit = table.get(folded) or table.get(folded.replace("- ", "-").replace("milli electron", "millielectron"))
            if unit is not None and (table is _FOLDED or under):
                return name.lower(), unit, two.end()
    matched = _WORD.match(piece, place)
    if matched is None:
        return None
    name = matched[0]
    unit = _TABLE.get(name)
    if unit is not None:
        return name, unit, matched.end()
    folded = name.lower()
    if folded in _MODIFIED and folded not in ("cubed", "squared"):
        return folded, _MODIFIED[folded], matched.end()
    if folded in _UNDER_FOLDED:
        if not under:
            return None
        return folded, _UNDER_FOLDED[folded], matched.end()
    unit = _FOLDED.get(folded)
    if unit is None:
        return None
    return name, unit, matched.end()


_LEADING_POWER = re.compile(r"\s*10(?:\^\{?([+-]?[0-9]+)\}?|([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))\s*")


class Wanted(NamedTuple):
    """The unit of a task. ``power`` is that of a leading power of ten (21 for ``10²¹ V/m²``), 0 without one."""

    unit: Unit
    power: int


def wanted_unit(text: str | None) -> Wanted | None:
    """Read a unit of the catalogue.

    Returns:
        None where it is not understood; the unit 1 for None.
    """
    if text is None:
        return Wanted(ONE, 0)
    power = 0
    leading = _LEADING_POWER.match(text)
    if leading is not None:
        power = int((leading[1] or leading[2]).translate(_SUPERSCRIPTS))
        text = text[leading.end() :]
    found = read_unit(text, 0)
    if found is None or found.end < len(text.rstrip()):
        return None
    return Wanted(Unit(found.unit.factor * Fraction(10) ** power, found.unit.dimension), power)


@lru_cache(maxsize=1024)
def conversion(found: Unit, wanted: Unit, *, whole_cell: bool = False, fraction: bool = False) -> Fraction | None:
    """By what a value in one unit is multiplied to be in another; None where that is another dimension.

    Args:
        found: The unit of the answer.
        wanted: The unit of the task.
        whole_cell: The task is about a whole cell: "per cell" says nothing new, "per mole" and "per atom" do.
        fraction: The task is a share of one, so percent are hundredths.

    A missing "per atom" is supplied, since the property says it. kJ/mol is read where one particle is meant beyond
    doubt: for an energy that belongs to no atom or cell (a band gap), or as a mole of atoms. kJ/mol for an energy per
    atom may be a mole of formula units, which is another number.
    """
    difference = dict(zip(_BASES, (a - b for a, b in zip(found.dimension, wanted.dimension, strict=True)), strict=True))
    ratio = found.factor / wanted.factor
    rest = {base: power for base, power in difference.items() if power}
    if whole_cell and rest.get("cell") == -1:
        del rest["cell"]
    if fraction and rest == {"percent": 1}:
        return ratio / 100
    per_atom = wanted.dimension[_INDEX["atom"]] == -1
    if rest == {"atom": 1} and per_atom:
        return ratio
    if rest == {"mol": -1} and not whole_cell and (not per_atom or found.dimension[_INDEX["atom"]] == -1):
        return ratio / _AVOGADRO
    return None if rest else ratio
