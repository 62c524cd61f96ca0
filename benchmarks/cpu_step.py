"""One Adam step, side by side with the peers, in one process.

    make bench                     # all sizes, about four minutes
    make bench BENCH=--quick       # fewer sizes and rounds
    make bench BENCH=--markdown    # the table as the README has it

Every candidate does the same Adam in float32 (its weights are compared after a few steps, so nobody
is timed for doing less). A cell is the median over rounds, with half of the distance between the
quartiles, and how many times as long it is as ours. In a round every candidate has one block of
steps, and they take turns, so that noise hits all alike. Before a block there is a pause and a step
that is not timed: the worker threads of the candidate before spin for a while after their last one.
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter, sleep

import numpy as np

import ruleonce as ro

Step = Callable[[], object]
Arrays = list[np.ndarray]

LEARNING_RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
WORKLOADS = {  # name: (tensors, elements in each)
    "10": (1, 10),
    "1 000": (1, 1_000),
    "100 000": (1, 100_000),
    "1 M": (1, 1_000_000),
    "20 M": (1, 20_000_000),
    "200 x 1 000": (200, 1_000),
    "1 000 x 100": (1_000, 100),
}
QUICK = ("1 000", "1 M", "20 M", "200 x 1 000")
OURS = "ruleonce.Adam"
FRESH = "ruleonce.Adam, fresh gradients"


@dataclass
class Candidate:
    """One way to take the step: `step` takes one, `weights` are what it updates."""

    name: str
    step: Step
    weights: Callable[[], Arrays]
    times: list[float] = field(default_factory=list)  # seconds a step, one a round

    @property
    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self.times)

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles, as a share of the median."""
        low, _, high = statistics.quantiles(self.times, n=4)
        return (high - low) / 2 / self.median


# The card's NumPy code is what is measured here, so it stands here as on the card.
def card(weights: Arrays, gradients: Arrays) -> Step:
    """The lines of the card, for each tensor."""
    states = [[np.zeros_like(w), np.zeros_like(w)] for w in weights]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for w, dw, state in zip(weights, gradients, states, strict=True):
            m, v = state
            m = BETA1 * m + (1 - BETA1) * dw
            mt = m / (1 - BETA1**t)
            v = BETA2 * v + (1 - BETA2) * (dw**2)
            vt = v / (1 - BETA2**t)
            w += -LEARNING_RATE * mt / (np.sqrt(vt) + EPS)
            state[:] = m, v

    return step


def careful(weights: Arrays, gradients: Arrays) -> Step:
    """The same with `out=` everywhere: no array is made in a step."""
    states = [tuple(np.zeros_like(w) for _ in range(4)) for w in weights]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for w, dw, (m, v, a, b) in zip(weights, gradients, states, strict=True):
            np.multiply(m, BETA1, out=m)
            np.multiply(dw, 1 - BETA1, out=a)
            np.add(m, a, out=m)
            np.multiply(v, BETA2, out=v)
            np.multiply(dw, dw, out=a)
            np.multiply(a, 1 - BETA2, out=a)
            np.add(v, a, out=v)
            np.divide(m, 1 - BETA1**t, out=a)
            np.multiply(a, LEARNING_RATE, out=a)
            np.divide(v, 1 - BETA2**t, out=b)
            np.sqrt(b, out=b)
            np.add(b, EPS, out=b)
            np.divide(a, b, out=a)
            np.subtract(w, a, out=w)

    return step


def scikit_learn(weights: Arrays, gradients: Arrays) -> Step:
    """The private optimizer of MLPClassifier."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    optimizer = AdamOptimizer(weights, LEARNING_RATE, BETA1, BETA2, EPS)
    return lambda: optimizer.update_params(weights, gradients)


def candidates(count: int, size: int) -> Iterator[Candidate]:
    """Every way that is installed, each on weights of its own."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=size).astype(np.float32) for _ in range(count)]
    # None near 0, where scikit-learn's eps, which is not bias-corrected, would make a difference.
    noise = [rng.normal(size=size).astype(np.float32) for _ in range(count)]
    gradients = [x + np.copysign(np.float32(0.1), x) for x in noise]

    def copies(arrays: Arrays) -> Arrays:
        return [x.copy() for x in arrays]

    for name, make in (
        ("the card's NumPy", card),
        ("NumPy with out=", careful),
        ("scikit-learn", scikit_learn),
    ):
        weights = copies(start)
        yield Candidate(name, make(weights, gradients), lambda weights=weights: weights)
    yield from by_torch(start, gradients)
    yield from by_optax(start, gradients)
    weights = copies(start)
    optimizer = ro.Adam(weights, learning_rate=LEARNING_RATE)
    yield Candidate(OURS, lambda: optimizer.step(gradients), lambda: weights)
    fresh_weights = copies(start)
    fresh = ro.Adam(fresh_weights, learning_rate=LEARNING_RATE)
    # Two sets in turn: no gradient is the object of the step before, and none is made while timed.
    sets = [gradients, copies(gradients)]

    def step_fresh() -> None:
        sets.reverse()
        fresh.step(sets[0])

    yield Candidate(FRESH, step_fresh, lambda: fresh_weights)


def by_torch(start: Arrays, gradients: Arrays) -> Iterator[Candidate]:
    """torch.optim.Adam in its three forms."""
    try:
        import torch
    except ImportError:
        return
    for form in ({"foreach": False}, {"foreach": True}, {"fused": True}):
        weights = [torch.tensor(w, requires_grad=True) for w in start]
        for w, dw in zip(weights, gradients, strict=True):
            w.grad = torch.tensor(dw)
        optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE, **form)
        name = {"fused": "torch, fused", "foreach": "torch, foreach"}[next(iter(form))]
        yield Candidate(
            name if next(iter(form.values())) else "torch, single tensor",
            optimizer.step,
            lambda weights=weights: [w.detach().numpy() for w in weights],
        )


def by_optax(start: Arrays, gradients: Arrays) -> Iterator[Candidate]:
    """optax.adam, jitted, with the buffers of weights and state given away."""
    try:
        import jax
        import optax
    except ImportError:
        return
    transformation = optax.adam(LEARNING_RATE, BETA1, BETA2, EPS)

    def update(weights: Arrays, state: object, dw: Arrays) -> tuple[Arrays, object]:
        updates, state = transformation.update(dw, state, weights)
        return optax.apply_updates(weights, updates), state

    jitted = jax.jit(update, donate_argnums=(0, 1))
    weights = [jax.numpy.array(w) for w in start]
    dw = [jax.numpy.array(g) for g in gradients]
    held = [weights, transformation.init(weights)]

    def step() -> None:
        held[:] = jitted(*held, dw)
        jax.block_until_ready(held)

    yield Candidate("optax, jitted", step, lambda: [np.asarray(w) for w in held[0]])


def check(all_: list[Candidate]) -> None:
    """Raise if a candidate does not take Adam's steps."""
    for candidate in all_:
        for _ in range(3):
            candidate.step()
    expected = all_[0].weights()
    for candidate in all_:
        for w, e in zip(candidate.weights(), expected, strict=True):
            np.testing.assert_allclose(w, e, rtol=2e-5, atol=2e-6, err_msg=candidate.name)


def measure(all_: list[Candidate], rounds: int, seconds: float) -> None:
    """Fill in the times: in each round a block of steps of each candidate, in turn."""
    counts = {}
    for candidate in all_:
        start = perf_counter()
        candidate.step()
        once = perf_counter() - start
        counts[candidate.name] = max(1, int(seconds / max(once, 1e-7)))
    gc.disable()
    for _ in range(rounds):
        for candidate in all_:
            sleep(0.02)  # until the workers of the one before have gone to sleep
            candidate.step()
            count = counts[candidate.name]
            start = perf_counter()
            for _ in range(count):
                candidate.step()
            candidate.times.append((perf_counter() - start) / count)
    gc.enable()


def shown_time(seconds: float) -> str:
    """Three digits with a unit."""
    micro = seconds * 1e6
    return f"{micro:.3g} us" if micro < 1000 else f"{micro / 1000:.3g} ms"


def print_table(results: dict[str, list[Candidate]], *, markdown: bool) -> None:
    """A row a candidate, a column a workload: the time, its spread, the ratio to ours."""
    names = list(dict.fromkeys(c.name for all_ in results.values() for c in all_))
    rows = [["", *results]]
    for name in names:
        row = [name]
        for all_ in results.values():
            by_name = {candidate.name: candidate for candidate in all_}
            if name not in by_name:
                row.append("-")
                continue
            candidate, ours = by_name[name], by_name[OURS]
            ratio = candidate.median / ours.median
            spread = f" ±{candidate.spread:.0%}" if not markdown else ""
            relative = "**1**" if name == OURS and markdown else f"{ratio:.2g}x"
            row.append(f"{shown_time(candidate.median)}{spread} ({relative})")
        rows.append(row)
    if markdown:
        rows.insert(1, ["---"] * len(rows[0]))
        for row in rows:
            print("|", " | ".join(row), "|")
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))


def in_new_processes(code: str, count: int) -> list[float]:
    """The numbers that `code` prints, in fresh processes."""
    run = [sys.executable, "-c", code]
    return [
        float(subprocess.run(run, capture_output=True, check=True).stdout) for _ in range(count)
    ]


IMPORT = """
import numpy
from time import perf_counter
start = perf_counter()
import ruleonce
print(perf_counter() - start)
"""

FIRST_STEP = """
import numpy as np, ruleonce as ro
from time import perf_counter
w = np.ones(1000, np.float32)
start = perf_counter()
rule = ro.rule(ro.rules.adam.function)
ro.Optimizer(rule, w, engine="cpu").step(w)
print(perf_counter() - start)
"""


def machine() -> str:
    """What kind of machine this is, and what runs on it."""
    from importlib.metadata import PackageNotFoundError, version

    model = "unknown processor"
    if os.path.exists("/proc/cpuinfo"):  # noqa: PTH110
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            model = next(line.split(":")[1].strip() for line in file if "model name" in line)
    libraries = []
    for name in ("numpy", "llvmlite", "torch", "jax", "optax", "scikit-learn"):
        try:
            libraries.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            libraries.append(f"{name} not installed")
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {count} cores; Python {sys.version.split()[0]}, {', '.join(libraries)}"


def targets(results: dict[str, list[Candidate]], import_: float, first: float) -> Iterator[str]:
    """What the project asks of itself, met or missed."""

    def row(met: bool, text: str) -> str:
        return f"{'met   ' if met else 'MISSED'}  {text}"

    yield row(import_ < 0.15, f"import beyond numpy under 0.15 s: {import_:.3f} s")
    yield row(
        first < 0.1,
        f"a rule's definition to the end of its first step under 100 ms: {first * 1e3:.0f} ms",
    )
    by = {workload: {c.name: c.median for c in all_} for workload, all_ in results.items()}
    if "1 000" in by:
        ours, cards = by["1 000"][OURS], by["1 000"]["the card's NumPy"]
        yield row(ours < 4e-6, f"1 000 elements under 4 us: {shown_time(ours)}")
        yield row(
            cards / ours >= 4, f"... at least 4 times as fast as the card: {cards / ours:.1f}"
        )
    wanted = (("20 M", OURS, 1.0), ("200 x 1 000", OURS, 8.0), ("200 x 1 000", FRESH, 3.0))
    for workload, name, factor in wanted:
        if workload in by and "torch, fused" in by[workload]:
            ratio = by[workload]["torch, fused"] / by[workload][name]
            yield row(
                ratio >= factor,
                f"{workload}, {name}: {factor:g} times as fast as torch fused: {ratio:.2f}",
            )


def main() -> None:
    """Measure, print the table, then what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--quick", action="store_true", help=f"only {', '.join(QUICK)}; fewer rounds"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table for the README")
    parser.add_argument("--rounds", type=int, help="blocks of steps a candidate (11; 5 if quick)")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (5 if arguments.quick else 11)
    print(machine())
    import_ = statistics.median(in_new_processes(IMPORT, 5))
    first = statistics.median(in_new_processes(FIRST_STEP, 5))
    results = {}
    for workload in QUICK if arguments.quick else WORKLOADS:
        all_ = list(candidates(*WORKLOADS[workload]))
        check(all_)
        measure(all_, rounds, seconds=0.05)
        results[workload] = all_
        print(f"measured {workload}", file=sys.stderr)
        for candidate in all_:  # free the memory of this workload; keep the times
            candidate.step = candidate.weights = list
    print_table(results, markdown=arguments.markdown)
    print()
    for line in targets(results, import_, first):
        print(line)


if __name__ == "__main__":
    main()
