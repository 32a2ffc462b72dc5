"""A newcomer who follows docs/submitting.md ends with a verified row."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "submitting.md").read_text()


def test_the_page_leads_to_a_verified_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    commands = [line for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert [shlex.split(command)[1] for command in commands] == ["submit", "verify", "leaderboard", "push", "verify"]
    for command in commands[:3]:  # tests/test_docs.py runs the others, too, where there is a double of the Hub
        called = call(*shlex.split(command)[1:])
        assert called.status == 0, called.err
    (source,) = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    (entry,) = source["entries"]
    assert entry["model"] == "my-group/mean" and entry["data_checked"]


def test_every_option_that_is_named_is_there(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = call("submit", "--help").out
    table = PAGE.partition("| option |")[2].partition("\n\n")[0]
    for option in re.findall(r"--[a-z][a-z-]+", table):
        assert option in shown
