"""JSON in answers: wherever the property stands in whatever object, its value is found, and no other."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm4mat_bench.answers.reading.objects import Object, Scalar, find_objects
from llm4mat_bench.prompting.parser import parse_answer

KEYS = st.sampled_from(
    ["formula", "density", "volume", "note", "lattice", "a", "space_group", "elements", "source", "x1"]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1000, 1000),
    st.floats(-1e3, 1e3),
    st.sampled_from(["Fe2O3", "P6_3/mmc", "5 GPa", 'it\'s {odd}, [really]: "yes"', "", "12 Å", "\\", "a\nb", "é×"]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, TREES, max_size=5)
VALUES = st.integers(0, 10**6).map(lambda number: number / 10_000)


def holding(draw: st.DrawFn, value: object) -> dict[str, object]:
    """An object that holds the property somewhere, among other things."""
    inner: dict[str, object] = draw(OBJECTS)
    items = [*inner.items(), ("band_gap", value)]
    found: dict[str, object] = dict(draw(st.permutations(items)))
    for _ in range(draw(st.integers(0, 3))):
        outer: dict[str, object] = draw(OBJECTS)
        wrapped: object = [found] if draw(st.booleans()) else found
        found = dict(draw(st.permutations([*outer.items(), ("properties", wrapped)])))
    return found


@given(
    data=st.data(),
    value=VALUES,
    before=st.sampled_from(["", "Sure!\n", "```json\n"]),
    indent=st.sampled_from([None, 2]),
)
@settings(max_examples=300, deadline=None)
def test_the_property_is_found_in_any_object(
    data: st.DataObject, value: float, before: str, indent: int | None
) -> None:
    document = holding(data.draw, value)  # type: ignore[arg-type]
    found = parse_answer(
        before + json.dumps(document, ensure_ascii=False, indent=indent) + "\nThat is 7.5 eV.", "mp/band_gap"
    )
    assert (found.value, found.status) == (value, "json"), document


@given(document=OBJECTS)
@settings(max_examples=200, deadline=None)
def test_an_object_without_the_property_gives_no_other_value(document: dict[str, object]) -> None:
    named = {key: value for key, value in document.items() if key not in ("a", "x1", "note", "source")}
    plain = {key: value for key, value in named.items() if not isinstance(value, dict | list)}
    assert parse_answer(json.dumps({"density": 5.5, "volume": 60.5, **plain}), "mp/band_gap").value is None


@given(document=OBJECTS, indent=st.sampled_from([None, 1]))
@settings(max_examples=200, deadline=None)
def test_strict_json_is_read_as_it_is(document: dict[str, object], indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    found = find_objects(text)

    def value_of(one: object) -> object:
        if isinstance(one, Scalar):
            written = text[one.start : one.end]
            return json.loads(f'"{written}"') if one.quoted else json.loads(written)
        assert isinstance(one, Object)
        if one.is_list:
            return [value_of(entry.value) for entry in one.entries]
        return {entry.key: value_of(entry.value) for entry in one.entries}

    assert value_of(found.roots[0]) == document
    assert found.roots[0].closed
    assert found.roots[0].end == len(text)


@pytest.mark.parametrize("quote", ['"', "'", "", "“", "`"])
@pytest.mark.parametrize("colon", [":", ": ", " : ", " = ", "=", " => "])
@pytest.mark.parametrize("end", ["}", ",}", "\n}", "", ", }"])
@pytest.mark.parametrize("unit", ["", " eV", "eV", " (eV)", " electron volts"])
def test_what_small_models_take_for_json(quote: str, colon: str, end: str, unit: str) -> None:
    closing = {"“": "”"}.get(quote, quote)
    for value in (
        "1.25",
        f"{quote}1.25{unit}{closing}",
        f"1.25{unit}",
        f"[1.25{unit}]",
        f"{quote}~1.25{unit}{closing}",
    ):
        text = f"{{{quote}band_gap{closing}{colon}{value}{end}"
        assert parse_answer(text, "mp/band_gap").value == 1.25, text
        assert parse_answer(text, "mp/band_gap").status == "json", text


def test_the_first_that_names_the_property_counts() -> None:
    text = '{"density": 1}{"band_gap": "?"}{"band_gap": 2}{"band_gap": 3}'
    assert parse_answer(text, "mp/band_gap").value == 2.0


def test_depth_is_no_trouble() -> None:
    text = '{"a":' * 2000 + '{"band_gap": 1.5}' + "}" * 2000
    assert parse_answer(text, "mp/band_gap").value == 1.5
    parse_answer('{"band_gap":' * 3000 + "1.5" + "}" * 3000, "mp/band_gap")  # does not raise


@given(
    st.sampled_from(["sample/band_gap", "mp/efermi", "hmof/void_fraction", "jarvis_dft/exfoliation_energy"]),
    st.from_regex(r"-?[0-9]{1,15}(\.[0-9]{1,17})?", fullmatch=True),
    st.sampled_from(["", " ", "\n", "\t "]),
    st.sampled_from([None, "stop", "length"]),
)
def test_the_plain_answer_is_read_as_by_all_rules(task: str, number: str, blank: str, reason: str | None) -> None:
    text = f'{blank}{{"{task.partition("/")[2]}": {number}}}{blank}'
    quick = parse_answer(text, task, finish_reason=reason)
    # a prompt, which the answer does not repeat, keeps the quick way out
    slow = parse_answer(text + "\n\n", task, prompt="Something else.", finish_reason=reason)
    assert quick == slow
