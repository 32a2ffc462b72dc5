"""The engine for a folder of transformers, with a model of random weights made here."""

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from tiny_llama import make_tiny_llama  # noqa: E402

from llm4mat_bench import get_task  # noqa: E402
from llm4mat_bench.errors import UsageError  # noqa: E402
from llm4mat_bench.metrics.results.verify import verify_results  # noqa: E402
from llm4mat_bench.prompting.engines.hf import LocalModel  # noqa: E402
from llm4mat_bench.prompting.engines.interface import Answer, EngineError, Question  # noqa: E402
from llm4mat_bench.prompting.messages import Message  # noqa: E402
from llm4mat_bench.prompting.run import PromptSettings, Spending, prompt_task  # noqa: E402
from llm4mat_bench.prompting.store import AnswerStore  # noqa: E402

QUESTION = Question(messages=(Message(role="user", content="how much is NaCl?"),), max_tokens=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama that reads bytes."""
    place = tmp_path_factory.mktemp("models") / "tiny-llama"
    return make_tiny_llama(place, seed=0, spoken=None, max_position_embeddings=2048, initializer_range=0.02)


def answer(engine: LocalModel, **changes: Any) -> Answer:
    return asyncio.run(engine.ask(QUESTION.model_copy(update=changes)))


def test_one_beginning_of_text_and_the_tokens_that_the_tokenizer_counts(folder: Path) -> None:
    engine = LocalModel(folder)
    found = answer(engine)
    written = "user: how much is NaCl?\nassistant: "
    assert found.prompt_tokens == 1 + len(written) == engine.counter().chat(QUESTION.messages)
    assert found.completion_tokens == 8 and found.finish_reason == "length"
    assert found.tokens is None


def test_greedy_answers_are_those_of_the_model(folder: Path) -> None:
    engine = LocalModel(folder)
    found = answer(engine, top_logprobs=5)
    assert found.text == answer(engine).text
    model = transformers.LlamaForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("<s>user: how much is NaCl?\nassistant: ", add_special_tokens=False, return_tensors="pt").input_ids
    with torch.inference_mode():
        likely = torch.log_softmax(model(ids).logits[0, -1], dim=-1)
    assert found.tokens is not None and len(found.tokens) == 8
    assert found.tokens[0].logprob == pytest.approx(float(likely.max()), abs=1e-4)
    assert max(found.tokens[0].others.values()) == found.tokens[0].logprob
    assert sum(math.exp(one) for one in found.tokens[0].others.values()) < 1


def test_draws_follow_the_seed_and_not_what_was_asked_before(folder: Path) -> None:
    engine = LocalModel(folder)
    first = answer(engine, temperature=1.0, seed=3).text
    other = answer(engine, temperature=1.0, seed=4).text
    assert answer(engine, temperature=1.0, seed=3).text == first != other


def test_stop_texts_end_an_answer(folder: Path) -> None:
    engine = LocalModel(folder)
    whole = answer(engine).text
    found = answer(engine, stop=(whole[2],))
    assert found.text == whole.partition(whole[2])[0]
    assert found.finish_reason == "stop"


def test_a_run_here(folder: Path, tmp_path: Path) -> None:
    engine = LocalModel(folder)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        run = prompt_task(
            engine,
            get_task("sample/is_stable"),
            "composition",
            tmp_path,
            store,
            settings=PromptSettings(max_tokens=4),
            limit=3,
            spending=Spending(keep_going=True),
        )
    assert run.record.model.id == "tiny-llama"
    assert run.record.model.parameters == sum(
        one.numel() for one in transformers.LlamaForCausalLM.from_pretrained(folder).parameters()
    )
    assert [one.faults for one in verify_results(tmp_path)] == [()]


def test_prompts_are_cut_to_the_models_context(folder: Path, tmp_path: Path) -> None:
    engine = LocalModel(folder)
    with AnswerStore(tmp_path / "answers.sqlite") as store:
        run = prompt_task(
            engine,
            get_task("sample/band_gap"),
            "cif",
            tmp_path,
            store,
            settings=PromptSettings(max_tokens=4, shots=2),
            limit=2,
        )
    assert run.record.fitted["shots_dropped"] == 4
    with pytest.raises(EngineError, match="more than the model's 2048"):
        answer(engine, max_tokens=2040)


def test_what_it_does_not_do(folder: Path, tmp_path: Path, call: Any) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        LocalModel(tmp_path)
    found = call("prompt", folder, "sample/band_gap", "--engine", "hf", "--structured", "--out", tmp_path)
    assert found.status == 2 and "--structured" in found.err
