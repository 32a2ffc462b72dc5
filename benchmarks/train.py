"""How fast a text model is trained, beside a re-creation of the published loop, on the same rows, model and threads.

    OMP_NUM_THREADS=1 python benchmarks/train.py                     both length distributions, then the loss curves
    python benchmarks/train.py --mean-tokens 456 --steps 20
    python benchmarks/train.py --peak-tflops 495                     on a GPU: also MFU, against the peak you name
    python benchmarks/train.py --padding                             only what share of batches of 64 is padding

The model is T5-v1.1-small's encoder (8 layers, 512 wide, 35 million weights, random) with LLM-Prop's head. Texts are
token ids, their lengths drawn as in ``synthetic.py`` (log-normal) and scaled so that their mean, cut at 888 tokens, is
456 (as JARVIS's descriptions) or 203 (as QE-TB's).

- ``published``: everything padded to 888 tokens at the start, a fixed order, eager attention, float32, AdamW, one
  cycle; written anew after the published description of the loop, without its evaluation and its output;
- ``padded, SDPA``: the same with PyTorch's scaled dot product attention;
- ``ours``: `train_network`, what ``llm4mat-bench train llmprop`` calls: Trainer, batches of like length, checkpoints;
  in float32, and with ``--set precision=bfloat16`` where the processor has it.

Rows are drawn for a pool of 50 batches, as in training, sorted, and every so many batches one is taken, so that few
steps have the lengths of an epoch. Rates count true tokens, never padding: ours is measured by the token, those of the
padded loops, which cost the same whatever a text's length, by the row. On a machine that others use, wall time says
little: ``core-s`` is a second of processor time of the process, which on an idle machine with one thread is the same.
A first step is not counted, nor is validation. Batches are small, for eager attention on padded rows takes most of a
gigabyte a row; all loops take as many rows to a step.

The loss curves: small encoders of the same kind, where a step takes milliseconds, with both loops and several seeds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset
from transformers import T5Config, T5EncoderModel, set_seed
from transformers.utils import logging

from llm4mat_bench.baselines.text.batches import POOL_BATCHES, Collate, order_of, pad
from llm4mat_bench.baselines.text.fine_tune import has_bfloat16
from llm4mat_bench.baselines.text.fitted import logits_of
from llm4mat_bench.baselines.text.llmprop import Settings
from llm4mat_bench.baselines.text.network import CrystalNetwork
from llm4mat_bench.baselines.text.settings import TextSettings
from llm4mat_bench.baselines.text.training import Scale, head_error, train_network

LONGEST = 888
OURS = {"ours": "float32", "ours, bfloat16": "bfloat16"}
VOCABULARY = 32_128
SPREAD = 0.8  # of the logarithm of lengths, as in synthetic.py
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Timed(NamedTuple):
    """What some steps took: true tokens, rows, seconds of the wall and of the processor."""

    tokens: int
    rows: int
    wall: float
    processor: float


class Step(NamedTuple):
    """The clocks at the end of a step."""

    wall: float
    processor: float


def small(**changes: int) -> T5Config:
    """T5-v1.1-small, or a smaller one."""
    given = {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_heads": 6, "vocab_size": VOCABULARY}
    return T5Config(**{**given, **changes}, feed_forward_proj="gated-gelu", tie_word_embeddings=False, dropout_rate=0.1)


def network_of(config: T5Config, attention: str, seed: int) -> CrystalNetwork:
    """An encoder with random weights, and LLM-Prop's head."""
    set_seed(seed)
    encoder = T5EncoderModel._from_config(config, attn_implementation=attention)
    return CrystalNetwork(encoder, "cls", 0.5, classes=False).to(DEVICE)


def lengths_of(mean: float, count: int, seed: int) -> NDArray[np.int32]:
    """Lengths whose mean is ``mean`` after a cut at 888 tokens."""
    drawn = np.random.default_rng(seed).lognormal(0.0, SPREAD, count)
    low, high = 1.0, 10.0 * LONGEST
    for _ in range(60):
        scale = (low + high) / 2
        low, high = (scale, high) if np.clip(drawn * scale, 8, LONGEST).mean() < mean else (low, scale)
    return np.clip(drawn * low, 8, LONGEST).astype(np.int32)


def stratified(lengths: NDArray[np.int32], batch: int, steps: int) -> NDArray[np.int32]:
    """The lengths of ``steps`` batches, spread evenly over the sorted ones."""
    ordered = np.sort(lengths)[: len(lengths) // batch * batch].reshape(-1, batch)
    places = (np.arange(steps) + 0.5) * len(ordered) / steps
    return ordered[places.astype(int)].ravel()


def padding(mean: float, batch: int = 64) -> dict[str, float]:
    """What share of the tokens that go through the model are padding: the most that packing could save."""
    lengths = lengths_of(mean, batch * POOL_BATCHES, seed=0)
    orders = {
        "like lengths (ours)": order_of(lengths, batch, 0, 0),
        "any order": np.random.default_rng(1).permutation(len(lengths)),
    }
    found = {}
    for name, order in orders.items():
        batches = lengths[order].reshape(-1, batch)
        found[name] = 1 - float(lengths.sum()) / float(batches.max(axis=1).sum() * batch)
    return {**found, f"all to {LONGEST}": 1 - float(lengths.mean()) / LONGEST}


def rows_of(lengths: NDArray[np.int32], seed: int, vocabulary: int = VOCABULARY) -> datasets.Dataset:
    """Rows of random tokens; the target is the share of one of them, which can be learnt."""
    random = np.random.default_rng(seed)
    ids, targets = [], []
    for length in lengths.tolist():
        share = random.random()
        ids.append(np.where(random.random(length) < share, 5, random.integers(10, vocabulary, length)).tolist())
        targets.append(share)
    features = datasets.Features(
        input_ids=datasets.List(datasets.Value("int32")),
        length=datasets.Value("int32"),
        target=datasets.Value("float64"),
    )
    return datasets.Dataset.from_dict({"input_ids": ids, "length": lengths, "target": targets}, features=features)


def scale_of(rows: datasets.Dataset) -> Scale:
    """Mean and deviation of the targets."""
    targets = np.asarray(rows["target"][:])
    return Scale(mean=float(targets.mean()), deviation=float(targets.std()))


def now() -> Step:
    """The clocks, when all that was asked of the device is done."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return Step(time.perf_counter(), time.process_time())


def published_loop(network: CrystalNetwork, rows: datasets.Dataset, longest: int, settings: TextSettings) -> list[Step]:
    """The published loop: padded to the longest that may be, in the order of the rows, the same in every epoch."""
    scale = scale_of(rows)
    padded = pad([*rows["input_ids"][:], [1] * longest], 0)  # the last only sets the width
    labels = torch.tensor((np.asarray(rows["target"][:]) - scale.mean) / scale.deviation, dtype=torch.float32)
    data = TensorDataset(padded["input_ids"][:-1], padded["attention_mask"][:-1], labels)
    loader = DataLoader(data, batch_size=settings.batch_size, shuffle=False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, eps=1e-6, weight_decay=0.0)
    steps = len(loader) // settings.gradient_accumulation * settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps, pct_start=0.3)
    network.train()
    # Not timed: what PyTorch does once, on a text of a few tokens.
    network(padded["input_ids"][:1, :8].to(DEVICE), padded["attention_mask"][:1, :8].to(DEVICE), labels[:1].to(DEVICE))[
        "loss"
    ].backward()
    optimizer.step()
    optimizer.zero_grad()
    ends = [now()]
    for _ in range(settings.epochs):
        for number, (ids, mask, wanted) in enumerate(loader, 1):
            loss = network(ids.to(DEVICE), mask.to(DEVICE), wanted.to(DEVICE))["loss"]
            (loss / settings.gradient_accumulation).backward()
            if number % settings.gradient_accumulation:
                continue
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            ends.append(now())
    return ends


def our_loop(
    network: CrystalNetwork, rows: datasets.Dataset, held_out: datasets.Dataset, settings: TextSettings, seed: int
) -> list[Step]:
    """What ``train`` does."""
    ends: list[Step] = []

    def progress(*_: object) -> None:
        ends.append(now())

    scale = scale_of(rows)
    with tempfile.TemporaryDirectory() as work:
        train_network(
            network,
            rows,
            settings=settings,
            collate=Collate(0, scale.mean, scale.deviation),
            score=partial(head_error, rows=held_out, scale=scale, pad_id=0, precision=settings.precision),
            seed=seed,
            work=Path(work),
            progress=progress,
        )
    return ends


def timed(ends: list[Step], counted: list[NDArray[np.int32]]) -> Timed:
    """From the first clock to the last, and the batches that lie between."""
    wall, processor = ends[-1].wall - ends[0].wall, ends[-1].processor - ends[0].processor
    return Timed(sum(int(one.sum()) for one in counted), sum(len(one) for one in counted), wall, processor)


def useful_flops(config: T5Config, lengths: NDArray[np.int32]) -> float:
    """Of a training step on true tokens: three times the forward pass, products of matrices only."""
    inner = config.num_heads * config.d_kv
    layer = 4 * config.d_model * inner + 3 * config.d_model * config.d_ff
    n = lengths.astype(float)
    return float(3 * config.num_layers * (2 * layer * n + 4 * inner * n * n).sum())


def speed(arguments: argparse.Namespace, mean: float) -> dict[str, Any]:
    """One length distribution."""
    batch, config, group = arguments.batch, small(), arguments.accumulate
    settings = Settings(model_id="random", epochs=1, batch_size=batch, gradient_accumulation=group)
    pool = lengths_of(mean, batch * POOL_BATCHES, seed=0)
    ours = stratified(pool, batch, (arguments.steps + 1) * group)
    held_out = rows_of(pool[:batch], seed=2)
    order = order_of(ours, batch, 0, 0)
    in_order = [ours[order[at : at + batch]] for at in range(0, len(order), batch)]
    found = {}
    for name, precision in OURS.items():
        if precision == "float32" or has_bfloat16():
            exact = settings.model_copy(update={"precision": precision})
            network = network_of(config, "sdpa", 0)
            found[name] = timed(our_loop(network, rows_of(ours, 1), held_out, exact, seed=0), in_order)
    few = stratified(pool, batch, arguments.padded_steps * group)
    random_order = np.random.default_rng(3).permutation(few)
    batches = [random_order[at : at + batch] for at in range(0, len(few), batch)]
    for name, attention in (("padded, SDPA", "sdpa"), ("published", "eager")):
        ends = published_loop(network_of(config, attention, 0), rows_of(random_order, 1), LONGEST, settings)
        found[name] = timed(ends, batches)
    table = []
    for name, one in found.items():
        rows = one.tokens / float(pool.mean()) if name in OURS else one.rows
        row = {
            "loop": name,
            "steps": one.rows // (batch * group),
            "rows_a_core_second": rows / one.processor,
            "tokens_a_core_second": rows / one.processor * float(pool.mean()),
            "rows_a_second": rows / one.wall,
        }
        if arguments.peak_tflops:
            row["mfu"] = useful_flops(config, pool) / len(pool) * row["rows_a_second"] / (arguments.peak_tflops * 1e12)
        table.append(row)
    for row in table:
        row["ratio"] = row["rows_a_core_second"] / table[-1]["rows_a_core_second"]
        row["ratio_wall"] = row["rows_a_second"] / table[-1]["rows_a_second"]
    return {"mean_tokens": float(pool.mean()), "batch": f"{group} x {batch}", "loops": table}


def curves(seeds: int, epochs: int) -> dict[str, Any]:
    """Validation error of both loops on small encoders, by seed."""
    config = small(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, vocab_size=200)
    settings = Settings(model_id="random", epochs=epochs, batch_size=16, learning_rate=3e-3)
    lengths = np.random.default_rng(5).integers(8, 64, 320).astype(np.int32)
    rows, held_out = rows_of(lengths, 6, 200), rows_of(lengths[:160], 7, 200)

    def error(network: CrystalNetwork) -> float:
        scale = scale_of(rows)
        said = logits_of(network, held_out["input_ids"][:], 0, "float32") * scale.deviation + scale.mean
        return float(np.abs(said - np.asarray(held_out["target"][:])).mean())

    loops: dict[str, Callable[[CrystalNetwork, int], object]] = {
        "published": lambda network, _: published_loop(network, rows, 64, settings),
        "ours": lambda network, seed: our_loop(network, rows, held_out, settings, seed),
    }
    found: dict[str, list[float]] = {}
    for name, loop in loops.items():
        for seed in range(seeds):
            network = network_of(config, "eager" if name == "published" else "sdpa", seed)
            loop(network, seed)
            found.setdefault(name, []).append(error(network))
    baseline = float(np.abs(np.asarray(held_out["target"][:]) - scale_of(rows).mean).mean())
    return {"epochs": epochs, "steps": epochs * 20, "error_of_the_mean": baseline, "validation_error": found}


def print_speed(found: dict[str, Any], threads: int) -> None:
    """One table."""
    print(f"\nmean {found['mean_tokens']:.0f} tokens, steps of {found['batch']} rows, {threads} threads, {DEVICE}")
    print(f"{'loop':14}{'steps':>6}{'rows/core-s':>13}{'tokens/core-s':>15}{'ratio':>8}{'wall ratio':>12}{'MFU':>8}")
    for row in found["loops"]:
        mfu = f"{row['mfu']:8.1%}" if "mfu" in row else f"{'–':>8}"
        print(
            f"{row['loop']:14}{row['steps']:6}{row['rows_a_core_second']:13.3f}"
            f"{row['tokens_a_core_second']:15.0f}{row['ratio']:8.2f}{row['ratio_wall']:12.2f}{mfu}",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mean-tokens", type=float, nargs="*", default=[456.0, 203.0])
    parser.add_argument("--steps", type=int, default=5, help="of ours, after a first that is not counted")
    parser.add_argument("--padded-steps", type=int, default=1, help="of the padded loops, all of the same cost")
    parser.add_argument("--batch", type=int, default=4, help="rows at a time")
    parser.add_argument("--accumulate", type=int, default=1, help="batches to a step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak-tflops", type=float, help="of the GPU in this precision, for MFU")
    parser.add_argument("--curve-seeds", type=int, default=4, help="0 leaves the loss curves out")
    parser.add_argument("--curve-epochs", type=int, default=10)
    parser.add_argument("--padding", action="store_true", help="only the share of padding, of batches of 64")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.padding:
        shares = {f"{mean:.0f}": padding(mean) for mean in arguments.mean_tokens}
        if arguments.json:
            print(json.dumps(shares))
        for mean, parts in shares.items() if not arguments.json else ():
            print(f"mean {mean} tokens: " + ", ".join(f"{name} {share:.1%}" for name, share in parts.items()))
        return
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    torch.set_num_threads(arguments.threads)
    answer: dict[str, Any] = {"device": str(DEVICE), "threads": arguments.threads, "speed": []}
    for mean in arguments.mean_tokens:
        answer["speed"].append(speed(arguments, mean))
        if not arguments.json:
            print_speed(answer["speed"][-1], arguments.threads)
    if arguments.curve_seeds:
        answer["curves"] = found = curves(arguments.curve_seeds, arguments.curve_epochs)
        if not arguments.json:
            print(
                f"\nvalidation error after {found['steps']} steps (the mean answers {found['error_of_the_mean']:.4f})"
            )
            for name, errors in found["validation_error"].items():
                print(f"{name:14}{' '.join(f'{error:.4f}' for error in errors)}   mean {np.mean(errors):.4f}")
    if arguments.json:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
