"""What it costs to look at a step of Adam while it is made, and to clip by the norm of gradients.

Each is compared with the step alone, within rounds: over NumPy arrays, in PyTorch, and in PyTorch
with its own clip_grad_norm_ and its own fused step.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from cpu_step import workload
from peers import LEARNING_RATE, Array, Arrays, Candidate, Step
from report import aligned, doubts, machine, shown_ratio, shown_time
from timing import OtherPrograms, measure, ratios, settle_memory, spread

import ruleonce as ro
import ruleonce.torch
from ruleonce.combinators import clipped_by_norm

MAX_NORM = 1.0
NEAR = 1e-3  # learning rates: how far those that clip may be from one another after three steps

STEP, REPORT, SKIP, CLIP = (
    "ruleonce.Adam",
    "ruleonce.Adam, report=True",
    "ruleonce.Adam, on_nonfinite='skip'",
    "ruleonce, clipped_by_norm(adam)",
)
IN_TORCH, OWN_NORM, TOTAL = (
    "ruleonce.torch.Adam",
    "ruleonce.torch.Adam, max_norm",
    "ruleonce.torch, a rule with total()",
)
FUSED, FUSED_CLIP = "torch, fused", "torch, clip_grad_norm_ and fused"

# What each is compared with: the step alone in the same memory, by the same library.
BASES = {REPORT: STEP, SKIP: STEP, CLIP: STEP}
BASES |= {OWN_NORM: IN_TORCH, TOTAL: IN_TORCH, FUSED: IN_TORCH, FUSED_CLIP: OWN_NORM}
CLIPPING = (CLIP, OWN_NORM, TOTAL, FUSED_CLIP)


@ro.rule
def adam_by_norm(w, dw, m, v, t, *, learning_rate=LEARNING_RATE, longest=MAX_NORM):  # type: ignore[no-untyped-def]  # a card
    """Adam on gradients that are shortened together.

    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, Algorithm 1.
    """
    length = ro.sqrt(ro.total(ro.dot(dw, dw)))
    shorter = ro.minimum(1, longest / length)
    return ro.adam(w, dw * shorter, m, v, t, learning_rate=learning_rate)


def over_arrays(start: Arrays, gradients: Arrays) -> Iterator[Candidate]:
    """The steps over NumPy arrays; all read the same gradients."""
    clipped = partial(ro.Optimizer, clipped_by_norm(ro.adam), max_norm=MAX_NORM)
    makes: dict[str, Callable[..., ro.Optimizer]] = {
        STEP: ro.Adam,
        REPORT: ro.Adam,
        SKIP: partial(ro.Adam, on_nonfinite="skip"),
        CLIP: clipped,
    }
    for name, make in makes.items():
        weights = [w.copy() for w in start]
        optimizer = make(weights, learning_rate=LEARNING_RATE)
        step = partial(optimizer.step, gradients, report=name == REPORT)
        yield Candidate(step, partial(list, weights), name=name)


def in_torch(start: Arrays, gradients: Arrays) -> Iterator[Candidate]:
    """The steps in PyTorch, in its own memory. clip_grad_norm_ writes to the gradients, so theirs
    are their own; ours share one set.
    """
    shared = [torch.from_numpy(g).clone() for g in gradients]
    ours = {
        IN_TORCH: ruleonce.torch.Adam,
        OWN_NORM: partial(ruleonce.torch.Adam, max_norm=MAX_NORM),
        TOTAL: ruleonce.torch.optimizer(adam_by_norm),
    }
    for name, make in ours.items():
        parameters = parameters_of(start, shared)
        yield candidate(name, make(parameters, lr=LEARNING_RATE).step, parameters)
    for name in (FUSED, FUSED_CLIP):
        parameters = parameters_of(start, [g.clone() for g in shared])
        theirs = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
        step: Step = theirs.step
        if name == FUSED_CLIP:
            step = partial(clip_and_step, parameters, theirs)
        yield candidate(name, step, parameters)


def parameters_of(start: Arrays, gradients: Sequence[torch.Tensor]) -> list[torch.nn.Parameter]:
    """Parameters with these values and gradients."""
    parameters = [torch.nn.Parameter(torch.from_numpy(w).clone()) for w in start]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return parameters


def clip_and_step(
    parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    """As people write it with torch.optim."""
    torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
    optimizer.step()


def candidate(name: str, step: Step, parameters: Sequence[torch.nn.Parameter]) -> Candidate:
    """A candidate whose weights are parameters."""
    return Candidate(step, lambda: [p.detach().numpy() for p in parameters], name=name)


def checked(start: Arrays, all_: Sequence[Candidate]) -> None:
    """Take three steps of each; those that clip must come to the same weights, and so must the
    others. Nobody is timed for doing less.
    """
    found: dict[bool, list[Array]] = {}
    for one in all_:
        for _ in range(3):
            one.step()
        weights = [np.array(w) for w in one.weights()]
        expected = found.setdefault(one.name in CLIPPING, weights)
        for w, value, before in zip(weights, expected, start, strict=True):
            apart = float(np.max(np.abs(w - value)))
            if apart > NEAR * LEARNING_RATE or np.array_equal(w, before):
                raise SystemExit(f"{one.name} computes something else: {apart:g} apart.")


def table(all_: Sequence[Candidate]) -> Iterator[list[str]]:
    """A row for each: its time, and how many times as long as its base it takes."""
    yield ["", "time of a step", "ratio", "to"]
    by_name = {one.name: one for one in all_}
    for one in all_:
        time = f"{shown_time(one.times)} ±{spread(one.times):.0%}"
        if one.name not in BASES:
            yield [one.name, time, "", ""]
            continue
        base = BASES[one.name]
        yield [one.name, time, quartiles(ratios(one, by_name[base])), base]


def quartiles(values: Sequence[float]) -> str:
    """The median, and the quartiles in brackets."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{shown_ratio([middle] * 3)} [{low:.2f}, {high:.2f}]"


def targets(all_: Sequence[Candidate]) -> Iterator[str]:
    """What the project asks of itself."""
    by_name = {one.name: one for one in all_}

    def of(name: str, base: str) -> float:
        return statistics.median(ratios(by_name[name], by_name[base]))

    for name, base, limit in ((REPORT, STEP, 1.10), (CLIP, STEP, 1.25), (OWN_NORM, IN_TORCH, 1.25)):
        ratio = of(name, base)
        yield f"{verdict(ratio <= limit)}  {name}: {ratio:.2f} of the step alone (at most {limit})"
    ratio = of(OWN_NORM, FUSED_CLIP)
    yield f"{verdict(ratio < 1)}  {OWN_NORM}: {ratio:.2f} of {FUSED_CLIP} (below 1)"


def verdict(is_met: bool) -> str:
    """Whether a target is met."""
    return "met   " if is_met else "MISSED"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=workload, default=workload("20M"), metavar="SIZE")
    parser.add_argument("--seconds", type=float, default=3.0, help="timed for each candidate")
    parser.add_argument("--rounds", type=int, default=31, help="that they are shared out over")
    given = parser.parse_args()
    count, elements = given.size
    rng = np.random.default_rng(0)
    start = [rng.normal(0, 0.02, elements).astype(np.float32) for _ in range(count)]
    gradients = [rng.normal(size=elements).astype(np.float32) for _ in range(count)]
    print("\n".join(machine(("numpy", "llvmlite", "torch"))), flush=True)
    settle_memory()
    all_ = [*over_arrays(start, gradients), *in_torch(start, gradients)]
    checked(start, all_)
    others = OtherPrograms()
    measure(all_, given.rounds, given.seconds)
    size = f"{count} x {elements:,}" if count > 1 else f"{elements:,}"
    print(f"{size} elements, float32; medians of {given.rounds} rounds, quartiles in brackets\n")
    print(aligned(list(table(all_))), "", *targets(all_), sep="\n")
    print(*doubts({size: others.processors()}), sep="\n")


if __name__ == "__main__":
    main()
