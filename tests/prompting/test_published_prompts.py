"""The published prompt files: read as they are, checked against the test split, turned into messages."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4mat_bench import get_task
from llm4mat_bench.errors import DataError
from llm4mat_bench.prompting.messages import Message, from_llama2, to_llama2
from llm4mat_bench.prompting.published import match_to_test, prompt_column, read_published_prompts

TASK = get_task("mp/band_gap")
FORMULAS = ["NaCl", "KCl", "Fe2O3", "GaAs"]
TARGETS = ["5.0", "5.1000000000000005", "", "1.5"]
TEST_ROWS = [("mp-1", "NaCl", 5.0), ("mp-2", "KCl", 5.1000000000000005), ("mp-3", "Fe2O3", None), ("mp-4", "GaAs", 1.5)]


def prompt(formula: str, name: str = "band_gap") -> str:
    return (
        "<s>[INST] <<SYS>>\nLook at the formula.\nAnswer {property_name:value}.\n<</SYS>>\n\n"
        f"chemical formula: {formula}.\nproperty name: {name}. [/INST]"
    )


def write(folder: Path, formulas: Sequence[str], targets: Sequence[str], name: str = "band_gap") -> Path:
    path = folder / "mp_inference_prompts_data.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"{name}_formula_zero_shot", f"{name}_formula_few_shot", name, "volume"])
        for formula, target in zip(formulas, targets, strict=True):
            writer.writerow([prompt(formula, name), "few", target, "1"])
    return path


def questions(path: Path, rows: object = TEST_ROWS) -> list[tuple[str, object]]:
    prompts = read_published_prompts(path, TASK, "composition", "zero_shot")
    return [(one.material_id, one.target) for one in match_to_test(prompts, rows, TASK, path)]  # type: ignore[arg-type]


def test_names_of_columns() -> None:
    assert prompt_column(TASK, "cif", "few_shot") == "band_gap_cif_structure_few_shot"
    assert (
        prompt_column(get_task("jarvis_dft/n-Seebeck"), "description", "zero_shot") == "n-Seebeck_description_zero_shot"
    )


def test_prompts_are_given_to_their_rows(tmp_path: Path) -> None:
    path = write(tmp_path, FORMULAS, TARGETS)
    prompts = list(read_published_prompts(path, TASK, "composition", "zero_shot"))
    assert [one.row for one in prompts] == [1, 2, 4]
    assert prompts[0].prompt == prompt("NaCl")
    found = list(match_to_test(prompts, TEST_ROWS, TASK, path))
    assert [one.material_id for one in found] == ["mp-1", "mp-2", "mp-4"]
    assert found[0].messages == (
        Message(role="system", content="Look at the formula.\nAnswer {property_name:value}."),
        Message(role="user", content="chemical formula: NaCl.\nproperty name: band_gap."),
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 3], "row 2: target '1.5' of mp/band_gap, but mp-2, test row 2, has 5.1"),
        ([0, 0, 1, 3], "row 2: target '5.0' of mp/band_gap, but mp-2"),
        ([1, 0, 3], "row 1: target '5.1000000000000005' of mp/band_gap, but mp-1"),
        ([0, 1], "2 prompts of mp/band_gap, but the test split has more rows; mp-4 is the first without one"),
        ([0, 1, 3, 3], "row 4 and later belong to no test row"),
    ],
)
def test_another_split_missing_and_doubled_rows(tmp_path: Path, rows: list[int], message: str) -> None:
    path = write(tmp_path, [FORMULAS[row] for row in rows], [TARGETS[row] for row in rows])
    with pytest.raises(DataError, match=message):
        questions(path)


def test_classes_and_infinite_targets(tmp_path: Path) -> None:
    path = write(tmp_path, ["A", "B", "C"], ["Direct", "Null", "Indirect"], "Direct_or_indirect")
    task = get_task("snumat/Direct_or_indirect")
    prompts = read_published_prompts(path, task, "composition", "zero_shot")
    found = list(match_to_test(prompts, [("a", "A", True), ("c", "C", False)], task, path))
    assert [(one.material_id, one.target) for one in found] == [("a", True), ("c", False)]
    path = write(tmp_path, ["A", "B"], ["inf", "2.0"], "Bandgap")
    task = get_task("gnome/Bandgap")
    assert [one.target for one in read_published_prompts(path, task, "composition", "zero_shot")] == ["2.0"]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: "):
        questions(tmp_path / "none.csv")
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column band_gap_formula_zero_shot or band_gap"):
        questions(path)
    path.write_text("")
    with pytest.raises(DataError, match=r"other\.csv: "):
        questions(path)
    path.write_text("band_gap_formula_zero_shot,band_gap\n,1.5\n")
    with pytest.raises(DataError, match="row 1 has a target in band_gap and no prompt"):
        questions(path)
    path.write_text("band_gap_formula_zero_shot,band_gap\nplain text,5.0\n")
    with pytest.raises(DataError, match="row 1: no prompt in Llama 2's markers"):
        questions(path, TEST_ROWS[:1])


def test_markers_of_several_turns() -> None:
    text = (
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nA? [/INST] one </s><s>[INST] B? [/INST] two </s><s>[INST] C? [/INST]"
    )
    messages = from_llama2(text)
    assert [(one.role, one.content) for one in messages] == [
        ("system", "Be brief."),
        ("user", "A?"),
        ("assistant", "one"),
        ("user", "B?"),
        ("assistant", "two"),
        ("user", "C?"),
    ]
    assert to_llama2(messages) == text


@pytest.mark.parametrize(
    "text", ["", "hello", "[INST] never closed", "[INST] a [INST] b [/INST]", "[INST] a [/INST] [/INST]"]
)
def test_markers_that_do_not_pair(text: str) -> None:
    with pytest.raises(ValueError, match="Llama 2's markers"):
        from_llama2(text)


words = st.text(alphabet="abc .:{}\n'", min_size=1, max_size=30).filter(lambda text: text == text.strip() and text)


@given(system=words, question=words)
def test_llama2_writes_the_same_prompt_again(system: str, question: str) -> None:
    text = f"<s>[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{question} [/INST]"
    assert to_llama2(from_llama2(text)) == text
