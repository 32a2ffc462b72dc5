"""Counting as a model counts."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from ..errors import UsageError
from .messages import Message


class Counter(Protocol):
    """Counts the tokens of a text, and of a whole chat as the model's chat template writes it."""

    def text(self, text: str, /) -> int:
        """Tokens of a text, without those that begin and end one."""

    def chat(self, messages: Sequence[Message], /) -> int:
        """Tokens of a whole prompt, with what starts the model's answer."""


class WordCounter:
    """Counts words between blanks; for word limits, and where no tokenizer is at hand."""

    def text(self, text: str, /) -> int:
        """Number of words."""
        return len(text.split())

    def chat(self, messages: Sequence[Message], /) -> int:
        """Number of words of all messages."""
        return sum(self.text(message.content) for message in messages)


class TokenizerCounter:
    """Counts with a tokenizer of transformers.

    The chat template is applied once, with what starts the model's answer; it writes the tokens that begin a text
    itself, so none are added.
    """

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers has no common type for tokenizers
        self._tokenizer = tokenizer
        self.text = lru_cache(maxsize=4096)(self._text)

    def _text(self, text: str, /) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def chat(self, messages: Sequence[Message], /) -> int:
        """Number of tokens of the whole prompt."""
        found = self._tokenizer.apply_chat_template(
            [message.model_dump() for message in messages], tokenize=True, add_generation_prompt=True
        )
        return len(found["input_ids"] if isinstance(found, Mapping) else found)


def load_counter(name: str) -> TokenizerCounter:
    """Load a tokenizer of transformers, from a folder or the Hub; code that comes with it is not run.

    Raises:
        UsageError: There is none, or it has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"--tokenizer {name}: {' '.join(str(error).split())[:300]}") from error
    if not tokenizer.chat_template:
        raise UsageError(f"--tokenizer {name}: it has no chat template to count a prompt with")
    return TokenizerCounter(tokenizer)
