"""Makes the engine that a call names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from ...errors import UsageError
from .interface import Engine, EngineName


class EngineChoice(BaseModel):
    """Which engine, and all that any of them may need.

    Attributes:
        name: See `EngineName`.
        model: Name of the model on the server or the Hub, or its folder.
        concurrency: Questions in flight; the engine's own number if None.
        base_url: Address of a server.
        key_name: Environment variable with its key.
        timeout: Seconds of a request.
        tries: How often a question is asked.
        rate: The most questions a minute that a server is asked.
        options: Arguments of vLLM's engine.
        ray_address: Of the Ray cluster.
        workers: Copies of the model on it.
        batch_folder: Where batch files are.
        batch_again: Write what a batch left unanswered into a new one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    model: str
    concurrency: int | None = None
    base_url: str | None = None
    key_name: str = "OPENAI_API_KEY"
    timeout: float = 300.0
    tries: int = 6
    rate: float | None = None
    options: Mapping[str, Any] = {}
    ray_address: str = "local"
    workers: int = 1
    batch_folder: Path = Path("batch")
    batch_again: bool = False


def make_engine(choice: EngineChoice) -> Engine:
    """Make an engine; nothing heavy is imported for the others.

    Raises:
        UsageError: There is no such engine, or what it needs is not installed or not given.
    """
    flights: dict[str, Any] = {} if choice.concurrency is None else {"concurrency": choice.concurrency}
    if choice.options and choice.name not in ("vllm", "ray"):
        raise UsageError(f"--engine-option: the engine {choice.name} has none; those of a server are given to it")
    if choice.rate is not None and choice.name != "openai":
        raise UsageError(f"--rate: the engine {choice.name} asks no server")
    if choice.name == "openai":
        from .openai_server import OpenAIServer

        return OpenAIServer(
            choice.model,
            choice.base_url,
            key_name=choice.key_name,
            timeout=choice.timeout,
            tries=choice.tries,
            rate=choice.rate,
            **flights,
        )
    if choice.name == "vllm":
        from .vllm_local import VllmModel

        return VllmModel(choice.model, options=choice.options, **flights)
    if choice.name == "ray":
        from .ray_workers import RayWorkers

        return RayWorkers(
            choice.model, address=choice.ray_address, workers=choice.workers, options=choice.options, **flights
        )
    if choice.name == "batch":
        from .batch_files import BatchFiles

        return BatchFiles(choice.model, choice.batch_folder, again=choice.batch_again)
    if choice.name == "hf":
        from .hf import LocalModel

        return LocalModel(Path(choice.model))
    raise UsageError(f"--engine {choice.name}: there are {', '.join(get_args(EngineName))}")
