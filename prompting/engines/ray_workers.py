"""vLLM on the nodes of a Ray cluster, by Ray Data's own stages: for more than one machine.

Questions are handed over in large lots, one Ray data set each, since the nodes load the model anew for every data set;
answers come back one by one and are kept as they come.
"""

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...errors import LLM4MatError, UsageError, one_line
from ...ray_cluster import Cluster
from ..tokens import Counter
from .interface import Answer, Engine, EngineError, EngineInfo, NoAnswerError, Question, well_formed
from .model_folders import folder_revision, model_name
from .vllm_words import chat_settings, checked_options, said_logprobs, said_options, sampling, token_choices

Row = dict[str, Any]
Pipeline = Callable[[list[Row]], Iterable[Row]]
"""Takes rows of a lot (``number``, ``tokens``, ``sampling`` as JSON), yields rows of answers as they come."""

_QUIET_SECONDS = 1.0
"""When no further question has come for so long, those that are there are a lot."""
_BATCH = 64
_FIELDS = ("generated_text", "generated_tokens", "num_input_tokens", "logprobs")
_ERROR = "__inference_error__"


class RayWorkers(Engine):
    """Copies of a model on a Ray cluster.

    The chat template is applied here, once, and the workers get tokens, so that no beginning of a text is doubled. A
    question that fails on its worker fails alone; Ray itself repeats those of a worker that died.

    Args:
        model: A folder that all nodes see at the same place, or a name on the Hub.
        address: Of the cluster.
        workers: Copies of the model.
        concurrency: Questions of a lot.
        options: Arguments of vLLM's engine.
        pipeline: What answers a lot, wherever; Ray Data's vLLM stages on the cluster if None.

    Raises:
        UsageError: Ray or vLLM is not installed here.
        ClusterError: There is no cluster.
        EngineError: An option must not be given.
    """

    name = "ray"
    libraries = ("ray", "vllm", "torch", "transformers")
    structured = True

    def __init__(
        self,
        model: str,
        *,
        address: str = "local",
        workers: int = 1,
        concurrency: int = 20_000,
        options: Mapping[str, Any] | None = None,
        pipeline: Pipeline | None = None,
    ) -> None:
        self.model = model_name(model)
        self.concurrency = concurrency
        self._source = str(Path(model).resolve()) if Path(model).is_dir() else model
        self._options = checked_options(options or {})
        self.logprobs = said_logprobs(self._options)
        self._workers = workers
        self._pipeline = pipeline or self._stages
        self._cluster: Cluster | None = None
        if pipeline is None:
            _import_stages()
            self._cluster = Cluster(address)
        self._tokenizer: Any = None
        self._lot: list[tuple[Question, Future[Answer]]] = []
        self._last = 0.0
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def describe(self) -> EngineInfo:
        """Name the model by its folder and the hash of it, and its precision: ``auto`` is the workers' own choice."""
        folder = Path(self._source)
        revision = folder_revision(folder) if folder.is_dir() else "as served"
        return EngineInfo(
            engine="ray",
            model=self.model,
            revision=revision + said_options({"dtype": "auto", **self._options}),
            context=self._context(),
        )

    def counter(self) -> Counter:
        """Counts with the model's own tokenizer, which is read on this machine."""
        from ..tokens import TokenizerCounter

        return TokenizerCounter(self._read_tokenizer())

    async def open(self) -> None:
        """Begin to answer."""
        self._read_tokenizer()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="ray", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop after the lot that is under way."""
        if self._thread is not None:
            with self._changed:
                self._closed = True
                self._changed.notify()
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def finish(self) -> str | None:
        """Leave the cluster."""
        if self._cluster is not None:
            self._cluster.close()
        return None

    async def ask(self, question: Question) -> Answer:
        """Put a question into the next lot, and wait for its answer."""
        if self._thread is None:
            raise RuntimeError("ask within `async with engine:`")
        answer: Future[Answer] = Future()
        with self._changed:
            self._lot.append((question, answer))
            self._last = time.monotonic()
            self._changed.notify()
        return await asyncio.wrap_future(answer)

    def _work(self) -> None:
        while (lot := self._next_lot()) is not None:
            waiting = {number: (question, answer) for number, (question, answer) in enumerate(lot)}
            began = time.perf_counter()
            try:
                rows = [self._row(number, question) for number, question, _ in _numbered(lot)]
                for alike in _by_form(rows):
                    for row in self._pipeline(alike):
                        question, answer = waiting.pop(int(row["number"]))
                        _settle(answer, row, question, time.perf_counter() - began)
                trouble: LLM4MatError = NoAnswerError("Ray gave no row for the question")
            except LLM4MatError as error:
                trouble = error
            except Exception as error:
                trouble = EngineError(f"Ray: {one_line(error)}; the same command goes on from here")
            for _, answer in waiting.values():
                if not answer.cancelled():
                    answer.set_exception(trouble)

    def _next_lot(self) -> list[tuple[Question, "Future[Answer]"]] | None:
        """Wait until a lot is full or nothing more comes; None when it is over."""
        with self._changed:
            while True:
                quiet = time.monotonic() - self._last
                if self._lot and (self._closed or len(self._lot) >= self.concurrency or quiet >= _QUIET_SECONDS):
                    lot, self._lot = self._lot, []
                    return [(question, answer) for question, answer in lot if not answer.cancelled()]
                if self._closed:
                    return None
                self._changed.wait(max(0.01, _QUIET_SECONDS - quiet) if self._lot else None)

    def _row(self, number: int, question: Question) -> Row:
        found = self._read_tokenizer().apply_chat_template(
            [message.model_dump() for message in question.messages],
            tokenize=True,
            add_generation_prompt=True,
            **chat_settings(question),
        )
        tokens = found["input_ids"] if isinstance(found, Mapping) else found
        arguments = sampling(question)
        schema = arguments.pop("structured_outputs", None)
        if schema is not None:  # as text: rows of a table hold no objects with parts of their own
            arguments["structured_outputs"] = {"json": json.dumps(schema["json"])}
        return {"number": number, "tokens": list(tokens), "sampling": json.dumps(arguments)}

    def _stages(self, rows: list[Row]) -> Iterator[Row]:
        """Ray Data's vLLM stages."""
        import ray
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

        options = {"enable_prefix_caching": True, "generation_config": "vllm", **self._options}
        places: dict[str, Any] = {}
        if not ray.cluster_resources().get("GPU"):
            places["placement_group_config"] = {"bundles": [{"CPU": 1}]}
        config = vLLMEngineProcessorConfig(
            model_source=self._source,
            engine_kwargs=options,
            concurrency=self._workers,
            batch_size=_BATCH,
            should_continue_on_error=True,
            chat_template_stage=False,
            tokenize_stage=False,
            detokenize_stage=False,
            log_engine_metrics=False,
            **places,
        )
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        processor = build_processor(config, preprocess=to_stage, postprocess=from_stage)
        yield from processor(ray.data.from_items(rows, override_num_blocks=max(1, len(rows) // _BATCH))).iter_rows()

    def _read_tokenizer(self) -> Any:  # noqa: ANN401 - of transformers
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            try:
                self._tokenizer = AutoTokenizer.from_pretrained(self._source, trust_remote_code=False)
            except (OSError, ValueError, KeyError) as error:
                raise EngineError(f"{self._source}: no tokenizer on this machine: {one_line(error)}") from error
            if not self._tokenizer.chat_template:
                raise EngineError(f"{self._source}: the tokenizer has no chat template: take a model made to answer")
        return self._tokenizer

    def _context(self) -> int | None:
        limit = self._options.get("max_model_len")
        if isinstance(limit, int):
            return limit
        try:
            config = json.loads((Path(self._source) / "config.json").read_text())
        except (OSError, ValueError):
            return None
        found = config.get("max_position_embeddings") if isinstance(config, dict) else None
        return found if isinstance(found, int) else None


def _by_form(rows: list[Row]) -> list[list[Row]]:
    """Rows whose arguments have the same names, together; mostly all.

    In one table a whole number that some rows lack becomes a fraction, on which vLLM's engine dies without a word: the
    workers would wait for it for ever.
    """
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        arguments = json.loads(row["sampling"])
        inner = [f"{name}.{key}" for name, one in arguments.items() if isinstance(one, dict) for key in one]
        found[*sorted(name for name, one in arguments.items() if one is not None), *sorted(inner)].append(row)
    return list(found.values())


def to_stage(row: Row) -> Row:
    """What the vLLM stage reads; runs on a node."""
    return {"tokenized_prompt": list(row["tokens"]), "sampling_params": json.loads(row["sampling"])}


def from_stage(row: Row) -> Row:
    """What of a stage's row is sent back, the answer as text, so that all rows have one form; runs on a node."""
    answer = {name: _plain(row.get(name)) for name in _FIELDS}
    return {"number": int(row["number"]), "answer": json.dumps(answer)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - numbers, texts and lists of them, as NumPy or Python has them
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items() if one is not None}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _settle(waiting: "Future[Answer]", row: Row, question: Question, seconds: float) -> None:
    if waiting.cancelled():
        return
    trouble = row.get(_ERROR)
    if trouble:
        waiting.set_exception(NoAnswerError(f"vLLM on Ray: {' '.join(str(trouble).split())[:300]}"))
        return
    value = json.loads(row["answer"])
    ids = [int(one) for one in value["generated_tokens"] or ()]
    waiting.set_result(
        Answer(
            text=well_formed(value["generated_text"] or ""),
            # the stage does not tell; an answer of just the longest length counts as cut off
            finish_reason="length" if len(ids) >= question.max_tokens else "stop",
            prompt_tokens=int(value["num_input_tokens"]),
            completion_tokens=len(ids),
            latency=round(seconds, 6),
            tokens=token_choices(ids, value["logprobs"], question.top_logprobs) if question.top_logprobs else None,
        )
    )


def _numbered(lot: list[tuple[Question, "Future[Answer]"]]) -> Iterator[tuple[int, Question, "Future[Answer]"]]:
    for number, (question, answer) in enumerate(lot):
        yield number, question, answer


def _import_stages() -> None:
    try:
        import ray.data.llm  # noqa: F401
        import vllm  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "--engine ray needs Ray and vLLM, here and on every node: pip install 'llm4mat-bench[ray-vllm]': "
            f"{one_line(error)}"
        ) from error
