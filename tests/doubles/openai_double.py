"""A double of an OpenAI-compatible server: real HTTP on the loopback interface, for tests only.

It is NOT a language model and not a reading of any one server: it knows ``GET /v1/models`` and ``POST
/v1/chat/completions``, answers a number made from the question's hash, and misbehaves on order. What passes here has
been shown to work with this reading of the protocol; whether vLLM or a vendor agrees can only be seen there.

    with OpenAIDouble() as server:
        server.behave = lambda number, body: Fault("status", 500) if number == 3 else None
        ... server.url ...
        assert server.asked[question] == 1
"""

import hashlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Fault:
    """A way to misbehave: ``status`` (with a code), ``hang`` (seconds), ``half`` (closes half way), ``garbage``,
    ``empty`` (no choices), ``reset``, ``die`` (the whole server), ``body`` (that JSON, as it is)."""

    kind: str
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def say(body: dict[str, Any]) -> str:
    """What the double answers by default: a number from the question's hash, in JSON."""
    digest = hashlib.sha256(json.dumps([body["messages"], body.get("seed")], sort_keys=True).encode()).digest()
    name = body["messages"][0]["content"].partition('{"')[2].partition('"')[0] or "value"
    return json.dumps({name: round(int.from_bytes(digest[:4], "big") / 2**32 * 5, 3)})


class OpenAIDouble:
    """The server; ``behave`` is asked for a fault before each request, with its number from 1."""

    def __init__(self, models: tuple[str, ...] = ("tiny",), *, delay: float = 0.0) -> None:
        self.models: list[dict[str, Any]] = [{"id": one, "object": "model"} for one in models]
        self.behave: Callable[[int, dict[str, Any]], Fault | None] = lambda _number, _body: None
        self.say: Callable[[dict[str, Any]], str | dict[str, Any]] = say
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._start(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stop(self) -> None:
        """Take the server down: nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()

    def revive(self) -> None:
        """Listen again, at the same port."""
        self._start(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, port: int) -> None:
        double = self

        class Handler(_Handler):
            server_double = double

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def enter(self, body: dict[str, Any]) -> int:
        with self._lock:
            self.bodies.append(body)
            self.asked[question_of(body)] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return len(self.bodies)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


def question_of(body: dict[str, Any]) -> str:
    """What tells questions apart."""
    return json.dumps([body["messages"], body.get("seed")], sort_keys=True)


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_double: OpenAIDouble

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server_double.keys.add(self.headers.get("Authorization"))
        if self.path == "/v1/models":
            self._send(200, {"object": "list", "data": self.server_double.models})
        else:
            self._send(404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        double = self.server_double
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        double.keys.add(self.headers.get("Authorization"))
        number = double.enter(body)
        try:
            fault = double.behave(number, body)
            if fault is not None:
                self._misbehave(fault, body)
                return
            time.sleep(double.delay)
            self._send(200, self._completion(body))
        finally:
            double.leave()

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        said = self.server_double.say(body)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": said}} if isinstance(said, str) else said
        words = sum(len(message["content"].split()) for message in body["messages"])
        usage = {"prompt_tokens": words, "completion_tokens": 5, "total_tokens": words + 5}
        return {"id": "1", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}

    def _misbehave(self, fault: Fault, body: dict[str, Any]) -> None:
        if fault.kind == "status":
            self._send(fault.value, {"error": {"message": "on order"}}, fault.headers)
        elif fault.kind == "body":
            status, value = fault.value
            self._send(status, value, fault.headers)
        elif fault.kind == "hang":
            time.sleep(fault.value)
        elif fault.kind == "garbage":
            self._raw(200, b"\x00{not json \xff")
        elif fault.kind == "empty":
            self._send(200, {"choices": []})
        elif fault.kind == "half":
            content = json.dumps(self._completion(body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
        elif fault.kind == "die":
            threading.Thread(target=self.server_double.stop, daemon=True).start()
            time.sleep(0.1)
        self.close_connection = fault.kind not in ("status", "body", "empty")
        if fault.kind in ("reset", "die"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(value).encode(), headers)

    def _raw(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    with OpenAIDouble(("tiny",), delay=0.01) as running:
        print(running.url, flush=True)  # noqa: T201
        threading.Event().wait()
