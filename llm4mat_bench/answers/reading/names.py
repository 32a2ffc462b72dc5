"""How the property that was asked for may be called in an answer, and what else may be called by a name."""

import re
from functools import lru_cache
from typing import NamedTuple

from ...dataset_builder.catalogue import Property, Task, list_tasks, meaning_of
from ...dataset_builder.catalogue.meanings import title_without_method
from .levelled import level, shadow
from .units import Unit, read_unit
from .words import WORDS

_NEUTRAL = frozenset(WORDS.neutral)
GENERIC = frozenset(WORDS.generic)
_NAMES_A_NAME = frozenset(WORDS.name_keys)
_STRUCTURAL = frozenset(WORDS.structural)
_UNIT_WORDS = frozenset(WORDS.unit_words)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_WORDS = re.compile(r"[^\W_]+")
_BRACKETED = re.compile(r"[(\[]([^()\[\]]{1,40})[)\]]")
_LONGEST_KEY = 120


def _words(text: str) -> list[str]:
    return _WORDS.findall(_CAMEL.sub(" ", text).lower())


@lru_cache(maxsize=8192)
def compact(text: str) -> str:
    """A name without blanks, case, and words that say nothing: ``Predicted band gap`` is ``bandgap``."""
    words = _words(text)
    kept = [word for word in words if word not in _NEUTRAL]
    return "".join(kept or words)


def _plain_compact(text: str) -> str:
    return "".join(_words(text))


def _names(prop: Property) -> list[str]:
    """All names of a property: its own, its titles, the published label, those of its quantity."""
    one = meaning_of(prop)
    names = [prop.name, prop.published_column, prop.title, title_without_method(prop.title)]
    if prop.published_label is not None:
        names.append(prop.published_label)
    return [level(name) for name in names + list(one.also if one is not None else ())]


class Key(NamedTuple):
    """What a key names: ``mine`` (what was asked for), ``other`` (another), ``generic`` (the answer), ``unknown``."""

    kind: str
    unit: Unit | None


_UNKNOWN = Key("unknown", None)


class Names:
    """The names of one task's property; make it with `names_of`."""

    def __init__(self, task: Task) -> None:
        mine = _names(task.property)
        self.mine = frozenset(compact(name) for name in mine) | {_plain_compact(name) for name in mine}
        # a class has other answers than a number, so its looser names take nothing from a number, nor the reverse
        siblings = [
            name
            for one in task.source.properties
            if one != task.property and one.kind == task.property.kind
            for name in _names(one)
        ]
        exact = {_plain_compact(one.name) for one in task.source.properties if one != task.property}
        exact |= {_plain_compact(one.title) for one in task.source.properties if one != task.property}
        own_exact = {_plain_compact(task.property.name), _plain_compact(task.property.title)}
        self.siblings = frozenset((exact - own_exact) | {compact(name) for name in siblings} - self.mine)
        everything = {level(name) for other in list_tasks(include_sample=True) for name in _names(other.property)}
        strangers = {name for name in everything if not self._akin(name)}
        self.others = self.siblings | {compact(name) for name in strangers}
        self.words = frozenset(word for name in mine for word in _words(name) if word not in _NEUTRAL)
        spoken = {re.sub(r" {2,}", " ", shadow(name)).strip() for name in mine}
        self.spoken = tuple(sorted((name for name in spoken if len(name) > 2), key=lambda name: (-len(name), name)))
        self.signs = tuple(sorted(name for name in spoken if 0 < len(name) <= 2))
        spoken_siblings = {shadow(name).strip() for name in siblings}
        self.longer = {
            name: tuple(other for other in spoken_siblings if name in other and other not in spoken)
            for name in self.spoken
        }
        foreign = {shadow(name).strip() for name in strangers} | spoken_siblings - spoken
        foreign = {name for name in foreign if len(name) > 2 and not any(name in one for one in spoken)}
        foreign |= _MEASURED
        self.foreign = re.compile(
            r"(?<![^\W_])(?:"
            + "|".join(re.escape(name) for name in sorted(foreign, key=lambda n: (-len(n), n)))
            + r")(?![^\W_])"
        )

    def _akin(self, name: str) -> bool:
        """Whether a name is one of ours, or part of one, or holds one."""
        found = compact(name)
        return any(
            found == one or (len(one) > 5 and one in found) or (len(found) > 2 and found in one) for one in self.mine
        )

    def key(self, text: str) -> Key:
        """Say what a key names, and which unit it gives."""
        return _UNKNOWN if len(text) > _LONGEST_KEY else self._key(text)

    @lru_cache(maxsize=2048)  # noqa: B019 - Names live as long as the program, one a task
    def _key(self, text: str) -> Key:
        plain = _plain_compact(text)
        small = compact(text)
        if plain in self.siblings:
            return Key("other", None)
        if plain in self.mine or small in self.mine:
            return Key("mine", None)
        if small in GENERIC or plain in GENERIC:
            return Key("generic", None)
        bracketed = _BRACKETED.search(text)
        if bracketed is not None:
            inner = read_unit(bracketed[1], 0)
            rest = self.key(text[: bracketed.start()] + " " + text[bracketed.end() :])
            return Key(rest.kind, inner.unit if inner is not None else rest.unit)
        words = _words(text)
        kept = len(words)
        while kept > 1 and words[kept - 1] in _UNIT_WORDS:
            kept -= 1
            small = compact(" ".join(words[:kept]))
            if small in self.mine or small in GENERIC:
                tail = [word for word in words[kept:] if word != "in"]
                written = " ".join(tail) if "per" in tail else "/".join(tail)
                found = read_unit(written, 0)
                return Key("mine" if small in self.mine else "generic", None if found is None else found.unit)
        small = compact(text)
        if small in self.others or plain in self.others:
            return Key("other", None)
        if any(len(one) > 6 and (small.endswith(one) or small.startswith(one)) for one in self.mine):
            return Key("mine", None)
        if any(word in _STRUCTURAL for word in words):
            return Key("other", None)
        if any(len(one) > 5 and one in small for one in self.others):
            return Key("other", None)
        return Key("unknown", None)

    def names_a_name(self, key: str) -> bool:
        """Whether a key says that its value is the name of a property."""
        if len(key) > _LONGEST_KEY:
            return False
        return compact(key) in _NAMES_A_NAME or _plain_compact(key) in _NAMES_A_NAME


_MEASURED = frozenset(WORDS.measured)


_KNOWN: dict[tuple[str, Property], Names] = {}


def names_of(task: Task) -> Names:
    """The names of a task's property, made once a task."""
    key = (task.source.id, task.property)
    found = _KNOWN.get(key)
    if found is None:
        if len(_KNOWN) > 1000:
            _KNOWN.clear()
        found = _KNOWN[key] = Names(task)
    return found
