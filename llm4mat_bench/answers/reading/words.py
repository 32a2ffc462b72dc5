"""The words that the parser knows, read from ``words.yaml``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...yaml_files import read_yaml

Words = tuple[str, ...]


class WordLists(BaseModel):
    """Lists of words in lower case; ``words.yaml`` says what each is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neutral: Words
    generic: Words
    name_keys: Words
    structural: Words
    unit_words: Words
    measured: Words
    declined: Words
    negators: Words
    open_question: Words
    clause: Words
    between: Words
    no_class_before: Words
    counted: Words
    numbered: Words
    said: Words


WORDS = read_yaml(Path(__file__).with_name("words.yaml"), WordLists)
