"""Prompt templates: YAML files that say how a crystal is asked about. Extra keys are refused."""

import hashlib
import json
import string
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..dataset_builder.catalogue import Modality, Task, meaning_of
from ..errors import DataError, unknown_name
from ..yaml_files import read_yaml

TEMPLATES = Path(__file__).resolve().parent / "templates"

_OF_THE_TASK = frozenset({"property", "title", "meaning", "unit_sentence", "input_name", "input_heading", "form"})
_ALLOWED = {
    "system": _OF_THE_TASK,
    "question": _OF_THE_TASK | {"input", "shots"},
    "shot": _OF_THE_TASK | {"input", "answer"},
    "answer": _OF_THE_TASK | {"value"},
}
_INPUT_NAMES: dict[Modality, str] = {
    "composition": "chemical formula",
    "cif": "CIF (crystallographic information file)",
    "description": "description of its structure",
}
_INPUT_HEADINGS: dict[Modality, str] = {
    "composition": "Chemical formula",
    "cif": "CIF",
    "description": "Structure",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Truncation(_Part):
    """How long texts may be.

    ``question`` and ``shot`` limit the crystal's text in the question and in a shot, in tokens of the model or in
    words; None is no limit. What is too long for the model's context is shortened as ``too_long`` says: ``drop_shots``
    leaves out whole shots, the last first, and cuts the question's text only where none is left; ``cut_texts`` keeps
    all shots and cuts the longest texts to one length.
    """

    counted_in: Literal["tokens", "words"] = "tokens"
    question: int | None = Field(default=None, gt=0)
    question_with_shots: int | None = Field(default=None, gt=0, description="where it differs from question")
    shot: int | None = Field(default=None, gt=0)
    whole: tuple[Modality, ...] = Field(default=(), description="modalities whose texts have no limit")
    too_long: Literal["drop_shots", "cut_texts"] = "drop_shots"

    def question_limit(self, modality: Modality, *, with_shots: bool) -> int | None:
        """Limit of the question's text, None without one."""
        if modality in self.whole:
            return None
        return self.question_with_shots if with_shots and self.question_with_shots is not None else self.question

    def shot_limit(self, modality: Modality) -> int | None:
        """Limit of a shot's text, None without one."""
        return None if modality in self.whole else self.shot


class Template(_Part):
    """How a crystal is asked about.

    Texts hold ``${names}``: of the task ``property`` (column), ``title``, ``meaning``, ``unit_sentence``, ``form`` (of
    the answer); of the input ``input_name``, ``input_heading``, ``input``; in ``answer`` also ``value``;
    in ``shot`` also ``answer``; ``shots`` in the ``question`` of a template with ``shots: inline``.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int = Field(ge=1, description="raised with every change that another prompt follows from")
    about: str
    system: str | None
    question: str
    shot: str | None = Field(default=None, description="one shot of an inline template; ends with a blank line")
    answer: str = Field(description="what a shot answers, and the form that is asked for")
    shots: Literal["turns", "inline"] = "turns"
    digits: int | None = Field(default=4, ge=1, le=17, description="significant digits of shots; None prints all")
    truncation: Truncation = Truncation()

    @model_validator(mode="after")
    def names_are_known(self) -> Self:
        """Refuse names that nothing stands for, and texts that do not fit together."""
        for field, allowed in _ALLOWED.items():
            text = getattr(self, field)
            if text is None:
                continue
            template = string.Template(text)
            if not template.is_valid():
                raise ValueError(f"{field}: a lone $; write $$ for the sign itself")
            unknown = sorted(set(template.get_identifiers()) - allowed)
            if unknown:
                raise ValueError(f"{field}: unknown ${{{unknown[0]}}}; known are {', '.join(sorted(allowed))}")
        if "${input}" not in self.question or "${value}" not in self.answer:
            raise ValueError("question needs ${input}, answer needs ${value}")
        inline = self.shots == "inline"
        if inline != (self.shot is not None) or inline != ("${shots}" in self.question):
            raise ValueError("shots: inline needs a shot text and ${shots} in question; shots: turns has neither")
        return self

    @property
    def sha256(self) -> str:
        """SHA-256 of all that decides what is asked: everything but ``about``."""
        decides = self.model_dump(mode="json", exclude={"about"})
        return hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def load_template(name: str | Path) -> Template:
    """Load a template of this package by its id, or one of your own by its path.

    Raises:
        UsageError: There is none of that id.
        DataError: The file is no template; the message names file and field.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return read_yaml(path, Template)
    known = list_templates()
    if str(name) not in known:
        raise unknown_name("template", str(name), known)
    return _shipped(str(name))


def list_templates() -> list[str]:
    """Ids of the templates of this package."""
    return sorted(path.stem for path in TEMPLATES.glob("*.yaml"))


@cache
def _shipped(name: str) -> Template:
    template = read_yaml(TEMPLATES / f"{name}.yaml", Template)
    if template.id != name:
        raise DataError(f"{TEMPLATES / name}.yaml: id is '{template.id}'; it must be the file's name")
    return template


def words_of_task(task: Task, modality: Modality) -> dict[str, str]:
    """What the names of a template stand for in one task and modality, the crystal and the answer left out."""
    prop = task.property
    one = meaning_of(prop)
    classes = prop.classes
    if classes is not None:
        sentence = f'The answer is "{classes.positive}" or "{classes.negative}".'
    elif task.unit is None:
        sentence = "The answer is a number without a unit."
    else:
        sentence = f"The answer is a number in {task.unit}."
    value = "number" if classes is None else f'"{classes.positive}" or "{classes.negative}"'
    return {
        "property": prop.name,
        "title": prop.title,
        "meaning": one.meaning if one is not None else prop.title,
        "unit_sentence": sentence,
        "input_name": _INPUT_NAMES[modality],
        "input_heading": _INPUT_HEADINGS[modality],
        "form": f'{{"{prop.name}": {value}}}',
    }
