"""Cards and entries are changed in their text: what people wrote in them stays by letter."""

from typing import Any

import pytest
import yaml
from huggingface_hub import RepoCard

from llm4mat_bench.errors import DataError
from llm4mat_bench.hub.front_matter import comments_that_go, split_card, with_keys
from llm4mat_bench.hub.result_entries import ENTRIES_FILE, entries_that_go, merged_entries
from llm4mat_bench.hub.yaml_edit import edit_yaml, lost_comments

WRITTEN = """tags:
- a # why a
# about b
- b
datasets: [x/y] # ours
license:   # to be decided
model-index:
# theirs
- name: "their-model"
  results:
  - task: {type: x}   # flow
    metrics:
    - {type: accuracy, value: 0.250}
  # ours
  - task:
      type: old # of it
# the end
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_and_form_inside_of_values_stay(end: str) -> None:
    """What is wanted is written by hand here, line by line."""
    wanted = yaml.safe_load(WRITTEN)
    wanted |= {"tags": ["a", "b", "c"], "datasets": ["x/y", "org/z"], "license": "mit", "new": {"k": [1]}}
    wanted["model-index"][0]["results"][1:] = [{"task": {"type": "new"}}, {"task": {"type": "second"}}]
    expected = (
        WRITTEN.replace("- b\n", "- b\n- c\n")
        .replace("[x/y]", "[x/y, org/z]")
        .replace("license:   #", "license: mit   #")
        .replace("type: old # of it\n", "type: new # of it\n  - task:\n      type: second\n")
    ) + "new:\n  k:\n  - 1\n"
    edited = edit_yaml(WRITTEN.replace("\n", end), wanted, end)
    assert edited == expected.replace("\n", end)
    assert yaml.safe_load(edited) == wanted
    assert lost_comments(WRITTEN, edited) == []


@pytest.mark.parametrize(
    ("text", "wanted", "edited"),
    [
        ("- a # one\n- b\n# c\n- d\n", ["b", "d"], "- b\n# c\n- d\n"),
        ("- a # one\n- d\n", ["b", "d"], "- b\n- d\n"),
        ("- k: 1\n  gone: x # y\n  m: 2\n", [{"k": 1, "m": 2}], "- k: 1\n  m: 2\n"),
        ("- gone: 1\n  k: 1\n- z\n", [{"k": 1}, "z"], "- k: 1\n- z\n"),
        ("{a: 1, b: [2]} # x\n", {"a": 1, "b": [2, 3], "c": "d, e"}, "{a: 1, b: [2, 3], c: 'd, e'} # x\n"),
        ("a: |\n  text\n  # no comment\nb: 1\n", {"a": "x", "b": 2}, "a: x\nb: 2\n"),
        ("a: >\n  text\n# c\nb: 1\n", {"a": "text\n", "b": 1, "c": 2}, "a: >\n  text\n# c\nb: 1\nc: 2\n"),
        (
            "a:\n  - x\n  -\n    k: 1 # i\n\nb: 1",
            {"a": ["x", {"k": 2}], "b": 1},
            "a:\n  - x\n  -\n    k: 2 # i\n\nb: 1\n",
        ),
        ("# nothing yet\n", {"a": [1]}, "# nothing yet\na:\n- 1\n"),
        ("a: [1] # x\n", {"a": []}, "a: []\n"),
    ],
)
def test_only_what_differs_is_written(text: str, wanted: Any, edited: str) -> None:
    assert yaml.safe_load(edited) == wanted
    assert edit_yaml(text, wanted) == edited


def test_comments_that_cannot_stay_are_named() -> None:
    before = "---\na: [1] # of one\nb: '#no'\n---\n# Title\n"
    after = with_keys(before, {"a": [2]}, "card")
    assert after == "---\na:\n- 2\nb: '#no'\n---\n# Title\n"
    (line,) = comments_that_go(before, after, "README.md")
    assert line.startswith("README.md: this comment goes") and line.endswith("# of one")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", "\n", " \n\n", "\ufeff", "\ufeff\n"])
def test_a_block_is_found_as_the_hub_finds_it(before: str, end: str) -> None:
    card = f"{before}---\nlicense: mit\ntags:\n- ours # really\n---\n# Title\n\nWords.\n".replace("\n", end)
    new = with_keys(card, {"tags": ["ours", "more"]}, "card")
    assert new == card.replace("\ufeff", "").replace("really", f"really{end}- more")
    read = RepoCard(new)
    assert (read.data.license, read.data.tags) == ("mit", ["ours", "more"])
    assert split_card(new)[1] == f"# Title{end}{end}Words.{end}"


ENTRIES = """# kept by hand
- dataset: {id: cais/hle, task_id: default}  # theirs
  value: 0.250
- dataset:
    id: org/data
    task_id: gone
  value: 1.0
  source:
    url: https://huggingface.co/org/model/tree/main/results
    name: LLM4Mat-Bench
- dataset:
    id: org/data
    task_id: stays # ours
  value: 1.0
  verifyToken: t
  source:
    url: https://huggingface.co/org/model/tree/main/results
    name: LLM4Mat-Bench
- dataset: {id: org/data, task_id: copied}
  value: 3
  source: {url: https://huggingface.co/other/model/tree/main/results, name: LLM4Mat-Bench}
"""


def test_entries_of_ours_go_with_their_results_and_those_of_others_stay_by_letter() -> None:
    from huggingface_hub import EvalResultEntry

    new = EvalResultEntry(
        dataset_id="org/data",
        task_id="stays",
        value=2.0,
        source_url="https://huggingface.co/org/model/tree/main/results",
        source_name="LLM4Mat-Bench",
    )
    merged = merged_entries(ENTRIES, [new], "org/model")
    lines = ENTRIES.splitlines(keepends=True)
    assert merged == "".join(lines[:3] + lines[10:]).replace("  verifyToken: t\n", "").replace(
        "value: 1.0", "value: 2.0"
    )
    assert entries_that_go(ENTRIES, merged, "org/model") == [
        f"{ENTRIES_FILE}: gone goes, it is not among what is published now"
    ]
    assert merged_entries(merged, [new], "org/model") == merged
    ours = "".join(lines[3:10])
    assert merged_entries(ours, [], "org/model") == "", "a file of ours alone goes with the last of them"
    assert merged_entries(ours.replace("\n", "\r\n"), [], "org/other") == ours.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\ns: &a [*a]\n---\nbody\n", "holds itself by an anchor"),
        ("---\nlicense: mit\ntags: [x]\n\nbody\n", "opened by --- and never closed"),
        ("\ufeff---\r\nlicense: mit", "opened by --- and never closed"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        with_keys(text, {"license": "cc-by-4.0"}, "README.md")


def test_a_line_across_a_card_is_no_block() -> None:
    text = "---\nWords, and no names with values.\n"
    assert with_keys(text, {"license": "mit"}, "README.md") == f"---\nlicense: mit\n---\n{text}"
