"""One step of AdamW with its state and weights stored in fewer bytes, beside its peers on the CPU.

The first column says how many bytes a step has to read and write for each parameter. The last rows
say what memory gives: a copy, which reads one byte for each that it writes, and a product in place.
bitsandbytes and torchao are asked where they are installed; see README.md.
"""

import argparse
import importlib
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any  # arrays, and optimizers of libraries that may not be installed

import ml_dtypes
import numpy as np
import torch
from cpu_step import workload
from peers import LEARNING_RATE, Array, Candidate
from report import aligned, doubts, machine, shown_ratio, shown_time
from timing import OtherPrograms, elapsed, measure, settle_memory, spread

import ruleonce as ro

FUSED = "torch, fused"
BFLOAT16 = ml_dtypes.bfloat16
EIGHT = {"m": "int8", "v": "uint8_sqrt"}
OPTIONS = {"learning_rate": LEARNING_RATE, "weight_decay": 0.01}
LONG = 0.3  # seconds: a step that takes longer is timed in a few rounds alone


@dataclass(frozen=True)
class Kept:
    """How one of ours keeps its tensors; `bytes` is what a step moves for a parameter."""

    name: str
    bytes: int
    formats: Any = None
    weights: Any = np.float32
    gradient: Any = np.float32


OURS = (
    Kept("float32", 28),
    Kept("8 bits", 16, "8bit"),
    Kept("bfloat16+8", 26, {"w": "bfloat16+8"}, BFLOAT16),
    Kept("bfloat16+8, 8 bits", 14, {"w": "bfloat16+8", **EIGHT}, BFLOAT16),
    Kept(
        "bfloat16+8, 8 bits, bfloat16 gradients",
        12,
        {"w": "bfloat16+8", **EIGHT},
        BFLOAT16,
        BFLOAT16,
    ),
    Kept("bfloat16+16", 28, {"w": "bfloat16+16"}, BFLOAT16),
    Kept("all bfloat16", 14, None, BFLOAT16, BFLOAT16),
)
MOVED = {one.name: one.bytes for one in OURS} | {FUSED: 28, "a copy": 8, "a product in place": 8}


def candidates(start: Array, gradient: Array) -> Iterator[Candidate]:
    """The steps; our gradients are one array, torch's a copy of it."""
    for one in OURS:
        optimizer = ro.Optimizer(
            ro.rules.adamw, start.astype(one.weights), formats=one.formats, **OPTIONS
        )
        own = gradient.astype(one.gradient)
        yield Candidate(partial(optimizer.step, own), partial(masters, optimizer), name=one.name)
    yield torch_candidate(FUSED, start, gradient, partial(torch.optim.AdamW, fused=True))
    for library, module in (("bitsandbytes", "bitsandbytes.optim"), ("torchao", "torchao.optim")):
        name = f"{library}, AdamW8bit"
        try:
            made = importlib.import_module(module).AdamW8bit
            yield torch_candidate(name, start, gradient, made)
        except ImportError as missing:
            print(f"left out: {name}: {missing}")
    source, target = torch.from_numpy(start), torch.empty(start.size)
    yield Candidate(lambda: target.copy_(source), list, name="a copy")
    yield Candidate(lambda: target.mul_(1.0), list, name="a product in place")


def torch_candidate(name: str, start: Array, gradient: Array, made: Any) -> Candidate:
    """An optimizer over a tensor of PyTorch."""
    parameter = torch.nn.Parameter(torch.from_numpy(start).clone())
    parameter.grad = torch.from_numpy(gradient).clone()
    optimizer = made([parameter], lr=LEARNING_RATE, weight_decay=0.01)
    return Candidate(optimizer.step, lambda: [parameter.detach().numpy()], name=name)


def masters(optimizer: ro.Optimizer) -> list[Array]:
    """The weights, with their error bits where there are some."""
    return [optimizer.masters]


def checked(start: Array, all_: Sequence[Candidate]) -> None:
    """Three steps of each; they must come near to one another: nobody is timed for doing less."""
    expected = None
    for one in all_:
        for _ in range(3):
            one.step()
        if not (weights := one.weights()):
            continue
        moved = np.asarray(weights[0], np.float32) - start
        expected = moved if expected is None else expected
        apart = float(np.median(np.abs(moved - expected)))
        if apart > (5.0 if one.name == "all bfloat16" else 0.2) * LEARNING_RATE:
            raise SystemExit(f"{one.name} computes something else: {apart:g} apart.")


def table(all_: Sequence[Candidate], size: int) -> Iterator[list[str]]:
    """A row for each."""
    yield ["", "bytes", "time of a step", "GB/s", "torch fused takes"]
    by_name = {one.name: one for one in all_}
    for one in all_:
        bytes_ = MOVED.get(one.name)
        rate = "" if bytes_ is None else f"{bytes_ * size / statistics.median(one.times) / 1e9:.0f}"
        base = by_name[FUSED].times[: len(one.times)]
        ratio = shown_ratio([theirs / own for theirs, own in zip(base, one.times, strict=True)])
        yield [
            one.name,
            "" if bytes_ is None else str(bytes_),
            f"{shown_time(one.times)} ±{spread(one.times) if len(one.times) > 1 else 0:.0%}",
            rate,
            ratio if one.weights() else "",
        ]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=workload, default=workload("20M"), metavar="SIZE")
    parser.add_argument("--seconds", type=float, default=3.0, help="timed for each candidate")
    parser.add_argument("--rounds", type=int, default=31, help="that they are shared out over")
    given = parser.parse_args()
    _, size = given.size
    rng = np.random.default_rng(0)
    start = rng.normal(0, 1.0, size).astype(BFLOAT16).astype(np.float32)
    gradient = rng.normal(size=size).astype(BFLOAT16).astype(np.float32)
    print("\n".join(machine(("numpy", "llvmlite", "torch"))), flush=True)
    settle_memory()
    all_ = list(candidates(start, gradient))
    checked(start, all_)
    others = OtherPrograms()
    slow = [one for one in all_ if one.weights() and elapsed(one.step, 1) > LONG]
    measure([one for one in all_ if one not in slow], given.rounds, given.seconds)
    measure(slow, 3, 0.0)
    print(f"{size:,} elements; medians of {given.rounds} rounds, 3 for the slowest\n")
    print(aligned(list(table(all_, size))))
    print(*doubts({f"{size:,}": others.processors()}), sep="\n")


if __name__ == "__main__":
    main()
