"""Asking: vLLM with shared prefixes against the published way, our own share of a request, and memory.

    .venv-vllm/bin/python benchmarks/prompt.py engines FOLDER [--questions 32]   FOLDER: a model, see make serve-demo
    python benchmarks/prompt.py requests [--requests 4000] [--in-flight 200]
    python benchmarks/prompt.py memory [--questions 1000000]

`engines` asks the same 5-shot questions (shots `fixed`) of the same model twice in one run: by the engine `vllm`, and
by transformers' text-generation pipeline in batches of 8, as the published code does; both greedy, as many new tokens.
`requests` asks a server in a process of its own that answers at once: what is left is our own work and HTTP's.
`memory` puts questions through an engine that answers at once, and a store on disk.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from llm4mat_bench import get_task
from llm4mat_bench.dataset_builder.catalogue import MODALITIES, Modality
from llm4mat_bench.metrics.results.predictions import write_predictions
from llm4mat_bench.prompting.asking import Asked, ask_missing
from llm4mat_bench.prompting.engines.interface import Answer, Engine, EngineInfo, Question
from llm4mat_bench.prompting.messages import Message, messages_sha256
from llm4mat_bench.prompting.outcomes import Outcomes
from llm4mat_bench.prompting.questions import read_questions
from llm4mat_bench.prompting.render import Cut, Prompt, Renderer
from llm4mat_bench.prompting.shots import ShotSettings
from llm4mat_bench.prompting.store import AnswerStore
from llm4mat_bench.prompting.templates import load_template

TASK = "sample/formation_energy_per_atom"
BATCH = 8


def main() -> None:
    """Run the part that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    engines = parts.add_parser("engines")
    engines.add_argument("folder", type=Path)
    engines.add_argument("--questions", type=int, default=32)
    engines.add_argument("--modality", choices=MODALITIES, default="description")
    engines.add_argument("--max-tokens", type=int, default=16)
    requests = parts.add_parser("requests")
    requests.add_argument("--requests", type=int, default=4000)
    requests.add_argument("--in-flight", type=int, default=200)
    memory = parts.add_parser("memory")
    memory.add_argument("--questions", type=int, default=1_000_000)
    given = parser.parse_args()
    {"engines": compare, "requests": own_share, "memory": hold}[given.part](given)


def compare(given: argparse.Namespace) -> None:
    """Our way and the published way, on the same prompts."""
    prompts = _prompts(given.questions, given.modality)
    ours = _ours(given.folder, prompts, given.max_tokens)
    theirs = _published(given.folder, prompts, given.max_tokens)
    tokens = sum(one.prompt_tokens or 0 for one in ours[1])
    cached = sum(one.cached_tokens or 0 for one in ours[1])
    print(f"{len(prompts)} 5-shot prompts of {TASK} {given.modality}, {tokens / len(prompts):.0f} tokens each")
    print(f"vLLM: {ours[0]:.1f} s, {100 * cached / tokens:.0f} % of the prompts' tokens from the prefix cache")
    print(f"transformers, batches of {BATCH}: {theirs[0]:.1f} s")
    print(f"ratio: {theirs[0] / ours[0]:.1f}")
    same = sum(one.text.strip() == text.strip() for one, text in zip(ours[1], theirs[1], strict=True))
    print(f"same answers: {same} of {len(prompts)}")


def _prompts(number: int, modality: Modality) -> list[tuple[Message, ...]]:
    task = get_task(TASK)
    renderer = Renderer(load_template("json"), task, modality)
    questions = read_questions(task, modality, renderer, ShotSettings(rule="fixed", count=5, seed=0), limit=number)
    return [prompt.messages for _, prompt in questions]


def _ours(folder: Path, prompts: Sequence[tuple[Message, ...]], max_tokens: int) -> tuple[float, list[Answer]]:
    from llm4mat_bench.prompting.engines.vllm_local import VllmModel

    engine = VllmModel(str(folder), options={"dtype": "float32", "enforce_eager": True, "max_model_len": 8192})
    engine.describe()

    async def all_of_them(given: Sequence[tuple[Message, ...]], longest: int) -> list[Answer]:
        async with engine:
            asked = (engine.ask(Question(messages=one, max_tokens=longest)) for one in given)
            return await asyncio.gather(*asked)

    asyncio.run(all_of_them([(Message(role="user", content="Warm up."),)], 2))
    began = time.perf_counter()
    found = asyncio.run(all_of_them(prompts, max_tokens))
    seconds = time.perf_counter() - began
    engine._llm.llm_engine.engine_core.shutdown()
    return seconds, found


def _published(folder: Path, prompts: Sequence[tuple[Message, ...]], max_tokens: int) -> tuple[float, list[str]]:
    import torch
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    asker = pipeline("text-generation", model=str(folder), tokenizer=tokenizer, dtype=torch.float32, device="cpu")
    chats = [[message.model_dump() for message in one] for one in prompts]
    options = {"max_new_tokens": max_tokens, "do_sample": False, "return_full_text": False}
    asker([[{"role": "user", "content": "Warm up."}]], batch_size=1, **{**options, "max_new_tokens": 2})
    began = time.perf_counter()
    found = asker(chats, batch_size=BATCH, **options)
    seconds = time.perf_counter() - began
    return seconds, [one[0]["generated_text"] for one in found]


def own_share(given: argparse.Namespace) -> None:
    """Processor time of this process for each request, and the time of all of it."""
    from llm4mat_bench.prompting.engines.openai_server import OpenAIServer

    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip()
        engine = OpenAIServer("tiny", url, concurrency=given.in_flight)
        with tempfile.TemporaryDirectory() as folder, AnswerStore(Path(folder) / "answers.sqlite") as store:
            outcomes = Outcomes(get_task(TASK), given.requests, 1)
            questions = _made(given.requests, engine.describe(), outcomes)
            used, began = time.process_time(), time.perf_counter()
            asyncio.run(ask_missing(engine, store, questions, lambda one, answer, _: _parse(outcomes, one, answer)))
            seconds, own = time.perf_counter() - began, time.process_time() - used
    finally:
        server.kill()
    each = 1000 * own / given.requests
    print(f"{given.requests} requests, {given.in_flight} in flight: {each:.2f} ms of our own processor time each")
    print(f"{1000 * seconds / given.requests:.2f} ms each by the clock, the server's own share included")


_SERVER = """
import asyncio, json
MESSAGE = {"content": '{"formation_energy_per_atom": -1.5}'}
USAGE = {"prompt_tokens": 300, "completion_tokens": 12}
BODY = json.dumps({"choices": [{"message": MESSAGE, "finish_reason": "stop"}], "usage": USAGE}).encode()
LIST = json.dumps({"data": [{"id": "tiny"}]}).encode()
def said(body):
    return b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            if b"content-length:" in head:
                await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\\r\\n")[0]))
            await asyncio.sleep(0.05)
            writer.write(said(LIST if head.startswith(b"get") else BODY))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class AtOnce(Engine):
    """NOT a model: answers at once, for measuring what is held."""

    name = "openai"
    model = "tiny"
    concurrency = 200

    def describe(self) -> EngineInfo:
        """It is nobody."""
        return EngineInfo(engine="openai", model="tiny", revision="as served")

    async def ask(self, question: Question) -> Answer:  # noqa: ARG002 - all get the same
        """Say the same to all."""
        await asyncio.sleep(0)
        return Answer(text='{"formation_energy_per_atom": -1.5}', finish_reason="stop", latency=0.0)


def hold(given: argparse.Namespace) -> None:
    """The most memory while many questions are asked, against that of few."""
    few, more = 10_000, given.questions
    with tempfile.TemporaryDirectory() as folder, AnswerStore(Path(folder) / "answers.sqlite") as store:
        _ask_all(few, store, "few")
        before = _peak()
        began = time.perf_counter()
        _ask_all(more, store, "more")
        seconds = time.perf_counter() - began
    print(f"{more:,} questions: {_peak() - before:.0f} MB more than for {few:,} ({before:.0f} MB)")
    print(f"{1e3 * seconds / more:.2f} ms each, stored, parsed, gathered and written")


def _ask_all(number: int, store: AnswerStore, name: str) -> None:
    engine = AtOnce()
    outcomes = Outcomes(get_task(TASK), number, 1)
    questions = _made(number, engine.describe(), outcomes, name)
    asyncio.run(ask_missing(engine, store, questions, lambda one, answer, _: _parse(outcomes, one, answer)))
    table = pa.table({"material_id": pa.array(map(str, range(number))), "target": pa.array(np.zeros(number))})
    columns = outcomes.columns(store, SimpleNamespace(test=table))  # type: ignore[arg-type]
    write_predictions(store.path.with_name(f"{name}.parquet"), columns)


def _made(number: int, info: EngineInfo, outcomes: Outcomes, name: str = "") -> Iterator[Asked]:
    """Questions as a run makes them, of a text of 1,000 letters each."""
    system = Message(role="system", content="Answer with one JSON object. " * 20)
    for row in range(number):
        messages = (system, Message(role="user", content=f"{name} {row} " + "Fe2O3 " * 160))
        sha256 = messages_sha256(messages)
        outcomes.prompted(row, Prompt(messages, (), Cut(), None), sha256)
        question = Question(messages=messages)
        key = question.key(info, sha256)
        outcomes.asked(row, 0, key)
        yield Asked(row, 0, key, question)


def _parse(outcomes: Outcomes, asked: Asked, answer: Answer) -> None:
    outcomes.parse(asked.row, asked.sample, answer)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
