"""How the time of a step in PyTorch is taken: in each situation, by rounds, as timing.py says."""

import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from time import perf_counter
from typing import Protocol

import torch
from peers import Candidate, Step
from timing import steps_in, wait_until_quiet
from torch_peers import TorchCandidate

ALONE = "alone"
AFTER_PRODUCT = "right after a matrix product"
DEVICE = "one step after the other"
HOST = "until the call returns, with nothing under way"

COPY = "copy"
IN_PLACE = "multiply in place"
MEASURES = (COPY, IN_PLACE)

Times = dict[str, Candidate]  # by name

_LARGE = 1 << 26  # elements of float32: more than any cache holds
MEASURE_BYTES = 2 * 4 * _LARGE  # read and written
_SIDE = 512  # of the matrices: their product takes a millisecond or two, on all threads


@dataclass(frozen=True)
class Situation:
    """Where a step is taken.

    settle         before a block of steps
    take           so many steps of a candidate -> the seconds that they took
    has_measures   whether the speed of memory is measured beside the steps
    """

    name: str
    settle: Step
    take: Callable[[TorchCandidate, int], float]
    has_measures: bool


class Event(Protocol):
    """torch.cuda.Event, with timing."""

    def record(self) -> object:
        """Note the time when the device comes here."""

    def elapsed_time(self, end: "Event") -> float:
        """The milliseconds to another."""


def measures(device: str) -> list[TorchCandidate]:
    """What the memory can do, as candidates: a large tensor is copied, and is multiplied by 1.

    On a CPU a copy is no upper limit: the processor reads each line that it writes, though nobody
    needs what stood there. What a step writes it has read, as the multiplication has.
    """
    source = torch.ones(_LARGE, device=device)
    target = torch.ones_like(source)
    return [
        TorchCandidate(partial(target.copy_, source), [], name=COPY),
        TorchCandidate(partial(source.mul_, 1.0), [], name=IN_PLACE),
    ]


def situations(device: str) -> list[Situation]:
    """Those that are measured on a device."""
    return _on_gpu() if device == "cuda" else _on_cpu()


def _on_cpu() -> list[Situation]:
    left, right = torch.rand(2, _SIDE, _SIDE)
    target = torch.empty(_SIDE, _SIDE)
    multiply = partial(torch.mm, left, right, out=target)

    def after_product(candidate: TorchCandidate, count: int) -> float:
        def before() -> None:
            candidate.before()
            multiply()

        return each(candidate.step, before, count)

    def alone(candidate: TorchCandidate, count: int) -> float:
        return each(candidate.step, candidate.before, count)

    return [
        Situation(ALONE, wait_until_quiet, alone, has_measures=True),
        Situation(AFTER_PRODUCT, wait_until_quiet, after_product, has_measures=False),
    ]


def _on_gpu() -> list[Situation]:
    synchronize = torch.cuda.synchronize
    event = partial(torch.cuda.Event, enable_timing=True)

    def device(candidate: TorchCandidate, count: int) -> float:
        return between(candidate.step, count, event, synchronize)

    def host(candidate: TorchCandidate, count: int) -> float:
        return each(candidate.step, synchronize, count)

    return [
        Situation(DEVICE, synchronize, device, has_measures=True),
        Situation(HOST, synchronize, host, has_measures=False),
    ]


def each(step: Step, before: Step, count: int) -> float:
    """The seconds that `count` steps take, without what is done before each."""
    taken = 0.0
    gc.disable()  # as in timing.elapsed
    try:
        for _ in repeat(None, count):
            before()
            start = perf_counter()
            step()
            taken += perf_counter() - start
    finally:
        gc.enable()
    return taken


def between(step: Step, count: int, event: Callable[[], Event], synchronize: Step) -> float:
    """The seconds that pass on the device while it does `count` steps. Where the host is slower
    than the device, that is the host's time.
    """
    begin, end = event(), event()
    gc.disable()
    try:
        begin.record()
        for _ in repeat(None, count):
            step()
        end.record()
    finally:
        gc.enable()
    synchronize()
    return begin.elapsed_time(end) / 1e3


def measured(
    all_: Sequence[TorchCandidate], situation: Situation, rounds: int, seconds: float
) -> Times:
    """Name -> seconds a step, one for each round; each candidate gets about `seconds`."""
    order = [c for c in all_ if situation.has_measures or c.name not in MEASURES]
    found = {c.name: Candidate(tuple, tuple, name=c.name) for c in order}
    counts = {c.name: steps_in(partial(situation.take, c, 1), seconds / rounds) for c in order}
    draw = random.Random(0)  # noqa: S311  (no secret hangs on it)
    for _ in range(rounds):
        draw.shuffle(order)
        for candidate in order:
            situation.settle()
            count = counts[candidate.name]
            situation.take(candidate, -(-count // 10))
            found[candidate.name].times.append(situation.take(candidate, count) / count)
    return found
