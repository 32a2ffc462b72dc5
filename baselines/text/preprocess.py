"""What LLM-Prop does to a description before it is tokenized, each step a setting.

Rubungo et al. 2025, doi:10.1038/s41524-025-01536-2: bond lengths with their unit become ``[NUM]``, bond angles
``[ANG]``, and English stop words are left out, but for the words of numbers, which count neighbours. The stop words
here are scikit-learn's English list (BSD-3-Clause) without its words of numbers; the published list was read from a
folder on one machine and has no licence.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...errors import DataError

NUMBER_TOKEN = "[NUM]"  # noqa: S105
ANGLE_TOKEN = "[ANG]"  # noqa: S105
OWN_STOP_WORDS = Path(__file__).with_name("stop_words.txt")

# Digits, a range of them with a hyphen or a dash, then the unit. What comes before a number is no part of it.
_RANGE = r"(?<![\w.])\d+(?:\.\d+)?(?: ?[-–—] ?\d+(?:\.\d+)?)?"
_BOND_LENGTH = re.compile(_RANGE + r" ?(?:Å|Å)")
_BOND_ANGLE = re.compile(_RANGE + r" ?(?:°|degrees?\b)")


class Preprocessing(BaseModel):
    """Which steps are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bond_lengths: bool = Field(description="lengths with their unit become [NUM]")
    bond_angles: bool = Field(description="angles with their unit become [ANG]")
    stop_words: str | None = Field(description="SHA-256 of the list of words left out; None leaves out none")

    @property
    def added_tokens(self) -> tuple[str, ...]:
        """Tokens that a tokenizer has to know."""
        return (NUMBER_TOKEN,) * self.bond_lengths + (ANGLE_TOKEN,) * self.bond_angles


def preprocess(text: str, steps: Preprocessing, stop_words: frozenset[str] = frozenset()) -> str:
    """Take the steps on one text.

    Args:
        text: A description.
        steps: Which.
        stop_words: Words in lower case, compared between blanks; a word with a full stop behind it is another word.
    """
    if steps.bond_lengths:
        text = _BOND_LENGTH.sub(NUMBER_TOKEN, text)
    if steps.bond_angles:
        text = _BOND_ANGLE.sub(ANGLE_TOKEN, text)
    if steps.stop_words is not None:
        text = " ".join(word for word in text.split(" ") if word.lower() not in stop_words)
    return text


@lru_cache(maxsize=8)
def read_stop_words(path: Path = OWN_STOP_WORDS) -> tuple[frozenset[str], str]:
    """Read a list of stop words, one a line.

    Returns:
        The words in lower case, and the SHA-256 of the file.

    Raises:
        DataError: There is no such file, or no word in it. Nothing is ever left out silently.
    """
    try:
        content = path.read_bytes()
        words = frozenset(line.strip().lower() for line in content.decode().splitlines() if line.strip())
    except OSError as error:
        raise DataError(
            f"{path}: no list of stop words ({error.strerror}); give another, or stop_words=none"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the list of stop words is not UTF-8") from error
    if not words:
        raise DataError(f"{path}: the list of stop words is empty; stop_words=none leaves out none")
    return words, hashlib.sha256(content).hexdigest()
