"""A model of transformers on this machine: a small one, for where there is no server."""

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..tokens import Counter, TokenizerCounter
from .interface import KEPT_POSITIONS, Answer, Engine, EngineError, EngineInfo, Question, TokenChoice, well_formed
from .model_folders import folder_revision

_WEIGHTS = "*.safetensors"


class LocalModel(Engine):
    """A folder that transformers wrote (``config.json``, ``*.safetensors``, a tokenizer with a chat template).

    One question at a time. Code that lies in the folder is never run, and pickled weights are not read.

    Args:
        folder: The folder.
        threads: How many threads may be at work; all if None.

    Raises:
        UsageError: It is no such folder.
    """

    name = "hf"
    concurrency = 1
    libraries = ("transformers", "torch", "tokenizers")
    logprobs = "raw"

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        if not (folder / "config.json").is_file() or not list(folder.glob(_WEIGHTS)):
            raise UsageError(f"{folder}: the engine hf reads a folder with config.json and {_WEIGHTS}; there is none")
        self.folder = folder
        self.model = folder.resolve().name
        self._threads = threads

    def describe(self) -> EngineInfo:
        """Name the model by its folder's name, and its revision by the hash of weights and tokenizer."""
        config = self._loaded[1].config
        context = getattr(config, "max_position_embeddings", None)
        return EngineInfo(
            engine="hf",
            model=self.model,
            revision=self._revision,
            context=context if isinstance(context, int) else None,
            parameters=sum(one.numel() for one in self._loaded[1].parameters()),
        )

    def counter(self) -> Counter:
        """Counts with the model's own tokenizer."""
        return TokenizerCounter(self._loaded[0])

    async def ask(self, question: Question) -> Answer:
        """Generate, beside the event loop."""
        return await asyncio.to_thread(self._generate, question)

    @cached_property
    def _revision(self) -> str:
        return folder_revision(self.folder)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if self._threads is not None:
            torch.set_num_threads(self._threads)
        try:
            options = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(self.folder, **options)
            model = AutoModelForCausalLM.from_pretrained(
                self.folder, dtype=torch.float32, use_safetensors=True, **options
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise EngineError(f"{self.folder}: {' '.join(str(error).split())[:300]}") from error
        if not tokenizer.chat_template:
            raise EngineError(f"{self.folder}: the tokenizer has no chat template: take a model made to answer")
        return tokenizer, model.eval()

    def _generate(self, question: Question) -> Answer:
        import torch

        tokenizer, model = self._loaded
        began = time.perf_counter()
        # The chat template writes the tokens that begin a text itself, so none are added.
        given = tokenizer.apply_chat_template(
            [message.model_dump() for message in question.messages],
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
        length = int(given["input_ids"].shape[1])
        context = getattr(model.config, "max_position_embeddings", None)
        if isinstance(context, int) and length + question.max_tokens > context:
            raise EngineError(
                f"{self.folder}: a prompt of {length} tokens and {question.max_tokens} of an answer are more than the "
                f"model's {context}: fewer --shots, or fewer --max-tokens"
            )
        options: dict[str, Any] = {"do_sample": question.temperature > 0, "max_new_tokens": question.max_tokens}
        if question.temperature > 0:
            torch.manual_seed(_seed(question))
            options |= {"temperature": question.temperature, "top_p": question.top_p, "top_k": 0}
        if question.stop:
            options |= {"stop_strings": list(question.stop), "tokenizer": tokenizer}
        if question.top_logprobs:
            options |= {"output_logits": True}
        if tokenizer.pad_token_id is None:
            options["pad_token_id"] = tokenizer.eos_token_id
        with torch.inference_mode():
            made = model.generate(**given, **options, return_dict_in_generate=True)
        ids = made.sequences[0, length:].tolist()
        ends = _ends(model, tokenizer)
        stopped = bool(ids) and ids[-1] in ends
        text = well_formed(tokenizer.decode(ids, skip_special_tokens=True))
        finished = stopped or (bool(question.stop) and any(one in text for one in question.stop))
        for one in question.stop:
            text = text.partition(one)[0]
        return Answer(
            text=text,
            finish_reason="stop" if finished else "length",
            prompt_tokens=length,
            completion_tokens=len(ids),
            latency=round(time.perf_counter() - began, 6),
            tokens=_choices(tokenizer, ids, made.logits, question.top_logprobs) if question.top_logprobs else None,
        )


def _ends(model: Any, tokenizer: Any) -> set[int]:  # noqa: ANN401 - of transformers
    """Tokens that end an answer."""
    found = model.generation_config.eos_token_id
    ids = found if isinstance(found, list) else [found]
    return {one for one in (*ids, tokenizer.eos_token_id) if one is not None}


def _seed(question: Question) -> int:
    """A seed for each question, so that what is drawn does not hang on what was asked before."""
    said = f"{question.seed} {question.sample} {[message.content for message in question.messages]}"
    return int.from_bytes(hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[:7], "big")


def _choices(tokenizer: Any, ids: Sequence[int], logits: Sequence[Any], count: int) -> tuple[TokenChoice, ...]:  # noqa: ANN401
    import torch

    found = []
    for position, (token, row) in enumerate(zip(ids, logits, strict=True)):
        likely = torch.log_softmax(row[0].float(), dim=-1)
        others: dict[str, float] = {}
        if position >= len(ids) - KEPT_POSITIONS:
            top = torch.topk(likely, min(count, likely.shape[-1]))
            for one, value in zip(top.indices.tolist(), top.values.tolist(), strict=True):
                others.setdefault(_written(tokenizer, one), max(value, -9999.0) if math.isfinite(value) else -9999.0)
        found.append(
            TokenChoice(token=_written(tokenizer, token), logprob=max(float(likely[token]), -9999.0), others=others)
        )
    return tuple(found)


def _written(tokenizer: Any, token: int) -> str:  # noqa: ANN401 - of transformers
    return well_formed(tokenizer.decode([token], skip_special_tokens=True))
