"""One step of Adam with its state and weights stored in fewer bytes, beside torch's fused step.

The first column says how many bytes a step has to read and write for each parameter. The last rows
say what memory gives: a copy, which reads one byte for each that it writes.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from functools import partial

import ml_dtypes
import numpy as np
import torch
from cpu_step import workload
from peers import LEARNING_RATE, Array, Candidate
from report import aligned, doubts, machine, shown_ratio, shown_time
from timing import OtherPrograms, measure, ratios, settle_memory, spread

import ruleonce as ro

FUSED, COPY = "torch, fused", "a copy"
FORMATS = {
    "float32": (None, 28),
    "8bit": ("8bit", 16),
    "bfloat16+8": ({"w": "bfloat16+8"}, 26),
    "bfloat16+8, 8 bit": ({"w": "bfloat16+8", "m": "int8", "v": "uint8_sqrt"}, 14),
    "bfloat16+16": ({"w": "bfloat16+16"}, 28),
}


def candidates(start: Array, gradient: Array) -> Iterator[Candidate]:
    """The steps; our gradients are one array, torch's a copy of it."""
    for name, (formats, _) in FORMATS.items():
        narrow = isinstance(formats, dict)
        weights = start.astype(ml_dtypes.bfloat16) if narrow else start.copy()
        optimizer = ro.Adam(weights, learning_rate=LEARNING_RATE, formats=formats)
        yield Candidate(partial(optimizer.step, gradient), partial(masters, optimizer), name=name)
    parameter = torch.nn.Parameter(torch.from_numpy(start).clone())
    parameter.grad = torch.from_numpy(gradient).clone()
    fused = torch.optim.Adam([parameter], lr=LEARNING_RATE, fused=True)
    yield Candidate(fused.step, lambda: [parameter.detach().numpy()], name=FUSED)
    source, target = torch.from_numpy(start), torch.empty(start.size)
    yield Candidate(lambda: target.copy_(source), lambda: [target.numpy()], name=COPY)


def masters(optimizer: ro.Optimizer) -> list[Array]:
    """The weights, with their error bits where there are some."""
    return [optimizer.masters]


def checked(start: Array, all_: Sequence[Candidate]) -> None:
    """Three steps of each; they must come near to one another: nobody is timed for doing less."""
    expected = None
    for one in all_:
        for _ in range(3):
            one.step()
        if one.name == COPY:
            continue
        moved = np.asarray(one.weights()[0], np.float32) - start
        expected = moved if expected is None else expected
        apart = float(np.median(np.abs(moved - expected)))
        if apart > 0.2 * LEARNING_RATE:
            raise SystemExit(f"{one.name} computes something else: {apart:g} apart.")


def table(all_: Sequence[Candidate], size: int) -> Iterator[list[str]]:
    """A row for each."""
    yield ["", "bytes", "time of a step", "GB/s", "torch fused takes"]
    by_name = {one.name: one for one in all_}
    moved = {FUSED: 28, COPY: 8} | {name: number for name, (_, number) in FORMATS.items()}
    for one in all_:
        rate = moved[one.name] * size / statistics.median(one.times) / 1e9
        ratio = shown_ratio(ratios(by_name[FUSED], one))
        time = f"{shown_time(one.times)} ±{spread(one.times):.0%}"
        yield [
            one.name,
            str(moved[one.name]),
            time,
            f"{rate:.0f}",
            "" if one.name == COPY else ratio,
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
    start = rng.normal(0, 1.0, size).astype(ml_dtypes.bfloat16).astype(np.float32)
    gradient = rng.normal(size=size).astype(np.float32)
    print("\n".join(machine(("numpy", "llvmlite", "torch"))), flush=True)
    settle_memory()
    all_ = list(candidates(start, gradient))
    checked(start, all_)
    others = OtherPrograms()
    measure(all_, given.rounds, given.seconds)
    print(f"{size:,} elements; medians of {given.rounds} rounds\n")
    print(aligned(list(table(all_, size))))
    print(*doubts({f"{size:,}": others.processors()}), sep="\n")


if __name__ == "__main__":
    main()
