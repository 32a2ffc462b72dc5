"""The steps of LLM-Prop on real and invented sentences."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4mat_bench.baselines.text.preprocess import OWN_STOP_WORDS, Preprocessing, preprocess, read_stop_words
from llm4mat_bench.errors import DataError

ALL = Preprocessing(bond_lengths=True, bond_angles=True, stop_words=None)
NONE = Preprocessing(bond_lengths=False, bond_angles=False, stop_words=None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("All Na(1)–Cl(1) bond lengths are 2.82 Å.", "All Na(1)–Cl(1) bond lengths are [NUM]."),
        ("distances ranging from 1.95–2.01 Å", "distances ranging from [NUM]"),
        ("distances ranging from 1.95-2.01Å", "distances ranging from [NUM]"),
        ("four shorter (2.82 Å) and one longer (2.85 Å)", "four shorter ([NUM]) and one longer ([NUM])"),
        ("tilt angles range from 3–11°", "tilt angles range from [ANG]"),
        ("bent 120 degrees geometry", "bent [ANG] geometry"),
        ("tilt angles are 6°.", "tilt angles are [ANG]."),
        # No length, no angle: indices, formulas, space groups, directions stay.
        ("Fe2O3 in P6_3/mmc, Na(12), (0, 0, 1) direction", "Fe2O3 in P6_3/mmc, Na(12), (0, 0, 1) direction"),
        ("12-coordinate", "12-coordinate"),
    ],
)
def test_lengths_and_angles(text: str, wanted: str) -> None:
    assert preprocess(text, ALL) == wanted
    assert preprocess(text, NONE) == text


def test_stop_words_go_but_numbers_stay() -> None:
    words, sha256 = read_stop_words()
    # Another list gives other answers: whoever changes it raises the revision of the models that read it.
    assert sha256 == "e590826d9950b5efeb61e945d94d91d9cb032eaa631bf43e8a49c8869a6b4285"
    assert "scikit-learn developers" in OWN_STOP_WORDS.with_suffix(".LICENSE").read_text()
    steps = Preprocessing(bond_lengths=False, bond_angles=False, stop_words=sha256)
    said = preprocess("There are four shorter and one longer bond to the Six equivalent atoms", steps, words)
    assert said == "four shorter one longer bond Six equivalent atoms"
    numbers = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
    assert not words & numbers


def test_the_list_is_scikit_learns_without_numbers() -> None:
    sklearn = pytest.importorskip("sklearn.feature_extraction.text")
    words, _ = read_stop_words(OWN_STOP_WORDS)
    left = sklearn.ENGLISH_STOP_WORDS - words
    assert words < sklearn.ENGLISH_STOP_WORDS
    assert left == {
        "one", "two", "three", "four", "five", "six", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty",
        "forty", "fifty", "sixty", "hundred",
    }  # fmt: skip


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_missing_or_empty_list_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"words\.txt"):
        read_stop_words(path)


@given(st.text())
def test_no_text_makes_it_fail_and_no_steps_change_nothing(text: str) -> None:
    assert preprocess(text, NONE) == text
    assert isinstance(preprocess(text, ALL), str)
