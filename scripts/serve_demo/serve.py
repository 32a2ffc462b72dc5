"""Serve the small model with `vllm serve` on the loopback interface, and say how to ask it.

    python scripts/serve_demo/serve.py                 serves until it is interrupted
    python scripts/serve_demo/serve.py -- COMMAND ...  serves while the command runs, which finds the server's address
                                                       in OPENAI_BASE_URL; exits as the command does, or with
                                                       75 where the server did not come up

`make serve-demo` sets up what it needs. Needs no more than Python itself.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

MODEL = "SmolLM2-135M-Instruct"
START_SECONDS = 1200.0
NOT_UP = 75
"""Exit status where the server did not come up for the command: the machine is not one for it."""
STOP_SECONDS = 30.0
OPTIONS = (
    # Few processors have bfloat16; the others compute it several times slower than float32.
    ("--dtype", "float32"),
    ("--enforce-eager",),
    ("--enable-prefix-caching",),
    ("--enable-prompt-tokens-details",),
    ("--generation-config", "vllm"),
)


def main() -> int:
    """Serve."""
    options, command = _read_arguments()
    url = f"http://127.0.0.1:{options.port}/v1"
    if MODEL in _models(url):
        print(f"{MODEL} is served at {url} already", flush=True)
        return _run(command, url) if command else 0
    if _taken(options.port):
        print(f"port {options.port} is taken by another program: give --port (make serve-demo PORT=...)")
        return 1
    options.log.parent.mkdir(parents=True, exist_ok=True)
    with options.log.open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - what this script itself names
            _command(options), stdout=log, stderr=subprocess.STDOUT, env=_environment(), start_new_session=True
        )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        print(f"starting vllm serve, which takes a minute or two; its log is {options.log}", flush=True)
        trouble = _wait(server, url)
        if trouble:
            print(f"{trouble}; the end of {options.log}:\n{_end_of(options.log)}", flush=True)
            return NOT_UP if command else 1
        print(f"{MODEL} is served at {url}. Ask it:\n\n    {_example(url)}\n", flush=True)
        if command:
            return _run(command, url)
        print("Ctrl-C stops it.", flush=True)
        server.wait()
        print(f"the server has ended; the end of {options.log}:\n{_end_of(options.log)}", flush=True)
        return 1
    except KeyboardInterrupt:
        print("stopping", flush=True)
        return 0
    finally:
        _stop(server)


def _read_arguments() -> tuple[argparse.Namespace, list[str]]:
    given = sys.argv[1:]
    own, command = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parser = argparse.ArgumentParser(description="Serve SmolLM2-135M-Instruct with vLLM on this machine.")
    parser.add_argument("--folder", type=Path, default=Path(f"build/{MODEL}-Q4_1"), help="folder of the model")
    parser.add_argument("--vllm", type=Path, default=Path(".venv-vllm/bin/vllm"), help="vLLM's command")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--log", type=Path, default=Path("build/serve-demo.log"))
    return parser.parse_args(own), command


def _command(options: argparse.Namespace) -> list[str]:
    fixed = [part for option in OPTIONS for part in option]
    place = ["--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(options.port)]
    return [str(options.vllm), "serve", str(options.folder), *place, *fixed]


def _environment() -> dict[str, str]:
    """A few gigabytes for the prefixes, no look at the Hub, nothing told to anyone."""
    own = {
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": "1200",
        # On a machine that others keep busy, a step of the model can take minutes: vLLM would end itself after five.
        "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": "3600",
    }
    return own | dict(os.environ)


def _wait(server: "subprocess.Popen[bytes]", url: str) -> str | None:
    """Wait until the model is there; say what is wrong if it does not come."""
    began = time.monotonic()
    while time.monotonic() - began < START_SECONDS:
        if server.poll() is not None:
            return f"vllm serve ended with status {server.returncode}"
        if MODEL in _models(url):
            print(f"ready after {time.monotonic() - began:.0f} s", flush=True)
            return None
        time.sleep(1)
    return f"vllm serve was not ready within {START_SECONDS:.0f} s"


def _models(url: str) -> list[str]:
    """Names of the models that are served there; none where nobody answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/models", timeout=5) as response:
            return [str(one["id"]) for one in json.load(response)["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _taken(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _run(command: list[str], url: str) -> int:
    own = os.environ | {"OPENAI_BASE_URL": url}
    return subprocess.run(command, check=False, env=own).returncode  # noqa: S603 - what the caller asks for


def _example(url: str) -> str:
    return f"llm4mat-bench prompt {MODEL} sample/band_gap --shots 5 --limit 20 --max-tokens 32 --base-url {url}"


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server with the processes that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
        except ProcessLookupError:
            return
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        time.sleep(1)  # the workers of a server that has ended go by themselves, unless they hang


if __name__ == "__main__":
    sys.exit(main())
