"""A question and its answer in the words of vLLM's own interface: what its engines in process and on Ray share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .interface import KEPT_POSITIONS, EngineError, Question, TokenChoice, refuse_own_fields, well_formed

HARMLESS = frozenset(
    {
        "data_parallel_size",
        "disable_log_stats",
        "enable_chunked_prefill",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_model_len",
        "max_num_batched_tokens",
        "max_num_seqs",
        "pipeline_parallel_size",
        "tensor_parallel_size",
    }
)
"""Options of the engine that change where and how fast it computes, and not what is computed."""
_REFUSED = frozenset({"trust_remote_code", "model", "tokenizer", "task_type"})
_OWN = frozenset({"temperature", "top_p", "max_tokens", "stop", "seed", "logprobs", "structured_outputs", "n"})
CHAT_FIELD = "chat_template_kwargs"


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Look through options of the engine.

    Raises:
        EngineError: One must not be given.
    """
    for name in sorted(_REFUSED & options.keys()):
        why = "code that comes with a model is never run" if name == "trust_remote_code" else "it is given elsewhere"
        raise EngineError(f"--engine-option {name}: {why}")
    return dict(options)


def said_options(options: Mapping[str, Any]) -> str:
    """The options that can change an answer, as a part of a model's revision; empty where there are none."""
    return "".join(f" {name}={options[name]}" for name in sorted(options.keys() - HARMLESS))


def said_logprobs(options: Mapping[str, Any]) -> str:
    """Whether vLLM gives probabilities of the model itself, its default, or of what a schema left."""
    return "masked" if str(options.get("logprobs_mode", "raw")).startswith("processed") else "raw"


def sampling(question: Question) -> dict[str, Any]:
    """The arguments of ``SamplingParams`` for a question, ``structured_outputs`` as a dictionary.

    Raises:
        EngineError: A further field is set by an option of its own.
    """
    extra = {name: value for name, value in question.extra.items() if name != CHAT_FIELD}
    refuse_own_fields(extra, _OWN)
    found: dict[str, Any] = {
        "temperature": question.temperature,
        "top_p": question.top_p,
        "max_tokens": question.max_tokens,
        **extra,
    }
    if question.stop:
        found["stop"] = list(question.stop)
    if question.seed is not None:
        found["seed"] = question.seed
    if question.top_logprobs:
        found["logprobs"] = question.top_logprobs
    if question.answer_schema is not None:
        found["structured_outputs"] = {"json": question.answer_schema}
    return found


def chat_settings(question: Question) -> dict[str, Any]:
    """What the chat template is given beside the messages.

    Raises:
        EngineError: It is no object.
    """
    found = question.extra.get(CHAT_FIELD) or {}
    if not isinstance(found, dict):
        raise EngineError(f"--body {CHAT_FIELD}: write an object, such as '{{\"enable_thinking\": false}}'")
    return dict(found)


def token_choices(
    ids: Sequence[int], alternatives: Iterable[Mapping[Any, Any]] | None, count: int
) -> tuple[TokenChoice, ...] | None:
    """Read the alternatives of each token.

    Args:
        ids: The tokens that were chosen.
        alternatives: For each of them, the tokens that could have stood there with their ``logprob`` and
            ``decoded_token`` (as attributes or as keys); the chosen one is among them.
        count: How many likeliest ones to keep.
    """
    rows = list(alternatives or ())
    if len(rows) != len(ids) or not rows:
        return None
    found = []
    for place, (token, row) in enumerate(zip(ids, rows, strict=True)):
        known = {int(one): _read(value) for one, value in row.items() if value is not None}
        text, logprob = known.get(token, ("", -9999.0))
        others: dict[str, float] = {}
        if place >= len(rows) - KEPT_POSITIONS:
            for other, value in sorted(known.values(), key=lambda pair: -pair[1])[:count]:
                others.setdefault(other, value)
        found.append(TokenChoice(token=text, logprob=logprob, others=others))
    return tuple(found)


def _read(value: Any) -> tuple[str, float]:  # noqa: ANN401 - an object of vLLM's, or what Ray makes of it
    text, logprob = (
        (value.get("decoded_token"), value.get("logprob"))
        if isinstance(value, Mapping)
        else (value.decoded_token, value.logprob)
    )
    number = float(logprob) if logprob is not None else -9999.0
    return well_formed(text or ""), number if number > -9999.0 else -9999.0
