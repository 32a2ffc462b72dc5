"""How sure a model was of a class: the probability of the two class answers, where the answer forks."""

import math
import string
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..dataset_builder.catalogue import Task, meaning_of
from .engines.interface import TokenChoice

_AROUND = string.whitespace + "\"'`*_:{}[](),.▁Ġ"
_YES, _NO = ("yes", "true", "1"), ("no", "not", "false", "0")


class _Words(NamedTuple):
    """Words of a class: its name with yes or no, and those of the property's meaning.

    A letter may begin the former, but more than the latter: "I" is no beginning of "instable".
    """

    usual: tuple[str, ...]
    others: tuple[str, ...]


def positive_probability(
    tokens: Sequence[TokenChoice] | None, text: str, span: tuple[int, int] | None, value: bool, task: Task
) -> float | None:
    """Probability of the positive class among the two, at the token with which the answered class begins.

    What could have stood there and is the beginning of neither class is left out; a class that is not among the
    alternatives counts as the least of them, which it cannot exceed.

    Args:
        tokens: The answer's tokens with their alternatives.
        text: The answer.
        span: Where in it the parser found the class.
        value: The class that was found.
        task: The task.

    Returns:
        None where the engine gave no alternatives, or where the token does not stand for the class that was found (as
        in "not stable").
    """
    if not tokens or span is None:
        return None
    words = {True: _words(task, positive=True), False: _words(task, positive=False)}
    choice = _choice_at(tokens, text, span[0])
    if choice is None or not choice.others or _class_of(choice.token, words) is not value:
        return None
    mass = {True: 0.0, False: 0.0}
    for token, logprob in {choice.token: choice.logprob, **choice.others}.items():
        one = _class_of(token, words)
        if one is not None:
            mass[one] += math.exp(min(logprob, 0.0))
    least = math.exp(min(*choice.others.values(), 0.0))
    positive, negative = (mass[one] or min(least, mass[not one]) for one in (True, False))
    return positive / (positive + negative) if positive + negative > 0 else None


def _words(task: Task, *, positive: bool) -> _Words:
    classes = task.property.classes
    if classes is None:
        raise ValueError(f"{task.name} has no classes")
    name = classes.positive if positive else classes.negative
    meaning = meaning_of(task.property)
    words = None if meaning is None else meaning.words
    own = () if words is None else words.positive if positive else words.negative
    return _Words((name.casefold(), *(_YES if positive else _NO)), own)


def _class_of(token: str, words: Mapping[bool, _Words]) -> bool | None:
    """The one class that a token begins, None for both or neither."""
    bare = token.strip(_AROUND).casefold()
    if not bare:
        return None
    begun = {
        one
        for one, names in words.items()
        if any(_begins(bare, name) for name in names.usual)
        or (len(bare) > 1 and any(_begins(bare, name) for name in names.others))
    }
    return begun.pop() if len(begun) == 1 else None


def _begins(token: str, word: str) -> bool:
    return word.startswith(token) or (token.startswith(word) and not token[len(word)].isalnum())


def _choice_at(tokens: Sequence[TokenChoice], text: str, place: int) -> TokenChoice | None:
    """The token that holds a character of the text, quotation marks and blanks before a word not counted."""
    while place < len(text) and text[place] in _AROUND:
        place += 1
    written = "".join(one.token for one in tokens)
    shift = written.find(text) if text else -1
    if shift < 0:
        return None
    end = 0
    for one in tokens:
        end += len(one.token)
        if end > place + shift:
            return one
    return None
