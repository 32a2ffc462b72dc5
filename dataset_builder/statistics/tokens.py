"""Subword tokens, by whatever tokenizer the user has."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import UsageError


class TokenCounter(NamedTuple):
    """A tokenizer: its name, a hash of it where it is one file, and a function from texts to numbers of tokens."""

    name: str
    sha256: str | None
    count_tokens: Callable[[Sequence[str]], list[int]]


def load_tokenizer(name_or_path: str) -> TokenCounter:
    """Load a tokenizer from a tokenizer.json, a folder, or the Hub.

    A fast tokenizer needs the package ``tokenizers`` only; others (SentencePiece, vocabularies) are read through
    ``transformers``. Foreign code is never run.

    Raises:
        UsageError: There is no such tokenizer, or only ``transformers`` could read it and is not installed.
    """
    path = Path(name_or_path)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not path.exists() and (path.suffix == ".json" or path.is_absolute() or len(path.parts) > 2):
        raise UsageError(f"{name_or_path}: no such file or folder, and no name on the Hub either")
    if file.is_file() or not path.exists():
        from tokenizers import Tokenizer

        try:
            if file.is_file():
                content = file.read_bytes()
                fast = Tokenizer.from_str(content.decode("utf-8"))
                return TokenCounter(file.name, hashlib.sha256(content).hexdigest(), _fast_counter(fast))
            return TokenCounter(name_or_path, None, _fast_counter(Tokenizer.from_pretrained(name_or_path)))
        except Exception as error:
            if file.is_file():
                raise UsageError(f"{file}: not a tokenizer.json ({_first_line(error)})") from error
    return _through_transformers(name_or_path)


def _fast_counter(tokenizer: "Tokenizer") -> Callable[[Sequence[str]], list[int]]:  # type: ignore[name-defined]  # noqa: F821
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def count(texts: Sequence[str]) -> list[int]:
        encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in encoded]

    return count


def _through_transformers(name: str) -> TokenCounter:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise UsageError(
            f"no tokenizer.json at '{name}', nor one of that name on the Hub; other forms need transformers: "
            "pip install 'llm4mat-bench[prompting]'"
        ) from error
    try:
        slow = AutoTokenizer.from_pretrained(name)
    except Exception as error:
        raise UsageError(
            f"no tokenizer '{name}', neither a file or folder nor on the Hub ({_first_line(error)})"
        ) from error

    def count(texts: Sequence[str]) -> list[int]:
        ids = slow(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return [len(one) for one in ids]

    return TokenCounter(name, None, count)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
