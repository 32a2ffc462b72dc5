"""How long it takes to read stored answers again.

    python benchmarks/parse.py [--answers 100000]

Reads the answers of tests/data/answers.yaml over and over, beside the published rules on the same answers; then the
same number of them from a store, by their keys, as a run with a new parser does; and a megabyte of digits.
"""

import argparse
import hashlib
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import yaml

from llm4mat_bench.dataset_builder.catalogue import get_task
from llm4mat_bench.prompting.engines.interface import Answer
from llm4mat_bench.prompting.parser import PARSER_VERSION, parse_answer
from llm4mat_bench.prompting.published_parser import parse_published
from llm4mat_bench.prompting.store import STORE_FILE, AnswerStore

LIST = Path(__file__).resolve().parents[1] / "tests" / "data" / "answers.yaml"


def main() -> None:
    """Measure processor time, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    count = parser.parse_args().answers
    groups = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    known = [(get_task(group["task"]), text) for group in groups for _, _, text in group["answers"]]
    for task, text in known:  # the words of every task are made once
        parse_answer(text, task)
    seconds = {}
    for name, read in (("parser " + PARSER_VERSION, parse_answer), ("published rules", parse_published)):
        started = time.process_time()
        for task, text in islice(cycle(known), count):
            read(text, task)
        seconds[name] = time.process_time() - started
        print(f"{name:16} {count:,} answers in {seconds[name]:.2f} s, {seconds[name] / count * 1e6:.0f} µs each")
    ours, published = seconds.values()
    print(f"{ours / published:.1f} times the published rules")
    keys = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, AnswerStore(Path(folder) / STORE_FILE) as store:
        for key, (_, text) in zip(keys, cycle(known)):
            store.put(
                key, Answer(text=text, finish_reason="stop", prompt_tokens=300, completion_tokens=12, latency=1.0)
            )
        started = time.process_time()
        for key, (task, _) in zip(keys, cycle(known)):
            answer = store.get(key)
            assert answer is not None
            parse_answer(answer.text, task, finish_reason="stop")
        print(f"from a store {count:,} answers in {time.process_time() - started:.2f} s")
    started = time.process_time()
    parse_answer("1," * 500_000, "mp/band_gap")
    print(f"a megabyte of digits and commas: {time.process_time() - started:.3f} s")


if __name__ == "__main__":
    main()
