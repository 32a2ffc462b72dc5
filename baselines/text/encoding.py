"""Texts into tokens: preprocess, tokenize, cut, and keep on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dataset_builder.catalogue import Modality
from ...errors import UsageError
from ..processes import first_before_others
from ..protocol import Context, TaskData
from .preprocess import OWN_STOP_WORDS, Preprocessing, preprocess, read_stop_words
from .settings import TextSettings

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_WORTH_PROCESSES = 20_000
_MAP_ROWS = 1000
_TEXTS_AT_ONCE = 128
"""Tokenizers keep some 200 bytes a token of all that they are given at once, and descriptions have thousands."""


def preprocessing_of(settings: TextSettings, modality: Modality) -> Preprocessing:
    """The steps that settings ask for; a composition or a CIF is taken as it is."""
    if modality != "description":
        return Preprocessing(bond_lengths=False, bond_angles=False, stop_words=None)
    path = stop_words_path(settings)
    return Preprocessing(
        bond_lengths=settings.bond_lengths,
        bond_angles=settings.bond_angles,
        stop_words=read_stop_words(path)[1] if path else None,
    )


class Reading(NamedTuple):
    """What is done to a text before it is tokenized.

    Attributes:
        steps: Which steps.
        stop_words: The words left out.
        words_file: Where they stand; None where none are left out.
    """

    steps: Preprocessing
    stop_words: frozenset[str]
    words_file: Path | None


def reading_of(settings: TextSettings, modality: Modality) -> Reading:
    """What settings ask for, with the words themselves."""
    steps = preprocessing_of(settings, modality)
    path = stop_words_path(settings) if steps.stop_words else None
    return Reading(steps, read_stop_words(path)[0] if path else frozenset(), path)


def stop_words_path(settings: TextSettings) -> Path | None:
    """The list of words to leave out; None where none are."""
    if settings.stop_words == "none":
        return None
    return OWN_STOP_WORDS if settings.stop_words == "own" else Path(settings.stop_words)


@dataclass(frozen=True)
class TextEncoder:
    """Turns texts into token ids as the model reads them.

    Attributes:
        tokenizer: A fast tokenizer that knows the added tokens.
        steps: What is done to a text first.
        stop_words: The words left out.
        first_token: Put before every text (LLM-Prop's ``[CLS]``); empty for models whose tokenizer does it itself.
        max_length: Tokens kept.
    """

    tokenizer: Any
    steps: Preprocessing
    stop_words: frozenset[str]
    first_token: str
    max_length: int

    def __call__(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        """Encode some texts.

        Returns:
            Token ids of each text, and whether it was cut.
        """
        return in_pieces(self._encode, texts)

    def _encode(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        ready = [self.first_token + preprocess(text, self.steps, self.stop_words) for text in texts]
        encoded = self.tokenizer(ready, add_special_tokens=True, truncation=False, return_attention_mask=False)
        ids: list[list[int]] = encoded["input_ids"]
        return [self._cut(one) for one in ids], [len(one) > self.max_length for one in ids]

    def _cut(self, ids: list[int]) -> list[int]:
        """Keep the first tokens, and the end token where the tokenizer sets one."""
        if len(ids) <= self.max_length:
            return ids
        special = {self.tokenizer.sep_token_id, self.tokenizer.eos_token_id} - {None}
        return ids[: self.max_length - 1] + ids[-1:] if ids[-1] in special else ids[: self.max_length]


def in_pieces(
    encode: Callable[[Sequence[str]], tuple[list[list[int]], list[bool]]], texts: Sequence[str]
) -> tuple[list[list[int]], list[bool]]:
    """Encode some texts at a time, however many there are."""
    ids: list[list[int]] = []
    cut: list[bool] = []
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        more, of_them_cut = encode(texts[start : start + _TEXTS_AT_ONCE])
        ids += more
        cut += of_them_cut
    return ids, cut


def prepare_tokenizer(tokenizer: Any, steps: Preprocessing, first_token: str) -> list[str]:  # noqa: ANN401
    """Teach a tokenizer the tokens of the preprocessing.

    Returns:
        Those it did not know.
    """
    wanted = [*steps.added_tokens, *([first_token.strip()] if first_token else [])]
    new = [token for token in wanted if token not in tokenizer.get_vocab()]
    if new:
        tokenizer.add_tokens(new, special_tokens=True)
    return new


class EncodedSplits(NamedTuple):
    """What a model is trained on.

    Attributes:
        train: Rows of `encode_rows`.
        validation: The same of the validation split.
        without_text: Training rows that have no text.
        cut: Training texts that were cut.
    """

    train: "Dataset"
    validation: "Dataset"
    without_text: int
    cut: int


def encode_splits(
    data: TaskData, encode: Callable[[dict[str, list[Any]]], dict[str, list[Any]]], context: "Context[Any]"
) -> EncodedSplits:
    """Encode training and validation rows; of several processes the first one does, the others find it on disk.

    Raises:
        UsageError: A split has no text.
    """
    context.progress("tokenizing", 0, 0)
    with first_before_others():
        train, without_text, cut = encode_rows(data.train.rows, encode, "train", context.threads)
        validation, _, _ = encode_rows(data.validation.rows, encode, "validation", context.threads)
    return EncodedSplits(train, validation, without_text, cut)


def encode_rows(
    rows: "Dataset", encode: Callable[[dict[str, list[Any]]], dict[str, list[Any]]], split: str, processes: int
) -> "tuple[Dataset, int, int]":
    """Encode the rows of a split that have a text, by the datasets library: cached on disk, memory-mapped.

    Args:
        rows: Columns ``text`` and ``target``.
        encode: Makes of a batch of them one with ``input_ids``, ``start``, ``length``, ``cut`` and ``target``, such as
            `EncodeTexts`. What decides its output is what it holds, so that the cache knows it again.
        split: Name of the split.
        processes: How many may be at work.

    Returns:
        Rows with ``input_ids``, ``length`` and ``target``; how many rows have no text; how many texts were cut.

    Raises:
        UsageError: No row has a text.
    """
    import datasets

    features = datasets.Features(
        input_ids=datasets.List(datasets.Value("int32")),
        start=datasets.Value("int32"),
        length=datasets.Value("int32"),
        cut=datasets.Value("bool"),
        target=datasets.Value("float64"),
    )
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()  # our own bar is told
    try:
        encoded = rows.map(
            encode,
            batched=True,
            batch_size=_MAP_ROWS,
            remove_columns=rows.column_names,
            features=features,
            num_proc=processes if processes > 1 and len(rows) >= ROWS_WORTH_PROCESSES else None,
        )
    finally:
        if not shown:
            datasets.enable_progress_bars()
    if len(encoded) == 0:
        raise UsageError(f"split {split}: no row has a text in this modality")
    return encoded, len(rows) - len(encoded), int(column(encoded, "cut").sum())


class EncodeTexts:
    """Texts as an encoder reads them, each with its target."""

    def __init__(self, encoder: TextEncoder) -> None:
        """Take what turns texts into ids."""
        self.encoder = encoder

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Encode a batch; rows without a text are left out."""
        there = [at for at, text in enumerate(batch["text"]) if text]
        ids, cut = self.encoder([batch["text"][at] for at in there])
        return {
            "input_ids": ids,
            "start": [0] * len(ids),
            "length": [len(one) for one in ids],
            "cut": cut,
            "target": [float(batch["target"][at]) for at in there],
        }


def column(rows: "Dataset", name: str) -> NDArray[Any]:
    """A column of numbers as an array."""
    return np.asarray(rows.select_columns([name]).with_format("arrow")[:][name].to_numpy())
