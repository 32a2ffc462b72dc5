"""The parser of answers: any number in any spelling comes back, nothing raises, time is linear."""

import math
import string
import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llm4mat_bench import get_task, list_tasks
from llm4mat_bench.dataset_builder.catalogue import Task
from llm4mat_bench.errors import UsageError
from llm4mat_bench.prompting.parser import PARSER_VERSION, Answer, parse_answer

ENERGY = "mp/formation_energy_per_atom"
STATUSES = {"json", "labelled", "number", "refused", "empty", "no_number", "out_of_range", "wrong_unit", "truncated"}
SUPERSCRIPTS = str.maketrans("+-0123456789", "⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# --- any number, any spelling ------------------------------------

mantissas = st.decimals(min_value="0.001", max_value="999.999", places=3).map(lambda d: format(d, "f"))
exponents = st.integers(-30, 30)
signs = st.sampled_from(["", "-", "−", "+"])


def plainly(mantissa: str, _exponent: int) -> tuple[str, float]:
    return mantissa, float(mantissa)


def without_zero(mantissa: str, _exponent: int) -> tuple[str, float]:
    fraction = "." + mantissa.partition(".")[2]
    return fraction, float(fraction)


def grouped(separator: str):  # type: ignore[no-untyped-def]
    def write(mantissa: str, exponent: int) -> tuple[str, float]:
        number = int(mantissa.replace(".", "")) * (1 + abs(exponent) * 137) + 1000
        return f"{number:,}".replace(",", separator) + ".25", number + 0.25

    return write


def scientific(pattern: str, *, superscript: bool = False):  # type: ignore[no-untyped-def]
    def write(mantissa: str, exponent: int) -> tuple[str, float]:
        power = str(exponent).translate(SUPERSCRIPTS) if superscript else str(exponent)
        return pattern.replace("M", mantissa).replace("N", power), float(f"{mantissa}e{exponent}")

    return write


SPELLINGS = {
    "plain": plainly,
    "without zero": without_zero,
    "commas": grouped(","),
    "thin spaces": grouped("\u202f"),
    "apostrophes": grouped("'"),
    **{
        pattern: scientific(pattern)
        for pattern in (
            "MeN",
            "MEN",
            "M x 10^N",
            "M × 10^N",
            "Mx10^N",
            "M * 10^N",
            "M*10**N",
            "M·10^(N)",
            "M x 10^{N}",
            r"M \times 10^{N}",
            r"M\times10^{N}",
            r"M \\times 10^{N}",
            r"M \cdot 10^{N}",
            r"$M \times 10^{N}$",
            r"M\,\times\,10^{N}",
            "M x 10<sup>N</sup>",
        )
    },
    **{
        pattern + " (superscript)": scientific(pattern, superscript=True)
        for pattern in ("M × 10N", "M·10N", "M x 10N", "M×10N", "M 10N")
    },
}
AROUND = {
    "alone": ("{}", "number"),
    "unit": ("{} eV/atom", "number"),
    "sentence": ("The formation energy per atom of Fe2O3 (space group R-3c) is {} eV/atom.", "labelled"),
    "label": ("formation_energy_per_atom: {}", "labelled"),
    "answer": ("Final answer: {}", "labelled"),
    "approximately": ("approximately {} eV/atom", "number"),
    "quoted json": ('{{"formation_energy_per_atom": "{} eV/atom"}}', "json"),
    "bare json": ("{{formation_energy_per_atom: {}, density: 5.1}}", "json"),
    "fenced json": ('Sure!\n```json\n{{\n  "formation_energy_per_atom": "{}"\n}}\n```', "json"),
    "thought": ('<think>perhaps 7.5 eV</think>{{"formation_energy_per_atom": "{}"}}', "json"),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("spelling", SPELLINGS)
@given(mantissa=mantissas, exponent=exponents, sign=signs)
@settings(max_examples=12, deadline=None)
def test_any_number_comes_back(spelling: str, around: str, mantissa: str, exponent: int, sign: str) -> None:
    written, value = SPELLINGS[spelling](mantissa, exponent)
    written = "$" + sign + written[1:] if spelling.startswith("$") else sign + written
    pattern, status = AROUND[around]
    found = parse_answer(pattern.format(written), ENERGY)
    expected = -value if sign in ("-", "−") else value
    assert found.status == status
    assert found.value == pytest.approx(expected, rel=1e-12)


@given(
    low=st.integers(-500, 500), width=st.integers(1, 300), dash=st.sampled_from(["-", "–", " to ", " - ", " – ", "~"])
)
@settings(deadline=None)
def test_a_range_is_its_mean(low: int, width: int, dash: str) -> None:
    first, second = low / 100, (low + width) / 100
    for text in (
        f"{first}{dash}{second} eV/atom",
        f"between {first} and {second}",
        f"{first} eV/atom{dash}{second} eV/atom",
    ):
        assert parse_answer(text, ENERGY).value == pytest.approx((first + second) / 2, abs=1e-9), text


@given(value=st.integers(1, 99999), error=st.integers(1, 99), sign=st.sampled_from(["±", " ± ", "+/-", " \\pm "]))
@settings(deadline=None)
def test_an_uncertainty_is_left_out(value: int, error: int, sign: str) -> None:
    assert parse_answer(f"{value / 1000}{sign}{error / 1000}", ENERGY).value == value / 1000


CONVERTED = [
    (
        "mp/band_gap",
        {"eV": 1, "meV": 1e-3, "Hartree": 27.211386245988, "Ry": 13.605693122994, "kJ/mol": 1 / 96.48533212},
    ),
    ("mp/density", {"g/cm³": 1, "kg/m³": 1e-3, "g/cm^3": 1, "kg/L": 1, "g cm^-3": 1}),
    ("mp/volume", {"Å³": 1, "nm³": 1e3, "Å^3": 1, "cm^3": 1e24, "bohr^3": 0.529177210903**3}),
    ("hmof/lcd", {"Å": 1, "nm": 10, "pm": 0.01, "angstroms": 1, "bohr": 0.529177210903}),
    (
        "jarvis_dft/bulk_modulus_kv",
        {"GPa": 1, "MPa": 1e-3, "kbar": 0.1, "TPa": 1e3, "N/m²": 1e-9, "eV/Å³": 160.2176634},
    ),
    ("jarvis_dft/exfoliation_energy", {"meV/atom": 1, "eV/atom": 1e3, "meV": 1}),
    ("jarvis_dft/p-Seebeck", {"µV/K": 1, "mV/K": 1e3, "V/K": 1e6, "μV K⁻¹": 1}),
    ("jarvis_dft/p-powerfact", {"µW/(m K²)": 1, "mW/(m·K²)": 1e3, "W m⁻¹ K⁻²": 1e6, "µW/cm·K²": 100}),
    ("jarvis_dft/dfpt_piezo_max_eij", {"C/m²": 1, "µC/cm²": 0.01}),
    ("jarvis_dft/dfpt_piezo_max_dij", {"pC/N": 1, "pm/V": 1, "C/N": 1e12}),
    ("hmof/max_co2_adsp", {"mol/kg": 1, "mmol/g": 1, "mol/g": 1e3}),
    ("hmof/surface_area_m2g", {"m²/g": 1, "m2/g": 1, "cm²/g": 1e-4, "m²/kg": 1e-3}),
    ("hmof/surface_area_m2cm3", {"m²/cm³": 1, "m²/m³": 1e-6}),
    ("jarvis_dft/max_efg", {"10²¹ V/m²": 1, "V/Å²": 0.1}),
    ("jarvis_dft/avg_elec_mass", {"electron masses": 1, "m_e": 1, "m0": 1}),
    ("jarvis_dft/slme", {"%": 1, "percent": 1}),
    ("hmof/void_fraction", {"%": 0.01}),
]


@pytest.mark.parametrize(("task", "unit", "factor"), [(t, u, f) for t, units in CONVERTED for u, f in units.items()])
def test_units_are_converted(task: str, unit: str, factor: float) -> None:
    for text in (f"12.5 {unit}", f"approximately 12.5 {unit}.", f'{{"answer": "12.5 {unit}"}}'):
        assert parse_answer(text, task).value == pytest.approx(12.5 * factor, rel=1e-8), text


def test_every_unit_of_the_catalogue_is_read_and_others_are_refused() -> None:
    foreign = {"eV": "GPa", "eV/atom": "GPa", "meV/atom": "GPa", "GPa": "eV", None: "eV"}
    for task in list_tasks(include_sample=True):
        if task.kind == "classification":
            continue
        if task.unit is not None:
            assert parse_answer(f"0.5 {task.unit}", task) == Answer(0.5, "number", (0, 4 + len(task.unit))), task.name
        other = foreign.get(task.unit, "eV")
        assert parse_answer(f"0.5 {other}", task).status == "wrong_unit", task.name


@pytest.mark.parametrize("task", list_tasks(include_sample=True), ids=str)
def test_the_json_that_was_asked_for_is_read_for_every_task(task: Task) -> None:
    value, spelt = (True, "true") if task.kind == "classification" else (0.25, "0.25")
    prop = task.property
    for key in (prop.name, prop.title, prop.published_column, prop.name.lower(), f"predicted {prop.name}"):
        for text in (
            f'{{"{key}": {spelt}}}',
            f"{{'{key}': '{spelt}'}}",
            f'{{"NaCl": {{"{key}": {{"value": {spelt}}}}}}}',
        ):
            assert parse_answer(text, task).value == value, text
            assert parse_answer(text, task).status == "json", text
    assert parse_answer(f"{prop.name}: {spelt}", task).value == value
    assert parse_answer(f"The {prop.title} is {spelt}.", task).value == value
    for words in (prop.name, prop.title, prop.published_label or "", f"property name: {prop.name}"):
        if task.kind == "regression":
            assert parse_answer(words, task).value is None, words


# --- digits that are none ------------------------------------

ELEMENTS = ["Fe", "O", "Si", "C", "Ba", "K", "V", "Co", "H", "P"]
formulas = st.lists(st.tuples(st.sampled_from(ELEMENTS), st.integers(2, 99)), min_size=1, max_size=5).map(
    lambda parts: "".join(f"{element}{amount}" for element, amount in parts)
)
names = st.sampled_from([task.property.name for task in list_tasks()])
groups = st.sampled_from(
    ["P6_3/mmc", "Fm-3m", "P2_1/c", "P 21/c", "R-3c", "I4/mmm", "P-1", "P4_2/mnm", "F-43m", "Ia-3d"]
)


@given(
    words=st.lists(st.one_of(formulas, names, groups), max_size=8), value=st.integers(1, 9999).map(lambda n: n / 1000)
)
@settings(deadline=None)
def test_digits_of_names_formulas_and_groups_never_count(words: list[str], value: float) -> None:
    text = "Looking at " + " and ".join(words)
    assert parse_answer(text, "mp/density").value is None
    assert parse_answer(f"{text} I would say {value} g/cm³", "mp/density").value == value


# --- it never raises ------------------------------------

PIECES = [
    '{"band_gap": ',
    "band_gap",
    "1.5",
    "-",
    "eV",
    "{",
    "}",
    '"',
    "'",
    "\\",
    "10^",
    "×",
    "±",
    "<think>",
    "</think>",
    "\n",
]
PIECES += [
    "is",
    "not",
    "stable",
    ":",
    ",",
    "[",
    "]",
    "e5",
    "10⁻³",
    "\\times",
    "$",
    " ",
    "between",
    "and",
    "meV",
    "/",
    "atom",
    "İ",
    "\ud800",
]
soups = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=40).map("".join)


@given(text=st.one_of(soups, st.text(max_size=200), st.text(alphabet=string.printable, max_size=200)))
@example("1" * 5000)
@example("1e" + "9" * 5000)
@example("10^" + "9" * 5000)
@example("{" * 5000)
@example("\\u")
@settings(max_examples=400, deadline=None)
def test_nothing_raises_and_every_answer_is_sound(text: str) -> None:
    for task in ("mp/band_gap", "mp/is_stable", "jarvis_dft/max_efg", "hmof/void_fraction"):
        for reason in (None, "stop", "length"):
            found = parse_answer(text, task, finish_reason=reason)
            assert found.status in STATUSES
            assert (found.value is not None) == (found.status in ("json", "labelled", "number"))
            if found.value is not None:
                assert found.span is not None
                assert isinstance(found.value, bool) == (task == "mp/is_stable")
                assert math.isfinite(found.value)
            if found.span is not None:
                assert 0 <= found.span[0] < found.span[1] <= len(text)


def test_the_span_holds_the_value() -> None:
    text = 'Sure. {"density": 3, "band_gap": "−1.2 × 10⁻³ eV"} and more'
    found = parse_answer(text, "mp/efermi")
    assert found.value is None
    found = parse_answer(text.replace("band_gap", "efermi"), "mp/efermi")
    assert found.span is not None
    assert text.replace("band_gap", "efermi")[slice(*found.span)] == "−1.2 × 10⁻³ eV"


def test_none_is_an_empty_answer_and_a_task_must_exist() -> None:
    assert parse_answer(None, "mp/band_gap") == Answer(None, "empty", None)
    with pytest.raises(UsageError, match="unknown task"):
        parse_answer("1", "mp/band_gab")


def test_a_task_and_its_name_are_the_same() -> None:
    assert parse_answer("1.5", get_task("mp/band_gap")) == parse_answer("1.5", "mp/band_gap")


@pytest.mark.parametrize(
    ("text", "reason", "status"),
    [
        ('{"volume": 12', None, "truncated"),
        ('{"volume": 12', "length", "truncated"),
        ('{"volume": 12', "stop", "json"),
        ('{"volume": 12.5', None, "json"),
        ('{"volume": 12.5', "length", "truncated"),
        ('{"volume": 12.5}', "length", "json"),
        ("The volume is 12.5", "length", "truncated"),
        ("The volume is 12.5", None, "labelled"),
        ("The volume is 12.5 Å³. This follows from", "length", "labelled"),
        ("To answer this we first", "length", "truncated"),
        ("", "length", "truncated"),
    ],
)
def test_what_was_cut_off_is_told_apart(text: str, reason: str | None, status: str) -> None:
    assert parse_answer(text, "mp/volume", finish_reason=reason).status == status


def test_an_echoed_prompt_is_no_answer() -> None:
    prompt = 'Formula: GaAs. Example: {"band_gap": 1.4}. Formula: Si. Answer as JSON.'
    assert parse_answer(prompt + ' {"band_gap": 1.1}', "mp/band_gap", prompt=prompt).value == 1.1
    assert parse_answer(prompt, "mp/band_gap", prompt=prompt).value is None


# --- linear time ------------------------------------

MEGABYTE = 1_000_000
UNITS = [
    *[
        "x",
        "1",
        "1 ",
        "1,",
        "1.",
        "-",
        "- ",
        "{",
        "}",
        '{"',
        '{"a":',
        '"',
        "\\",
        '\\"',
        "[",
        "band gap ",
        "band_gap: ",
        "1e",
    ],
    *[
        "1e5 ",
        "10^",
        "10^{",
        "1 x 10^",
        "1-",
        "1 - 2 - ",
        "<think>",
        "</think>",
        "<think></think>",
        "Fe2O3 ",
        "5.43 Å ",
        "5 GPa ",
    ],
    *[
        "1,234",
        "1 234 ",
        "not ",
        "stable ",
        "direct or indirect? ",
        "answer: ",
        "±",
        "1 ± 1 ",
        "−",
        "é ",
        "10⁻",
        "\n",
        "\n1. ",
        " ",
    ],
    *[
        "{'a",
        "{a:1,",
        "\\times ",
        '{"band_gap": ',
        '{"band_gap": "x", ',
        "_cell_a 5\n",
        "chemical formula: x\n",
        "density: 5 ",
    ],
    *[
        "(1",
        "1/",
        "1:",
        "a1",
        "_1",
        ".",
        ".1",
        "1 eV/",
        "1 eV atom",
        "energy per atom formation ",
        "[INST]",
        "1 K ",
        "if stable ",
    ],
    *[
        "band gap, density 5 GPa ",
        "between 1 and ",
        "5.0 eV cutoff ",
        "\u200b",
        "1(2)",
        "{'it's ",
        "Z = 4 ",
        '{"\\"',
        "'a'",
        "{``",
        "[[",
    ],
    *[
        "1.2 eV/atom * ",
        "= 1 + ",
        "((1))*",
        "\\frac{1}{2}",
        "\\frac{1}{2} = ",
        "1 = 2 - ",
        "1.5 (eV) - ",
    ],
]


INSIDE = [
    '"energy_per_atom": "x", ',
    '"is_gap_direct": "not sure", ',
    '"value": 5 GPa, ',
    '"is_gap_direct": "a b c d", ',
    "a: [1, 2], ",
]
INSIDE += [
    '"unit": "x", "value": "y", ',
    '"energy_per_atom_min": 1 GPa, ',
    "[",
    "{",
    '"is_gap_direct": {"value": "x"}, ',
]


@pytest.mark.slow
def test_a_megabyte_of_anything_takes_linear_time() -> None:
    """Twice the text may take two and a half times as long; a megabyte takes a fraction of a second of processor."""

    def seconds(text: str, task: str) -> float:
        parse_answer("x", task)
        best = math.inf
        for _ in range(3):
            started = time.process_time()
            parse_answer(text, task)
            best = min(best, time.process_time() - started)
        return best

    for task in ("mp/energy_per_atom", "mp/is_gap_direct"):
        for opening, unit in [*(("", unit) for unit in UNITS), *(("{", unit) for unit in INSIDE)]:
            whole = (opening + unit * (MEGABYTE // len(unit) + 1))[:MEGABYTE]
            took = seconds(whole, task)
            assert took < 0.3, (task, unit, took)
            if took > 0.05:
                half = seconds(whole[: MEGABYTE // 2], task)
                assert took < 2.5 * half + 0.03, (task, unit, half, took)


@pytest.mark.parametrize("filler", ["x", "word ", "{", "1 GPa ", "\n"])
def test_a_value_at_either_end_of_a_long_answer_is_found(filler: str) -> None:
    long = filler * (MEGABYTE // len(filler))
    assert parse_answer(long + "\nThe band gap is 1.5 eV.", "mp/band_gap").value == 1.5
    if filler != "{":
        assert parse_answer('{"band_gap": 1.5}' + long, "mp/band_gap").value == 1.5
        assert parse_answer(long + '{"band_gap": 1.5}', "mp/band_gap").value == 1.5


def test_the_version_is_a_string() -> None:
    assert PARSER_VERSION == "1"


def test_nothing_of_an_answer_is_kept() -> None:
    def read(number: int) -> None:
        for task in ("mp/band_gap", "mp/is_stable"):
            parse_answer(f'{{"{number}{"k" * 50_000}": 1, "band_gap": "{number}{"v " * 25_000}"}}', task)
            parse_answer(f"{number} eV " + "word " * 10_000, task)

    read(0)
    tracemalloc.start()
    try:
        for number in range(40):
            read(number)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000  # of eight million characters
