"""Declarations in YAML: the same values as with the plain loader, errors in one line."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from llm4mat_bench.errors import DataError
from llm4mat_bench.yaml_files import load_yaml, read_yaml

PACKAGE = Path(__file__).resolve().parents[2]
DECLARATIONS = sorted(
    file
    for room in ("dataset_builder", "metrics", "baselines", "prompting", "llm4mat_bench")
    for file in (PACKAGE / room).rglob("*.yaml")
)


class Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sizes: tuple[int, ...] = ()


def test_every_declaration_says_what_the_plain_loader_reads() -> None:
    assert len(DECLARATIONS) > 20
    for file in DECLARATIONS:
        text = file.read_text(encoding="utf-8")
        assert load_yaml(text) == yaml.load(text, Loader=yaml.SafeLoader), file


def test_no_tag_makes_an_object() -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml("!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: [", "not valid YAML"),
        (b"name: \xff", "not valid YAML"),
        (b"name: a\nsize: 1", "size is not known here (misspelt?)"),
        (b"name: a\nsizes: [1, x]", "sizes.1 must be a whole number"),
        (b"", "the whole file must be a list of names with values"),
    ],
)
def test_an_error_names_the_file_and_the_key_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "declared.yaml"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_yaml(file, Form)
    text = str(caught.value)
    assert text.startswith(f"{file}: {says}"), text
    assert "\n" not in text


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_yaml(tmp_path / "none.yaml", Form)


def test_a_list_is_read_as_well(tmp_path: Path) -> None:
    file = tmp_path / "declared.yaml"
    file.write_text("- {name: a}\n- {name: b, sizes: [1]}\n")
    assert read_yaml(file, list[Form]) == [Form(name="a"), Form(name="b", sizes=(1,))]
