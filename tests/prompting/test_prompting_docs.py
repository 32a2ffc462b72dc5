"""What docs/prompting.md shows runs, and says what it says."""

import re
from pathlib import Path

from llm4mat_bench.prompting.parser import parse_answer
from llm4mat_bench.prompting.published_parser import parse_published

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "prompting.md").read_text(encoding="utf-8")


def test_examples_run_and_give_what_they_say() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, {})
    stated = re.findall(r"^(parse_answer\(.*\))\n# (Answer\(.*\))$", PAGE, re.MULTILINE)
    assert len(stated) == 2
    for call, answer in stated:
        assert repr(eval(call, {"parse_answer": parse_answer})) == answer


def test_the_table_of_published_rules() -> None:
    rows = re.findall(r"^\| `(\{(\w+): [^`]*\})`[^|]*\| (\S+) \| (\S+) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 8
    tasks = {"optb88vdw_bandgap": "jarvis_dft", "max_co2_adsp": "hmof"}
    words = {"yes": True, "no": False, "none": None}
    for text, name, published, ours in rows:
        task = f"{tasks.get(name, 'mp')}/{name}"
        expected = [words[cell] if cell in words else float(cell) for cell in (published, ours)]
        assert [parse_published(text, task).value, parse_answer(text, task).value] == expected, text
