"""Times of steps, taken so that what disturbs one candidate disturbs all.

In each round every candidate has one block of steps, in an order that is drawn anew. PyTorch's
OpenMP workers go on spinning for some milliseconds after a step, on the processors that the next
candidate needs; so a block begins when this process no longer uses any processor time, and its
first steps, which find the caches full of another's arrays, are not counted.
"""

import gc
import os
import random
import statistics
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from time import perf_counter, process_time, sleep

import numpy as np
from peers import Candidate, Step


def measure(all_: Sequence[Candidate], rounds: int, seconds: float) -> None:
    """Fill in the times; each candidate gets about `seconds`, shared out over the rounds."""
    counts = {candidate.name: steps_in(candidate.step, seconds / rounds) for candidate in all_}
    order, draw = list(all_), random.Random(0)  # noqa: S311  (no secret hangs on it)
    for _ in range(rounds):
        draw.shuffle(order)
        for candidate in order:
            wait_until_quiet()
            count = counts[candidate.name]
            elapsed(candidate.step, -(-count // 10))
            candidate.times.append(elapsed(candidate.step, count) / count)


def steps_in(step: Step, seconds: float) -> int:
    """How many steps take about so long; one at least."""
    count = 1
    while (taken := elapsed(step, count)) < seconds / 10:
        count *= 4
    return max(1, round(count * seconds / taken))


def elapsed(step: Step, count: int) -> float:
    """The seconds that `count` steps take."""
    gc.disable()  # its pauses would fall on whoever is next, not on who made the garbage
    try:
        start = perf_counter()
        for _ in repeat(None, count):
            step()
        return perf_counter() - start
    finally:
        gc.enable()


def settle_memory() -> None:
    """Have the C library keep what is freed, as it does in a program that has run for a while.

    Until glibc has seen a large block freed it gives each back to the system at once, and pages it
    in again at the next step: the card's step at 1M then takes 3 to 20 ms, by what ran before. This
    is the kinder case for those that allocate while they step, which ruleonce does not.
    """
    block = np.empty(31 << 20, np.uint8)  # glibc learns from blocks of up to 32 MiB
    del block


def wait_until_quiet(longest: float = 0.5) -> None:
    """Return when no thread of this process is at work, or after `longest` seconds."""
    end = perf_counter() + longest
    while perf_counter() < end:
        before = process_time()
        sleep(0.005)
        if process_time() - before < 0.001:
            return


def ratios(candidate: Candidate, base: Candidate) -> list[float]:
    """How many times as long as `base` it takes, round by round: what slows a round, such as
    another program, is then in both.
    """
    return [mine / other for mine, other in zip(candidate.times, base.times, strict=True)]


def spread(values: Sequence[float]) -> float:
    """Half of the distance between the quartiles, as a share of the median."""
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / middle


class OtherPrograms:
    """How much of the machine other programs took, since this was made. Linux only."""

    def __init__(self) -> None:
        self._start = perf_counter()
        self._others = _others()

    def processors(self) -> float:
        """The number of processors that they kept busy on average; 0 where it is not known."""
        return max(0.0, _others() - self._others) / (perf_counter() - self._start)


def _others() -> float:
    """Seconds of processor time that were not this program's, since the machine started."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    user, nice, system, _, _, irq, soft_irq, steal, *_ = map(
        int, path.read_text(encoding="ascii").split("\n", maxsplit=1)[0].split()[1:]
    )
    busy = (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")
    return busy - sum(os.times()[:4])
