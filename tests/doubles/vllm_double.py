"""A double of the parts of vLLM that the engines call, for where vLLM is not installed.

It is NOT a language model and NOT vLLM: it has the names and signatures of vLLM 0.32 that the engines use, answers a
number made from the question's text, finishes at most two requests a step and the last that came in first, and fails
on order. `tests/prompting/test_vllm_engine.py` compares its signatures with the real ones where vLLM is installed.
"""

import hashlib
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

SEEN: list[dict[str, Any]] = []
"""What was asked: messages, sampling, and what the chat template was given."""


class StructuredOutputsParams:
    """Holds an answer to a schema."""

    def __init__(self, json: str | dict[str, Any] | None = None) -> None:
        self.json = json


class SamplingParams:
    """How an answer is drawn; names as vLLM has them."""

    def __init__(
        self,
        temperature: float = 1.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int | None = None,
        stop: list[str] | None = None,
        max_tokens: int | None = 16,
        logprobs: int | None = None,
        structured_outputs: StructuredOutputsParams | None = None,
    ) -> None:
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None


@dataclass
class RequestOutput:
    request_id: str
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    finished: bool = True
    num_cached_tokens: int | None = 3


class Tokenizer:
    """Counts words."""

    chat_template = "words"

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> list[int]:
        return list(range(sum(len(message["content"].split()) for message in messages) + 1))

    def encode(self, text: str, **_: Any) -> list[int]:
        return list(range(len(text.split())))


@dataclass
class ModelConfig:
    max_model_len: int = 2000
    dtype: str = "torch.bfloat16"  # of torch itself in vLLM
    hf_config: Any = None


@dataclass
class LLMEngine:
    """Takes requests, and gives answers a step at a time."""

    model_config: ModelConfig = field(default_factory=ModelConfig)
    waiting: dict[str, tuple[list[int], SamplingParams, str]] = field(default_factory=dict)
    dies_after: int | None = None
    most: int = 0
    aborted: list[str] = field(default_factory=list)

    def step(self) -> list[RequestOutput]:
        self.most = max(self.most, len(self.waiting))
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise RuntimeError("EngineCore died")
        return [self._answer(number) for number in list(self.waiting)[-2:]]

    def abort_request(self, request_ids: list[str], internal: bool = False) -> None:
        self.aborted += request_ids

    def _answer(self, number: str) -> RequestOutput:
        tokens, sampling, text = self.waiting.pop(number)
        digest = hashlib.sha256(text.encode()).digest()
        said = "True" if sampling.logprobs else f'{{"band_gap": {round(digest[0] / 51, 3)}}}'
        logprobs = None
        if sampling.logprobs:
            logprobs = [{1: Logprob(-0.1, 1, "True"), 2: Logprob(-2.5, 2, "False"), 3: Logprob(float("-inf"), 3, "x")}]
        choice = CompletionOutput(said, [1] if sampling.logprobs else [4, 5, 6], logprobs, "stop")
        return RequestOutput(number, tokens, [choice])


class LLM:
    """The entrance."""

    def __init__(self, model: str, *, trust_remote_code: bool = False, **kwargs: Any) -> None:
        if kwargs.get("dtype") == "nonsense":
            raise ValueError("Unknown dtype: nonsense")
        if kwargs.get("gpu_memory_utilization", 0) > 1:
            raise RuntimeError("Engine core initialization failed. See root cause above.")
        assert trust_remote_code is False
        self.model = model
        self.options = kwargs
        self.llm_engine = LLMEngine(ModelConfig(dtype=f"torch.{kwargs.get('dtype', 'bfloat16')}"))
        self._count = 0

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def enqueue_chat(
        self,
        messages: list[list[dict[str, str]]],
        sampling_params: SamplingParams | None = None,
        use_tqdm: bool = True,
        chat_template_kwargs: dict[str, Any] | None = None,
    ) -> list[str]:
        (conversation,) = messages
        assert sampling_params is not None
        tokens = self.get_tokenizer().apply_chat_template(conversation)
        if len(tokens) > self.llm_engine.model_config.max_model_len:
            raise ValueError(f"The prompt ({len(tokens)}) is longer than the maximum model length (max_model_len)")
        SEEN.append({"messages": conversation, "sampling": sampling_params, "chat": chat_template_kwargs})
        number = str(self._count)
        self._count += 1
        self.llm_engine.waiting[number] = (tokens, sampling_params, conversation[-1]["content"])
        return [f"{number}-a1b2c3d4"]


def install(monkeypatch: Any) -> None:
    """Let ``import vllm`` find this double."""
    vllm, sampling = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    vllm.LLM, vllm.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    sampling.SamplingParams = SamplingParams  # type: ignore[attr-defined]
    sampling.StructuredOutputsParams = StructuredOutputsParams  # type: ignore[attr-defined]
    vllm.sampling_params = sampling  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", sampling)
    SEEN.clear()
