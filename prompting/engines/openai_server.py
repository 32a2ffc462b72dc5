"""Any server that speaks OpenAI's chat completions: vLLM, llama.cpp, TGI, a vendor."""

import asyncio
import ipaddress
import json
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...errors import LLM4MatError, UsageError, said_value, unknown_name
from .chat_answers import BadAnswerError, read_answer
from .chat_requests import request_body
from .interface import Answer, Engine, EngineError, EngineInfo, NoAnswerError, Question, ServerGoneError
from .waiting import back_off, retry_after

if TYPE_CHECKING:
    import aiohttp

_LARGEST = 64 << 20
"""Bytes of the largest answer that is read."""
_LONGEST_ASKED = 900.0
"""Seconds that a server may ask to wait."""
_FEW_SECONDS = 30.0
_IDLE_SECONDS = 4.0
"""How long a connection is kept that nobody uses: uvicorn, under vLLM, closes it after five."""
_TRY_AGAIN = frozenset({408, 409, 425, 429})
_BUSY = frozenset({429, 503})
"""Where the server says how long to wait as well, the question is not at fault, and none of its tries is used up."""
_CONTEXT = ("context size", "context length", "context window")
_OF_ONE_QUESTION = frozenset({400, 413, 422, 500})
"""Refusals that are of one question alone where others were answered."""
_SLOWEST = 10.0
"""Seconds between two questions at the most, for a server that is asked too often."""
_SPENT = ("insufficient_quota", "billing_hard_limit_reached")


class OpenAIServer(Engine):
    """Asks a server; bounded concurrency, a time-out for each request, tries again on 429, 5xx and broken connections.

    Args:
        model: Name of the model on the server.
        base_url: Address of its API, for example ``http://localhost:8000/v1``; ``OPENAI_BASE_URL`` if None.
        key_name: Name of the environment variable that holds the key, if there is one. The key is never shown.
        concurrency: How many requests may be in flight.
        timeout: Seconds that a request may take.
        tries: How often a question is asked at the most.
        first_wait: Seconds to wait after the first try that failed; each wait is twice as long as that before.
        rate: The most questions a minute; no limit if None. A server that answers 429 is asked more slowly by itself.

    Raises:
        UsageError: There is no address, or it is none.
    """

    name = "openai"
    libraries = ("aiohttp",)
    structured = True

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        key_name: str = "OPENAI_API_KEY",
        concurrency: int = 16,
        timeout: float = 300.0,
        tries: int = 6,
        first_wait: float = 0.5,
        rate: float | None = None,
    ) -> None:
        self.model = model
        self.url = _checked_url(base_url or os.environ.get("OPENAI_BASE_URL"))
        self.concurrency = concurrency
        self._key_name = key_name
        self._key = os.environ.get(key_name) or None
        self._timeout = timeout
        self._tries = tries
        self._first_wait = first_wait
        self._session: aiohttp.ClientSession | None = None
        self._room = asyncio.Semaphore(concurrency)
        self._not_before = 0.0
        self._next = 0.0
        self._shortest = 60 / rate if rate else 0.0
        self._interval = self._shortest
        self._slowed = 0.0
        self._length_name = "max_tokens"

    def describe(self) -> EngineInfo:
        """Ask the server which model answers to this name, and what it says of it."""
        import httpx2

        last = ""
        for attempt in range(1, self._tries + 1):
            try:
                with httpx2.Client(
                    headers=self._headers(), timeout=min(self._timeout, _FEW_SECONDS), trust_env=self._by_proxy
                ) as client:
                    response = client.get(f"{self.url}/models")
            except httpx2.ConnectError as error:  # a server that is not there will not be there in a minute
                raise ServerGoneError(f"{self.url}: nobody answers ({_reason(error)}); is the server up?") from error
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                last = _reason(error)
            else:
                if response.status_code < 500 and response.status_code != 429:
                    return self._info_in(response.status_code, response.text)
                last = f"HTTP {response.status_code}"
            if attempt < self._tries:
                time.sleep(back_off(attempt, self._first_wait, 0.5))
        raise ServerGoneError(f"{self.url}/models: {last}, {self._tries} times; is it an OpenAI-compatible server?")

    async def open(self) -> None:
        """Make the client."""
        import aiohttp
        import httpx2

        self._room = asyncio.Semaphore(self.concurrency)
        self._session = aiohttp.ClientSession(
            headers={**self._headers(), "Content-Type": "application/json"},
            connector=aiohttp.TCPConnector(
                limit=self.concurrency,
                keepalive_timeout=_IDLE_SECONDS,
                ssl=httpx2.create_ssl_context(trust_env=self._by_proxy),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # there is one for the whole request
            trust_env=self._by_proxy,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, question: Question) -> Answer:
        """Ask the server, and again where that may help."""
        if self._session is None:
            raise RuntimeError("ask within `async with engine:`")
        spread = int.from_bytes(json.dumps(question.messages[-1].content).encode()[-2:], "big") / 65536
        troubles: list[str] = []
        gone = asked = 0
        began_asking = time.monotonic()
        while len(troubles) < self._tries:
            await self._until_allowed()
            length_name = self._length_name
            asked += 1
            try:
                async with self._room:  # before the time-out: waiting for others is no fault of the server's
                    began = time.perf_counter()
                    async with asyncio.timeout(self._timeout):
                        status, headers, content = await self._post(self._session, question)
            except TimeoutError:
                troubles.append(f"no answer within {self._timeout:g} s (--timeout)")
            except _errors() as error:
                gone += _is_refused(error)
                troubles.append(_reason(error))
            else:
                seconds = time.perf_counter() - began
                if status == 200:
                    try:
                        answer = read_answer(content, seconds, asked)
                    except BadAnswerError as error:
                        troubles.append(str(error))
                    else:
                        self.answers = True
                        self._interval = max(self._shortest, 0.9 * self._interval - 0.001)
                        return answer
                elif status < 500 and status not in _TRY_AGAIN:
                    said = self._said(content)
                    if self._takes_other_name(length_name, said):
                        asked -= 1
                        continue
                    raise self._of_one(status, self._refusal(status, said))
                else:
                    said = self._said(content)
                    if any(word in said for word in _SPENT):
                        raise EngineError(f"{self.url}: the account is spent: {said}")
                    wait = retry_after(headers)
                    if status in _BUSY:
                        self._slow_down()
                    self._hold(wait)
                    if status in _BUSY and wait is not None and time.monotonic() - began_asking < _LONGEST_ASKED:
                        continue
                    troubles.append(f"HTTP {status}: {said}")
                    if any(word in said.casefold() for word in _CONTEXT):  # no fault of the server's, as some say
                        raise self._of_one(status, self._refusal(status, said))
            if len(troubles) < self._tries:
                await asyncio.sleep(back_off(len(troubles), self._first_wait, spread))
        if gone == len(troubles):
            raise ServerGoneError(f"{self.url}: nobody answers any more ({troubles[-1]}); start the server again")
        raise NoAnswerError(f"{self.url}: no answer in {len(troubles)} tries; the last: {troubles[-1]}")

    async def _post(self, session: "aiohttp.ClientSession", question: Question) -> tuple[int, Mapping[str, str], bytes]:
        content = bytearray()
        body = json.dumps(request_body(question, self.model, self._length_name)).encode()
        async with session.post(f"{self.url}/chat/completions", data=body, allow_redirects=False) as response:
            async for piece in response.content.iter_any():
                content += piece
                if len(content) > _LARGEST:
                    break
        return response.status, response.headers, bytes(content)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    @property
    def _by_proxy(self) -> bool:
        """Whether the environment's proxies count: not on the way to this very machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host != "localhost"

    async def _until_allowed(self) -> None:
        """Wait for this question's turn: after what the server asked for, and one after the other where it is slow."""
        while (wait := max(self._not_before, self._next) - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        self._next = time.monotonic() + self._interval

    def _slow_down(self) -> None:
        """Double the time between two questions; once for all that come back within a second."""
        if time.monotonic() - self._slowed > 1:
            self._slowed = time.monotonic()
            self._interval = min(max(2 * self._interval, 0.05), max(_SLOWEST, self._shortest))

    def _hold(self, seconds: float | None) -> None:
        """Ask nothing for so long: what a server says to one request is meant for all."""
        if seconds is None:
            return
        if seconds > _LONGEST_ASKED:
            raise EngineError(f"{self.url}: the server asks to wait {seconds / 60:.0f} minutes; run again after that")
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _of_one(self, status: int, refusal: EngineError) -> LLM4MatError:
        """A refusal of all questions, or of this one alone where others were answered."""
        return NoAnswerError(str(refusal)) if self.answers and status in _OF_ONE_QUESTION else refusal

    def _takes_other_name(self, used: str, said: str) -> bool:
        """Newer models of some vendors know the longest answer by another name, and say so."""
        if used == "max_tokens" and "max_completion_tokens" in said and not _too_long(said):
            self._length_name = "max_completion_tokens"
            return True
        return False

    def _info_in(self, status: int, text: str) -> EngineInfo:
        if status in (401, 403):
            raise self._refusal(status, self._said(text.encode()))
        if status != 200:  # some servers have no list
            return EngineInfo(engine="openai", model=self.model, revision="as served")
        try:
            listed = {str(one["id"]): one for one in json.loads(text)["data"]}
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(f"{self.url}/models: no list of models; is it an OpenAI-compatible server?") from error
        if self.model not in listed:
            raise EngineError(f"{self.url}: {unknown_name('model', self.model, listed)}")
        found = listed[self.model]
        context = found.get("max_model_len") or found.get("context_length")
        root = found.get("root")
        named = isinstance(root, str) and root not in ("", self.model)
        return EngineInfo(
            engine="openai",
            model=self.model,
            # a folder's place is of that machine; its name is what can be told again
            revision=str(root).rstrip("/").rpartition("/")[2] or "as served" if named else "as served",
            context=context if isinstance(context, int) and context > 0 else None,
        )

    def _said(self, content: bytes) -> str:
        """What a server says of an error, in one line, without the key."""
        text = content[:4000].decode("utf-8", "replace")
        try:
            value = json.loads(content)
            inner = value.get("error", value) if isinstance(value, dict) else value
            if isinstance(inner, dict):
                parts = [inner.get(name) for name in ("message", "detail", "code", "type")]
                text = "; ".join(dict.fromkeys(str(part) for part in parts if part)) or text
            else:
                text = str(inner)
        except ValueError:
            pass
        if self._key:
            text = text.replace(self._key, "***")
        line = " ".join(text.split())
        return line if len(line) <= 300 else line[:299] + "…"

    def _refusal(self, status: int, said: str) -> EngineError:
        folded = said.casefold()
        if status in (401, 403):
            state = "does not accept the key in" if self._key else "asks for a key: put it into"
            hint = f"the server {state} {self._key_name}"
        elif status == 404:
            hint = "is the name of the model right, and the address?"
        elif 300 <= status < 400:
            hint = "the server is elsewhere: give its own address"
        elif _too_long(said):
            hint = "give --tokenizer and --context, so that prompts are cut to the model's context, or fewer --shots"
        elif "logprob" in folded:
            hint = "--no-logprobs does without the probabilities of classes"
        elif "response_format" in folded or "schema" in folded:
            hint = "leave --structured out"
        else:
            hint = "the request is at fault"
        return EngineError(f"{self.url}: HTTP {status}: {said or 'no word'} ({hint})")


def _checked_url(url: str | None) -> str:
    if not url:
        raise UsageError("where is the server? Give --base-url, for example http://localhost:8000/v1")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--base-url {said_value(url)}: write http://HOST:PORT/v1 or https://...")
    if parts.username or parts.password:
        raise UsageError("--base-url: put the key into the environment, not into the address")
    return url.rstrip("/") + ("/v1" if parts.path.strip("/") == "" else "")


def _too_long(said: str) -> bool:
    """Whether a server says that prompt and answer are longer than what the model reads, in the words of many."""
    folded = said.casefold()
    words = ("context", "too long", "maximum", "max_new_tokens", "input length", "prompt length", "exceed")
    return any(word in folded for word in words) and "rate limit" not in folded and "quota" not in folded


def _errors() -> tuple[type[Exception], ...]:
    import aiohttp

    return (aiohttp.ClientError,)


def _is_refused(error: BaseException) -> bool:
    import aiohttp

    return isinstance(error, aiohttp.ClientConnectorError)


def _reason(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
