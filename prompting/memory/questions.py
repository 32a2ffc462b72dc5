"""The questions of the memory probe, and how their answers are weighed."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from ...dataset_builder.catalogue import Modality, Source
from ..messages import Message

SHOWN_WORDS = 40
"""Words of a text that are shown before its continuation is asked for."""
EXPECTED_WORDS = 30
"""Words of the continuation that are compared."""
EXACT_WORDS = 10
"""So many words, the first ones, are the same where a continuation counts as exact."""

_NAMES: dict[Modality, str] = {
    "composition": "chemical formula",
    "cif": "CIF",
    "description": "description of its structure",
}
_CHARACTERS = re.compile(r"[A-Za-z0-9]+")


def id_question(source: Source, modality: Modality, text: str, example: str) -> tuple[Message, ...]:
    """Ask for the id under which a database has a crystal.

    Args:
        source: The database.
        modality: What the text is.
        text: The crystal's text.
        example: What an id looks like: that of another crystal.
    """
    system = (
        f"You know the crystals of the database {source.title}. You are shown one of them as its {_NAMES[modality]}. "
        f"Answer with the identifier under which the database has it, for example {example}, and nothing else. "
        "If you are unsure, give your best guess."
    )
    return Message(role="system", content=system), Message(role="user", content=text)


def continuation_question(source: Source, modality: Modality, shown: str) -> tuple[Message, ...]:
    """Ask how a text goes on."""
    system = (
        f"You are shown the beginning of a crystal's {_NAMES[modality]}, from a collection of texts about the database "
        f"{source.title}. Write how it goes on, word by word, at least {EXPECTED_WORDS} words, and nothing else."
    )
    return Message(role="system", content=system), Message(role="user", content=shown)


def parted(text: str) -> tuple[str, str] | None:
    """The beginning of a text that is shown, and what is expected; None where it is too short for both."""
    words = [(found.start(), found.end()) for found in re.finditer(r"\S+", text)]
    if len(words) < SHOWN_WORDS + EXACT_WORDS:
        return None
    last = words[min(len(words), SHOWN_WORDS + EXPECTED_WORDS) - 1][1]
    return text[: words[SHOWN_WORDS - 1][1]], text[words[SHOWN_WORDS][0] : last]


def names_id(answer: str, material_id: str) -> bool:
    """Whether an answer names an id, whatever stands around it; ``mp-14`` is not named by ``mp-149``."""
    said, wanted = (_CHARACTERS.findall(text.lower()) for text in (answer, material_id))
    width = len(wanted)
    return bool(wanted) and any(said[place : place + width] == wanted for place in range(len(said) - width + 1))


def overlap(answer: str, expected: str) -> float:
    """Share of the expected words that the answer has in the same order (0 to 1)."""
    said, wanted = _words(answer), _words(expected)
    matched = sum(block.size for block in SequenceMatcher(None, said, wanted, autojunk=False).get_matching_blocks())
    return matched / len(wanted) if wanted else 0.0


def is_exact(answer: str, expected: str) -> bool:
    """Whether the answer begins with the first words that are expected."""
    wanted = _words(expected)[:EXACT_WORDS]
    return bool(wanted) and _words(answer)[: len(wanted)] == wanted


def _words(text: str) -> Sequence[str]:
    return text.split()[: 4 * EXPECTED_WORDS]
