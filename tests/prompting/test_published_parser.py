"""The published rules: their table of faults, and that nothing makes them raise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.prompting.parser import parse_answer
from llm4mat_bench.prompting.published_parser import kept_of, parse_published, published_number

# answer, task, what the published rules make of it, what the parser of this package makes of it
TABLE = [
    ("{optb88vdw_bandgap: 1.2}", "jarvis_dft/optb88vdw_bandgap", 88.0, 1.2),
    ("{max_co2_adsp: 3.1}", "hmof/max_co2_adsp", 2.0, 3.1),
    ("{surface_area_m2g: 500}", "hmof/surface_area_m2g", 2.0, 500.0),
    ("{efermi: -1.2e-3}", "mp/efermi", 0.0012, -0.0012),
    ("{efermi: -2 x 10^-3}", "mp/efermi", 0.002, -0.002),
    ("{band_gap: 1.0-3.4}", "mp/band_gap", 1.0, 2.2),
    ("{volume: 1,234.5}", "mp/volume", 1.0, 1234.5),
    ("{band_gap: .75}", "mp/band_gap", 75.0, 0.75),
    ("{efermi: −1.5}", "mp/efermi", 1.5, -1.5),
    ("{volume: 123456.7}", "mp/volume", None, 123456.7),
    ("{is_stable: not stable}", "mp/is_stable", True, False),
    ("{is_stable: unlikely}", "mp/is_stable", True, False),
    ('{"is_stable": "stable"}', "mp/is_stable", None, True),
    ("{is_gap_direct: No}", "mp/is_gap_direct", None, False),
    ("{is_gap_direct: unlikely}", "mp/is_gap_direct", True, False),
    ("{Direct_or_indirect: not direct}", "snumat/Direct_or_indirect", True, False),
    ("{true: an indirect gap}", "mp/is_gap_direct", True, False),
    # right in both
    ("{band_gap: 3.2 eV}", "mp/band_gap", 3.2, 3.2),
    ('{\n"band_gap": 3.2 eV\n}', "mp/band_gap", 3.2, 3.2),
    ("{band_gap: 2 × 10^-1}", "mp/band_gap", 0.2, 0.2),
    ("{efermi: 10^-3}", "mp/efermi", 0.001, 0.001),
    ("{efermi: -1.5}", "mp/efermi", -1.5, -1.5),
    ("{is_stable: True}", "mp/is_stable", True, True),
    ("{SOC: False}", "snumat/SOC", False, False),
    ('{"Direct_or_indirect": "Indirect"}', "snumat/Direct_or_indirect", False, False),
    # more faults
    ("{band_gap: 500 meV}", "mp/band_gap", 500.0, 0.5),
    ("{efermi: 1-2 or 3-4}", "mp/efermi", 1.5, 1.5),
    ("The band gap is 3.2 eV.", "mp/band_gap", None, 3.2),
]


@pytest.mark.parametrize(("text", "task", "published", "ours"), TABLE)
def test_the_published_faults_are_repeated_and_ours_are_not(
    text: str, task: str, published: float | bool | None, ours: float | bool
) -> None:
    found = parse_published(text, task)
    assert type(found.value) is type(published)
    assert found.value == (published if published is None else pytest.approx(published, rel=1e-12))
    assert parse_answer(text, task).value == pytest.approx(ours, rel=1e-12)


def test_what_is_kept() -> None:
    assert kept_of('Sure: {"a": {"b": 1}} or {2}') == '{"a": {"b": 1}'
    assert kept_of("no braces, 5 eV") == ""
    assert kept_of("{never closed") == ""


def test_a_word_with_an_element_symbol_goes() -> None:
    assert published_number("{Fe2O3: 1.5}") == 1.5
    assert published_number("{NaCl: 1.5}") == 1.5


@given(text=st.one_of(st.text(max_size=100), st.text(alphabet="{}0123456789.-eEx×^ 10HFetrue", max_size=60)))
@settings(max_examples=300, deadline=None)
def test_nothing_raises(text: str) -> None:
    for task in ("mp/band_gap", "mp/is_stable", "snumat/Direct_or_indirect_HSE", "sample/density"):
        parse_published("{" + text + "}", task)
        parse_published(text, task)
