"""A question as the body of a request for a chat completion: what servers and batch files share."""

from typing import Any

from .interface import Question, refuse_own_fields

LENGTH_NAMES = ("max_tokens", "max_completion_tokens")
"""How the longest answer is called; newer models of some vendors know only the second."""
_OWN = frozenset(
    {
        "model", "messages", "temperature", "top_p", "max_tokens", "stop", "seed", "logprobs",
        "response_format", "n", "stream"
    }
)  # fmt: skip
"""Fields for which there are options, or which would make of an answer what nobody reads."""


def request_body(question: Question, model: str, length_name: str = LENGTH_NAMES[0]) -> dict[str, Any]:
    """Write the body of a request.

    Args:
        question: What is asked.
        model: Name of the model on the server.
        length_name: How the server calls the longest answer.

    Raises:
        EngineError: A further field is set by an option of its own.
    """
    refuse_own_fields(question.extra, _OWN)
    body: dict[str, Any] = {
        "model": model,
        "messages": [message.model_dump() for message in question.messages],
        "temperature": question.temperature,
    }
    if LENGTH_NAMES[1] not in question.extra:
        body[length_name] = question.max_tokens
    if question.top_p != 1:
        body["top_p"] = question.top_p
    if question.stop:
        body["stop"] = list(question.stop)
    if question.seed is not None:
        body["seed"] = question.seed
    if question.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": question.top_logprobs}
    if question.answer_schema is not None:
        schema = {"name": "answer", "schema": question.answer_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body | question.extra
