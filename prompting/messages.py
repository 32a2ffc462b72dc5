"""Messages of a chat, and Llama 2's markers read into messages."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["system", "user", "assistant"]


class Message(BaseModel):
    """One turn of a chat; its dump is what chat templates and OpenAI-compatible servers take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


def messages_sha256(messages: Sequence[Message]) -> str:
    """SHA-256 of messages: equal for equal questions."""
    dumped = [[message.role, message.content] for message in messages]
    return hashlib.sha256(json.dumps(dumped, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


_TURN = re.compile(r"\s*(?:<s>)?\s*\[INST\] ?(.*?) ?\[/INST\]", re.DOTALL)
_ANSWER = re.compile(r"(.*?)(?:</s>)?\s*(?=(?:<s>)?\s*\[INST\]|$)", re.DOTALL)
_SYSTEM = re.compile(r"<<SYS>>\n?(.*?)\n?<</SYS>>\n?\n?", re.DOTALL)
_MARKERS = ("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")


def from_llama2(prompt: str) -> list[Message]:
    """Read a prompt in Llama 2's markers into messages.

    The markers go, the ``<s>`` too: the chat template of the model that is asked writes its own. What stands between
    the markers stays as it is, so that Llama 2's own template gives the same prompt again.

    Raises:
        ValueError: The markers do not pair, or there are none.
    """
    messages: list[Message] = []
    position = 0
    while (turn := _TURN.match(prompt, position)) is not None:
        content = turn[1]
        system = _SYSTEM.match(content)
        if system is not None and not messages:
            messages.append(Message(role="system", content=system[1]))
            content = content[system.end() :]
        messages.append(Message(role="user", content=content))
        answer = _ANSWER.match(prompt, turn.end())
        position = turn.end() if answer is None else answer.end()
        if answer is not None and answer[1].strip():
            messages.append(Message(role="assistant", content=answer[1].strip()))
    if not messages or prompt[position:].strip():
        raise ValueError("no prompt in Llama 2's markers ([INST] ... [/INST])")
    for message in messages:
        for marker in _MARKERS:
            if marker in message.content:
                raise ValueError(f"Llama 2's markers do not pair: {marker} inside a text")
    return messages


def to_llama2(messages: Sequence[Message]) -> str:
    """Write messages as Llama 2's chat template does."""
    written = ""
    system = ""
    for message in messages:
        if message.role == "system":
            system = f"<<SYS>>\n{message.content}\n<</SYS>>\n\n"
        elif message.role == "user":
            written += f"<s>[INST] {system}{message.content} [/INST]"
            system = ""
        else:
            written += f" {message.content} </s>"
    return written
