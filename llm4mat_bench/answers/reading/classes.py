"""Which of two classes an answer says: booleans, the classes' own words, negation."""

import re
from typing import NamedTuple

from ...dataset_builder.catalogue import Task, meaning_of
from .findings import Finding
from .levelled import level
from .names import Names
from .refusals import declines
from .words import WORDS

MOST_WORDS = 4_000  # of one answer; what comes later is not read
# in-direct and un-stable are single words: the first part alone is nothing, the last the other class
_TOKEN = re.compile(r"\b(?:in|un|meta)-[a-z]+|[a-z]+(?:'[a-z]+)?|[0-9]+(?:\.[0-9]+)?|[.!?;\n,:=|(){}<>/$-]")
_TRUE = frozenset(["true", "yes", "correct", "affirmative", "yep", "yeah"])
_FALSE = frozenset(["false", "no", "incorrect", "negative", "nope", "nah"])
_LETTERS = {"y": True, "t": True, "n": False, "f": False}
"""Letters that are the whole answer; in a sentence they are chemical elements and articles."""
_LIKELY = frozenset({"likely", "probably"})
_UNLIKELY = frozenset({"unlikely", "improbable"})
_KEYWORDS = _TRUE | _FALSE | _LIKELY | _UNLIKELY
_SHORT = 12
_VALUE_TRUE = frozenset(["true", "yes", "y", "t", "1", "1.0", "correct", "positive", "likely", "probably"])
_VALUE_FALSE = frozenset(["false", "no", "n", "f", "0", "0.0", "incorrect", "negative", "unlikely"])
_NEGATORS = frozenset(WORDS.negators)
_OPEN = frozenset(WORDS.open_question)
_ENDS = frozenset(".!?;\n")
_CLAUSE = frozenset(WORDS.clause)
_BETWEEN = frozenset(WORDS.between)
# "direct evidence" says nothing about the gap
_NO_CLASS_BEFORE = frozenset(WORDS.no_class_before)
_CONCESSION = frozenset(["while", "although", "though", "whereas", "unlike"])
_ABSENT = frozenset({"no", "without", "lack", "lacks", "lacking", "absence"})
_CONTRAST = frozenset(["or", "nor", "and", "vs", "versus", "/", "|"])


class _Word(NamedTuple):
    text: str
    start: int
    end: int


class Classes:
    """The words of one task's classes."""

    def __init__(self, task: Task, names: Names) -> None:
        classes = task.property.classes
        if classes is None:
            raise ValueError(f"{task.name} has no classes")
        one = meaning_of(task.property)
        words = None if one is None else one.words
        self.positive = frozenset(words.positive if words else ()) | {classes.positive.lower()} - _TRUE - _FALSE
        self.negative = frozenset(words.negative if words else ()) | {classes.negative.lower()} - _TRUE - _FALSE
        self.dropped = frozenset(word.lower() for word in classes.dropped)
        # words such as "included" count only where the sentence names the property
        telling = [word for word in self.positive if word in names.mine]
        self.needs_name: frozenset[str] = (
            frozenset()
            if words is None
            else frozenset(
                word for word in (*words.positive, *words.negative) if not any(word.endswith(one) for one in telling)
            )
        )
        # a stable phase is stable, a direct phase is nothing
        own = frozenset({"phase", "phases", "structure", "structures"} if "stable" in self.positive else ())
        self.no_class_before = _NO_CLASS_BEFORE - own
        self.names = names
        # lacks stability: a name of the property that is no word of a class, not followed by more (no stability data)
        nouns = [name for name in names.spoken if not set(name.split()) & (self.positive | self.negative)]
        self.absent = re.compile(
            r"(?:^|\W)(?:no|without|lacks?|lacking|(?:lack|absence) of) (?:any |the )?"
            rf"(?:{'|'.join(map(re.escape, nouns)) or '(?!)'})(?= ?(?:[.,;:!)\n]|$))"
        )
        # "Property: band gap is direct" repeats the question, and says nothing
        titles = "|".join(re.escape(level(title)) for title in (task.property.title, task.property.name))
        self.echo = re.compile(rf"(?i)property(?: name)?: *(?:{titles})(?=[.\n]|$)")

    def without_echo(self, text: str) -> str:
        """Blank the property's name where it is only repeated from the question."""
        return self.echo.sub(lambda found: " " * len(found[0]), text)

    def opposite(self, key: str) -> bool | None:
        """Whether a key names a class: True for the negative one, False for the positive, else None."""
        words = re.findall("[a-z]+", key.lower().replace("_", " "))
        if any(word in _NEGATORS for word in words) and any(word in self.positive for word in words):
            return True
        negative = any(word in self.negative - self.needs_name for word in words)
        positive = any(word in self.positive - self.needs_name for word in words)
        if negative == positive:
            return None
        return negative

    def read_value(self, text: str, start: int, end: int, _unit: object, flip: bool) -> Finding | None:
        """Read the value of a JSON key."""
        whole = text[start:end].strip(" \t.'\"`*").lower()
        if whole in self.dropped:
            return None
        value: bool | None
        if whole in _VALUE_TRUE or whole in _VALUE_FALSE:
            value = (whole in _VALUE_TRUE) != flip
            return Finding("json", value, start, end)
        if whole in self.positive or whole in self.negative:
            return Finding("json", whole in self.positive, start, end)
        if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?", whole):
            return Finding("out_of_range", None, start, end)
        if len(whole) > 400:
            return None
        found = self.read_text(text, start, end, named=True)
        if found is None or not isinstance(found.value, bool):
            return found
        own = any(word in self.positive or word in self.negative for word in re.findall("[a-z]+", whole))
        return Finding("json", found.value if own else found.value != flip, found.start, found.end)

    def read_text(self, text: str, start: int, end: int, *, named: bool = False) -> Finding | None:
        """Find the first sentence that says a class.

        Args:
            text: A levelled text.
            start: Where to begin.
            end: Where to stop.
            named: What the sentence is about is known to be the property.
        """
        whole = text[start:end].strip(" \n\t.!'\"*`()")
        if whole.lower() in _LETTERS:
            place = text.index(whole, start)
            return Finding("labelled", _LETTERS[whole.lower()], place, place + 1)
        sentence: list[_Word] = []
        for count, matched in enumerate(_TOKEN.finditer(text[start:end].lower())):
            if count >= MOST_WORDS:
                break
            token = matched[0].replace("-", "") or "-"
            sentence.append(_Word(token, start + matched.start(), start + matched.end()))
            if token in _ENDS:
                found = self._sentence(sentence, named)
                if found is not None:
                    return found
                sentence = []
        return self._sentence(sentence, named) if sentence else None

    def _sentence(self, words: list[_Word], named: bool) -> Finding | None:
        if words[-1].text == "?":
            return None
        texts = [word.text for word in words]
        if _ABSENT.intersection(texts) and "not" not in texts:
            absent = self.absent.search(" ".join(texts))
            if absent is not None:
                return Finding("labelled", False, words[0].start, words[-1].end)
        if not any(word in self.positive or word in self.negative or word in _KEYWORDS for word in texts):
            return self._digit(words, texts)
        joined = " ".join(texts)
        if declines(joined):
            return None
        if self.needs_name and re.search(rf"(?:^|\W)(?:no|without) (?:{'|'.join(self.names.spoken)})\b", joined):
            return Finding("labelled", False, words[0].start, words[-1].end)  # no spin–orbit coupling
        led = texts[2:3] if texts[1:2] == [","] else texts[1:2]
        if texts[0] in _TRUE | _FALSE and led and led[0] in _CONCESSION:  # "False, although similar ones are stable"
            words, texts = words[:2], texts[:2]
        asked = next((place for place, word in enumerate(texts) if word in _OPEN), len(texts))
        about = named or any(name in joined.replace(" - ", " ") for name in self.names.spoken)
        return (
            self._class_word(words, texts, asked, about)
            or self._boolean(words, texts, asked)
            or (self._likelihood(words, texts) if asked == len(texts) else None)
        )

    def _class_word(self, words: list[_Word], texts: list[str], asked: int, about: bool) -> Finding | None:
        """The first word of a class that says which it is, not behind "whether"; negations and booleans counted."""
        # "While many are unstable, this one is stable": the main clause first
        comma = texts.index(",") if texts[0] in _CONCESSION and "," in texts else 0
        for place in (*range(comma, len(texts)), *range(comma)):
            word = texts[place]
            if word not in self.positive and word not in self.negative:
                continue
            if (word in self.needs_name and not about) or asked < place <= asked + 12:
                continue
            following = texts[place + 1] if place + 1 < len(texts) else ""
            if following in self.no_class_before or self._compared(texts, place):
                continue
            value, at = (word in self.positive), place
            boolean = self._boolean_after(texts, place)
            if boolean is not None:
                value, at = (value == boolean[0]), boolean[1]
            return Finding("labelled", value != self._negated(texts, place), words[place].start, words[at].end)
        return None

    def _boolean(self, words: list[_Word], texts: list[str], asked: int) -> Finding | None:
        """The first yes or no."""
        for place, word in enumerate(texts[:asked]):
            if (word in _TRUE or word in _FALSE) and not self._choice(texts, place) and self._alone(texts, place):
                value = (word in _TRUE) != (place > 0 and texts[place - 1] == "not")
                return Finding("labelled", value, words[place].start, words[place].end)
        return None

    def _likelihood(self, words: list[_Word], texts: list[str]) -> Finding | None:
        """A short sentence that says only how likely it is."""
        if len(texts) >= _SHORT:
            return None
        for place, word in enumerate(texts):
            if word in _LIKELY or word in _UNLIKELY:
                denied = "not" in texts[max(0, place - 1) : place + 2]
                return Finding("labelled", (word in _LIKELY) != denied, words[place].start, words[place].end)
        return None

    def _digit(self, words: list[_Word], texts: list[str]) -> Finding | None:
        """An answer that is nothing but 1 or 0, or one behind the property's name."""
        digits = [place for place, text in enumerate(texts) if text[0].isdigit()]
        if len(digits) != 1 or texts[digits[0]] not in ("0", "1"):
            return None
        place = digits[0]
        rest = [text for text in texts if text[0].isalpha()]
        value = texts[place] == "1"
        if not rest:
            return Finding("number", value, words[place].start, words[place].end)
        if any(name in " ".join(rest) for name in self.names.spoken) and texts[place - 1] in (":", "=", "is", "|", '"'):
            return Finding("labelled", value, words[place].start, words[place].end)
        return None

    def _compared(self, texts: list[str], place: int) -> bool:
        """Whether both classes are named side by side, which says neither: direct or indirect."""
        for step in (2, 3):
            for other, between in ((place + step, place + 1), (place - step, place - 1)):
                if 0 <= other < len(texts) and 0 <= between < len(texts) and texts[between] in _CONTRAST:
                    both = {texts[place], texts[other]}
                    if both & self.positive and both & self.negative:
                        return True
        return False

    def _choice(self, texts: list[str], place: int) -> bool:
        for other, between in ((place + 2, place + 1), (place - 2, place - 1)):
            if 0 <= other < len(texts) and texts[between] in _CONTRAST and texts[other] in _TRUE | _FALSE:
                return True
        return False

    def _alone(self, texts: list[str], place: int) -> bool:
        """Whether "no" is an answer and no "no" of "no idea"; the others always are."""
        if texts[place] not in ("no", "negative", "positive", "correct"):
            return True
        after = texts[place + 1] if place + 1 < len(texts) else "."
        before = texts[place - 1] if place else "."
        return not after[0].isalpha() and (not before[0].isalpha() or before in ("is", "answer"))

    def _boolean_after(self, texts: list[str], place: int) -> tuple[bool, int] | None:
        for at in range(place + 1, min(place + 10, len(texts))):
            word = texts[at]
            if word in _TRUE or word in _FALSE or word in ("0", "1"):
                if at == place + 1 and word not in ("true", "false", "0", "1"):
                    return None
                return (word in _TRUE or word == "1"), at
            if word == "not" and texts[at + 1 : at + 2] and texts[at + 1] in ("true", "false"):
                return texts[at + 1] == "false", at + 1
            if word not in _BETWEEN:
                return None
        return None

    def _negated(self, texts: list[str], place: int) -> bool:
        """Whether an odd number of negations stands before a word in its clause."""
        count = 0
        for at in range(place - 1, max(-1, place - 8), -1):
            word = texts[at]
            if word in _CLAUSE or word == ":":
                count += word == "but" and texts[at - 1 : at] == ["anything"]
                break
            if word == "no" and at + 1 < place and texts[at + 1] in (",", "-"):
                break
            if word in _NEGATORS or (word == "false" and texts[at + 1 : at + 2] == ["that"]):
                count += 1
            if word == "rather" and texts[at + 1 : at + 2] == ["than"]:
                count += 1
        return count % 2 == 1
