"""What tests of asking share: a double of a server, and runs against it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_double import OpenAIDouble

from llm4mat_bench import get_task
from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
from llm4mat_bench.prompting.run import PromptRun, PromptSettings, prompt_task
from llm4mat_bench.prompting.store import AnswerStore


@pytest.fixture(autouse=True)
def no_key_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as running:
        yield running


Ask = Callable[..., PromptRun]


@pytest.fixture
def ask(server: OpenAIDouble, tmp_path: Path) -> Ask:
    """Make a run against the double, impatiently."""

    def run(task: str = "sample/band_gap", *, where: str = "here", **given: Any) -> PromptRun:
        settings = {name: given.pop(name) for name in PromptSettings.model_fields if name in given}
        engine_options = {name: given.pop(name) for name in ("timeout", "tries", "concurrency") if name in given}
        engine = OpenAIServer("tiny", server.url, **{"first_wait": 0.01, "tries": 3} | engine_options)
        folder = tmp_path / where
        with AnswerStore(folder / "answers.sqlite") as store:
            return prompt_task(
                engine,
                get_task(task),
                "composition",
                folder,
                store,
                settings=PromptSettings(**settings),
                **given,
            )

    return run
