"""vLLM in process: with a double of it everywhere, and with vLLM itself and a small model where both are there.

The environment that `make serve-demo` sets up has both:

    .venv-vllm/bin/python -m pytest tests/prompting/test_vllm_engine.py
"""

import asyncio
import dataclasses
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import vllm_double

from llm4mat_bench import get_task
from llm4mat_bench.metrics.results.verify import verify_results
from llm4mat_bench.prompting.engines.interface import Answer, EngineError, Question
from llm4mat_bench.prompting.engines.vllm_local import VllmModel
from llm4mat_bench.prompting.messages import Message
from llm4mat_bench.prompting.run import PromptSettings, prompt_task
from llm4mat_bench.prompting.store import AnswerStore

SMALL = Path(__file__).parent.parent.parent / "build" / "SmolLM2-135M-Instruct-Q4_1"
HERE = importlib.util.find_spec("vllm") is not None
real = pytest.mark.skipif(not (HERE and SMALL.is_dir()), reason="vLLM and the small model: make serve-demo")
ON_A_PROCESSOR = {"dtype": "float32", "enforce_eager": True, "max_model_len": 2048}


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    vllm_double.install(monkeypatch)


def question(text: str, **changes: Any) -> Question:
    return Question(messages=(Message(role="user", content=text),), **changes)


def answers(engine: VllmModel, *questions: Question) -> list[Any]:
    async def gather() -> list[Any]:
        async with engine:
            return await asyncio.gather(*(engine.ask(one) for one in questions), return_exceptions=True)

    return asyncio.run(gather())


def test_answers_come_to_their_questions_whatever_their_order(double: None) -> None:
    engine = VllmModel("org/tiny")
    texts = [f"question {number}" for number in range(30)]
    together = answers(engine, *map(question, texts))
    assert engine._llm.llm_engine.most > 2, "they are answered together"
    alone = [answers(engine, question(text))[0] for text in texts[:4]]
    assert [one.text for one in together[:4]] == [one.text for one in alone]
    assert together[0].prompt_tokens == 3 and together[0].completion_tokens == 3 and together[0].cached_tokens == 3


def test_what_is_asked_is_said_in_the_words_of_vllm(double: None) -> None:
    engine = VllmModel("org/tiny")
    schema = {"type": "object"}
    extra = {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}}
    one = question(
        "q", temperature=0.7, top_p=0.9, seed=4, stop=("\n",), max_tokens=9, answer_schema=schema, extra=extra
    )
    answers(engine, one)
    (seen,) = vllm_double.SEEN
    sampling = seen["sampling"]
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.max_tokens) == (0.7, 0.9, 4, 9)
    assert sampling.stop == ["\n"] and sampling.structured_outputs.json == schema and sampling.top_k == 5
    assert seen["chat"] == {"enable_thinking": False} and sampling.logprobs is None


def test_probabilities_of_classes(double: None, tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        run = prompt_task(VllmModel("t"), get_task("sample/is_stable"), "composition", tmp_path, store, limit=12)
    assert run.record.metrics.score_kind == "probability" and run.record.fitted["engine"]["engine"] == "vllm"
    assert [one.faults for one in verify_results(tmp_path)] == [()]


def test_one_loaded_model_serves_all_runs_and_is_named_by_what_changes_answers(double: None, tmp_path: Path) -> None:
    engine = VllmModel("org/tiny", options={"dtype": "float32", "enforce_eager": True, "max_num_seqs": 8})
    assert engine.describe().revision == "as served dtype=float32"
    assert VllmModel("org/tiny").describe().revision == "as served dtype=bfloat16", "which vLLM chose"
    loaded = engine._llm
    for task in ("sample/band_gap", "sample/density"):
        with AnswerStore(tmp_path / "answers.sqlite") as store:
            prompt_task(
                engine,
                get_task(task),
                "composition",
                tmp_path,
                store,
                limit=10,
                settings=PromptSettings(context=600, max_tokens=20),
            )
    assert engine._llm is loaded and loaded.options["enable_prefix_caching"] is True


def test_a_dead_engine_stops_the_run_with_a_line_and_keeps_the_answers(double: None, tmp_path: Path) -> None:
    engine = VllmModel("org/tiny", concurrency=4)
    engine.describe()
    engine._llm.llm_engine.dies_after = 3
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        with pytest.raises(EngineError, match="vLLM has stopped: RuntimeError: EngineCore died"):
            prompt_task(engine, get_task("sample/band_gap"), "composition", tmp_path, store, limit=40)
        assert 4 <= len(list(store.answers())) <= 6
        engine._llm.llm_engine.dies_after = None
        engine._llm.llm_engine.waiting.clear()
        run = prompt_task(engine, get_task("sample/band_gap"), "composition", tmp_path, store, limit=40)
    assert run.record.fitted["parse_status"] == {"json": 40} and run.summary["asked_now"] <= 36


def test_mistakes_are_told_in_a_line(
    double: None, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="vLLM cannot load t: ValueError: Unknown dtype"):
        VllmModel("t", options={"dtype": "nonsense"}).describe()
    with pytest.raises(EngineError, match=r"root cause above.*--engine-option gpu_memory_utilization=0\.5"):
        VllmModel("t", options={"gpu_memory_utilization": 5}).describe()
    with pytest.raises(EngineError, match="trust_remote_code: code that comes with a model is never run"):
        VllmModel("t", options={"trust_remote_code": True})
    engine = VllmModel("t")
    long, wrong, own = answers(
        engine, question("word " * 3000), question("q", extra={"nonsense": 1}), question("q", extra={"seed": 1})
    )
    assert "--context" in str(long) and "--body" in str(wrong) and "there is an option for it" in str(own)
    monkeypatch.setitem(sys.modules, "vllm", None)
    found = call("prompt", "t", "sample/band_gap", "--engine", "vllm", "--out", tmp_path)
    assert found.status != 0 and "llm4mat-bench[vllm]" in found.err and "Traceback" not in found.err


@pytest.mark.skipif(not HERE, reason="vLLM")
def test_the_double_has_the_signatures_of_vllm() -> None:
    import vllm
    from vllm.logprobs import Logprob
    from vllm.outputs import CompletionOutput, RequestOutput
    from vllm.sampling_params import StructuredOutputsParams
    from vllm.v1.engine.llm_engine import LLMEngine

    pairs: list[tuple[Any, Any]] = [
        (vllm_double.LLM.enqueue_chat, vllm.LLM.enqueue_chat),
        (vllm_double.LLM.__init__, vllm.LLM.__init__),
        (vllm_double.LLM.get_tokenizer, vllm.LLM.get_tokenizer),
        (vllm_double.SamplingParams.__init__, vllm.SamplingParams),
        (vllm_double.StructuredOutputsParams.__init__, StructuredOutputsParams),
        (vllm_double.LLMEngine.step, LLMEngine.step),
        (vllm_double.LLMEngine.abort_request, LLMEngine.abort_request),
    ]
    for double, actual in pairs:
        missing = set(inspect.signature(double).parameters) - set(inspect.signature(actual).parameters) - {"self"}
        assert not missing, f"{actual} has no {missing}"
    assert {one.name for one in dataclasses.fields(vllm_double.CompletionOutput)} <= {
        one.name for one in dataclasses.fields(CompletionOutput)
    }
    assert {one.name for one in dataclasses.fields(vllm_double.Logprob)} <= {
        one.name for one in dataclasses.fields(Logprob)
    }
    wanted = {one.name for one in dataclasses.fields(vllm_double.RequestOutput)}
    assert wanted <= set(inspect.signature(RequestOutput.__init__).parameters)


@pytest.fixture(scope="module")
def small() -> VllmModel:
    engine = VllmModel(str(SMALL), options=ON_A_PROCESSOR)
    engine.describe()
    return engine


@real
def test_the_small_model_answers_as_transformers_computes_it(small: VllmModel) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    one = question("Is sodium chloride stable?", max_tokens=8, top_logprobs=5)
    (found,) = answers(small, one)
    assert isinstance(found, Answer) and found.tokens is not None and len(found.tokens) == 8
    tokenizer = AutoTokenizer.from_pretrained(SMALL)
    ids = tokenizer.apply_chat_template(
        [one.messages[0].model_dump()], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    assert found.prompt_tokens == ids.shape[1] == small.counter().chat(one.messages)
    with torch.inference_mode():
        likely = torch.log_softmax(AutoModelForCausalLM.from_pretrained(SMALL)(ids).logits[0, -1].float(), dim=-1)
    assert found.tokens[0].logprob == pytest.approx(float(likely.max()), abs=0.01)
    assert max(found.tokens[0].others.values()) == pytest.approx(float(likely.max()), abs=0.01)


@real
def test_the_small_model_is_held_to_a_schema_and_cut_where_it_is_told(small: VllmModel) -> None:
    schema = {
        "type": "object",
        "properties": {"is_stable": {"enum": ["True", "False"]}},
        "required": ["is_stable"],
        "additionalProperties": False,
    }
    held, again, long = answers(
        small,
        question("Is NaCl stable?", max_tokens=60, answer_schema=schema),
        question("Is NaCl stable?", max_tokens=60, answer_schema=schema),
        question("word " * 5000),
    )
    assert held.text == again.text and '"is_stable"' in held.text and held.finish_reason == "stop"
    assert isinstance(long, EngineError) and "--context" in str(long)
