"""Kills a run at random moments, again and again, and compares it with one that nobody disturbs.

    python benchmarks/kills.py [--kills 50] [--seed 0] [--in-flight 4]

Asks the sample's formation energies of the double of a server that the tests have. Each process that asks is killed
(SIGKILL) some answers after it began, and the next one goes on; the one after the last kill is left to end. Looked at
after each kill: is every answer that was acknowledged, that is, for which the store's `put` had returned, still there;
how many questions were asked again. At the end: are predictions and scores those of the undisturbed run. Status 1: no.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from llm4mat_bench import get_task
from llm4mat_bench.metrics.results.predictions import answers_sha256, read_predictions
from llm4mat_bench.metrics.results.record import PREDICTIONS_FILE, read_record
from llm4mat_bench.metrics.results.verify import find_runs, verify_results
from llm4mat_bench.prompting.engines.interface import Answer
from llm4mat_bench.prompting.engines.openai_server import OpenAIServer
from llm4mat_bench.prompting.run import prompt_task
from llm4mat_bench.prompting.store import STORE_FILE, AnswerStore

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "doubles"))
from openai_double import OpenAIDouble  # type: ignore[import-not-found]

TASK = get_task("sample/formation_energy_per_atom")  # read here, and so before a process is forked
DELAY = 0.02
"""Seconds that the server takes."""
LATE = 0.05
"""A kill comes up to so many seconds after the request that it waited for."""


class Telling(AnswerStore):
    """The store, which tells another file of each answer once it is kept."""

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, then say so."""
        super().put(key, answer)
        with self.path.with_name("acknowledged").open("a") as file:
            file.write(key + "\n")


def ask(url: str, results: Path, in_flight: int) -> None:
    """Make the run, or go on with it."""
    engine = OpenAIServer("tiny", url, concurrency=in_flight)
    with Telling(results / STORE_FILE) as store:
        prompt_task(engine, TASK, "composition", results, store)


def main() -> int:
    """Kill, look, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=4)
    given = parser.parse_args()
    # Processes are forked from one that has read the libraries and has no threads: a start takes no seconds.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["__main__", "datasets", "aiohttp", "pyarrow.parquet"])
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder, OpenAIDouble(delay=DELAY) as server:
        sound, killed = Path(folder) / "sound", Path(folder) / "killed"
        for results in (sound, killed):
            results.mkdir()
        ask(server.url, sound, given.in_flight)
        questions = len(server.asked)
        server.asked.clear()
        server.bodies.clear()
        faults: list[str] = []
        again, most = 0, 0
        for kill in range(1, given.kills + 1):
            # On the average all questions are through at the last kill, so that kills meet every part of a run.
            goal = len(server.bodies) + chance.randrange(2 * questions // given.kills)
            process = processes.Process(target=ask, args=(server.url, killed, given.in_flight))
            process.start()
            while len(server.bodies) < goal and process.is_alive():
                time.sleep(0.001)
            time.sleep(chance.random() * LATE)
            process.kill()
            process.join()
            time.sleep(2 * DELAY)  # the server ends what it was about
            lost = acknowledged(killed) - stored(killed)
            if lost:
                faults.append(f"kill {kill}: {len(lost)} acknowledged answers are gone")
            asked_twice = sum(server.asked.values()) - len(server.asked)
            most = max(most, asked_twice - again)
            again = asked_twice
            print(f"{kill} kills, {len(server.asked)} of {questions} questions, {again} again", file=sys.stderr)
        process = processes.Process(target=ask, args=(server.url, killed, given.in_flight))
        process.start()
        process.join()
        again = sum(server.asked.values()) - len(server.asked)
        if again > given.kills * given.in_flight:
            faults.append("more questions were asked again than were in flight")
        if outcome(sound) != outcome(killed):
            faults.append("the predictions are others than those of the run that nobody disturbed")
        faults += [fault for one in verify_results(killed) for fault in one.faults]
        kept = len(stored(killed))
    print(f"{given.kills} kills, {questions} questions, {given.in_flight} in flight")
    print(f"{kept} answers are kept; {again} questions were asked again, at most {most} after one kill")
    print("\n".join(faults) or "no acknowledged answer is gone, and the predictions are those of the undisturbed run")
    return int(bool(faults))


def acknowledged(results: Path) -> set[str]:
    """Keys of the answers of which the run was told that they are kept."""
    path = results / "acknowledged"
    return set(path.read_text().split()) if path.is_file() else set()


def stored(results: Path) -> set[str]:
    """Keys of the answers that are kept."""
    if not (results / STORE_FILE).is_file():
        return set()
    with AnswerStore(results / STORE_FILE) as store:
        return {key for key, _ in store.answers()}


def outcome(results: Path) -> tuple[str, str]:
    """What came of the one run: its answers, and its scores."""
    (run,) = find_runs(results)
    answers = answers_sha256(read_predictions(run / PREDICTIONS_FILE, "regression").by_id())
    return answers, read_record(run / "result.json").metrics.model_dump_json()


if __name__ == "__main__":
    os.environ.pop("OPENAI_API_KEY", None)
    sys.exit(main())
