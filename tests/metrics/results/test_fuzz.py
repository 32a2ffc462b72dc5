"""Whatever stands in a result.json, verifying says it in lines: no traceback, and nothing edited passes for sound."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_runs import toy_run

from llm4mat_bench.errors import LLM4MatError
from llm4mat_bench.metrics.results.record import read_record
from llm4mat_bench.metrics.results.verify import verify_run

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_run(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def run(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("fuzz") / made.name))


def leaves(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in leaves(one, (*path, key)))]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["", "0" * 64, "../x", "\x00", "\u202e", "a" * 5000, -1, 2**63, 1e308, 0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def check(run: Path, *, may_be_sound: bool) -> None:
    found = verify_run(run)
    assert may_be_sound or found.faults
    for fault in found.faults:
        assert "\n" not in fault
        assert "cannot be verified" not in fault, fault
    try:
        record = read_record(run / "result.json")
    except LLM4MatError as error:
        assert found.record is None
        assert "\n" not in str(error)
    else:
        assert found.record == record


@FUZZ
@given(data=st.data())
def test_a_value_is_replaced(run: Path, made: Path, data: st.DataObject) -> None:
    record = json.loads((made / "result.json").read_text())
    path = data.draw(st.sampled_from([path for path in leaves(record) if path]))
    value = data.draw(JSON)
    *above, last = path
    inside = record
    for key in above:
        inside = inside[key]
    same = json.dumps(inside[last]) == json.dumps(value)
    # 0 for 0.0 and the like is the same number, and the record's hash is that of numbers.
    same = same or (type(inside[last]) is float and type(value) in (int, float) and inside[last] == value)
    inside[last] = value
    (run / "result.json").write_text(json.dumps(record))
    check(run, may_be_sound=same)


@FUZZ
@given(data=st.data())
def test_a_key_is_removed_or_added(run: Path, made: Path, data: st.DataObject) -> None:
    record = json.loads((made / "result.json").read_text())
    path = data.draw(st.sampled_from([path for path in leaves(record) if path and isinstance(path[-1], str)]))
    inside = record
    for key in path[:-1]:
        inside = inside[key]
    if data.draw(st.booleans()):
        del inside[path[-1]]
    else:
        inside[path[-1] + data.draw(st.text(min_size=1, max_size=3))] = inside[path[-1]]
    (run / "result.json").write_text(json.dumps(record))
    check(run, may_be_sound=False)


@FUZZ
@given(data=st.data())
def test_bytes_are_changed(run: Path, made: Path, data: st.DataObject) -> None:
    content = bytearray((made / "result.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 30))
        content[start : start + length] = data.draw(st.binary(max_size=10))
    (run / "result.json").write_bytes(content)
    try:
        same = json.loads(content) == json.loads((made / "result.json").read_bytes())
    except (ValueError, RecursionError):
        same = False
    check(run, may_be_sound=same)


@FUZZ
@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_it_is_something_else(run: Path, content: bytes) -> None:
    (run / "result.json").write_bytes(content)
    check(run, may_be_sound=False)


@settings(FUZZ, max_examples=60)
@given(data=st.data())
def test_bytes_of_the_predictions_are_changed(run: Path, made: Path, data: st.DataObject) -> None:
    shutil.copy(made / "result.json", run / "result.json")
    content = bytearray((made / "predictions.parquet").read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(1, 40))] = data.draw(st.binary(max_size=40))
    (run / "predictions.parquet").write_bytes(content)
    found = verify_run(run)
    (run / "predictions.parquet").write_bytes((made / "predictions.parquet").read_bytes())
    same = bytes(content) == (made / "predictions.parquet").read_bytes()
    assert bool(found.faults) != same
    assert all("\n" not in fault for fault in found.faults)
