"""What a step through scipy.optimize.minimize costs beside the objective, at 100 elements.

python benchmarks/scipy_step.py             # ten seconds
python benchmarks/scipy_step.py --rounds 200 --size 1000

A run of many steps, less a run of few, leaves the steps alone. The objective alone is what a run
asks for at each step, its gradient (with jac=True value and gradient), called in a plain loop. BFGS
stands beside; its objective is what it asks for in a step, by its own counts. All in one process,
in rounds of a drawn order; the medians of the rounds, ± half of the distance of the quartiles. A
step is the work of one thread, so its processor time is taken: what other programs do adds little.
"""

import argparse
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import thread_time

import numpy as np
import scipy.optimize
from report import aligned, doubts, machine, verdict
from timing import OtherPrograms

import ruleonce.scipy

RULES = ("adam", "sgd", "lion")
FEW, MANY = 100, 600  # steps
BFGS = "SciPy's BFGS"
LIMIT = 5e-6  # seconds; what the project asks of itself, at 100 elements

Array = np.ndarray[tuple[int], np.dtype[np.float64]]


class Objective:
    """A quadratic that is 10 000 times as steep along one axis as along another."""

    def __init__(self, size: int) -> None:
        self.scales = np.geomspace(1e-2, 1e2, size)
        self.start = np.random.default_rng(0).normal(size=size)

    def value(self, x: Array) -> float:
        """The function."""
        return float(x @ (self.scales * x)) / 2

    def gradient(self, x: Array) -> Array:
        """Its gradient."""
        found: Array = self.scales * x
        return found

    def both(self, x: Array) -> tuple[float, Array]:
        """Both, as jac=True has it."""
        slope = self.scales * x
        return float(x @ slope) / 2, slope


@dataclass
class Candidate:
    """A method, and what was measured of it: seconds a step, a round each.

    run      a run of so many steps, which gives how many it took
    alone    what the objective alone does in a step
    """

    name: str
    run: Callable[[int], int]
    alone: Callable[[], object]
    steps: list[float] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)

    @property
    def differences(self) -> list[float]:
        """The cost of the method itself."""
        return [a - b for a, b in zip(self.steps, self.evaluations, strict=True)]

    def measure(self) -> None:
        """One round."""
        begin = thread_time()
        few = self.run(FEW if self.name != BFGS else 1)
        middle = thread_time()
        many = self.run(MANY if self.name != BFGS else 40)
        end = thread_time()
        self.steps.append(((end - middle) - (middle - begin)) / (many - few))
        begin = thread_time()
        for _ in range(MANY - FEW):
            self.alone()
        self.evaluations.append((thread_time() - begin) / (MANY - FEW))


def candidates(objective: Objective) -> list[Candidate]:
    """Each rule with a gradient, one with jac=True, and BFGS."""
    x = objective.start
    found = [
        Candidate(rule, _run(objective, rule), lambda: objective.gradient(x)) for rule in RULES
    ]
    found.append(
        Candidate("adam, jac=True", _run(objective, "adam", both=True), lambda: objective.both(x))
    )
    few, many = (_bfgs(objective, steps) for steps in (1, 40))
    steps, values, gradients = (many[key] - few[key] for key in ("nit", "nfev", "njev"))

    def asked_by_bfgs() -> None:
        # Whole numbers a step, drawn so that their mean is right.
        for function, count in ((objective.value, values), (objective.gradient, gradients)):
            for _ in range(count // steps + (random.random() < count % steps / steps)):  # noqa: S311  (no secret)
                function(x)

    found.append(Candidate(BFGS, lambda steps: int(_bfgs(objective, steps).nit), asked_by_bfgs))
    return found


def _run(objective: Objective, rule: str, *, both: bool = False) -> Callable[[int], int]:
    method = getattr(ruleonce.scipy, rule)
    fun, jac = (objective.both, True) if both else (objective.value, objective.gradient)

    def run(steps: int) -> int:
        found = scipy.optimize.minimize(
            fun,
            objective.start,
            jac=jac,
            method=method,
            options={"learning_rate": 1e-4, "maxiter": steps},
        )
        if found.nit != steps:
            raise SystemExit(f"{rule} ended after {found.nit} steps of {steps}: {found.message}")
        return int(found.nit)

    return run


def _bfgs(objective: Objective, steps: int) -> scipy.optimize.OptimizeResult:
    return scipy.optimize.minimize(
        objective.value,
        objective.start,
        jac=objective.gradient,
        method="BFGS",
        options={"maxiter": steps},
    )


def shown(times: Sequence[float]) -> str:
    """The median and the spread, in microseconds."""
    low, middle, high = (1e6 * value for value in statistics.quantiles(times, n=4))
    return f"{middle:.2f} ±{(high - low) / 2:.2f} us"


def main() -> None:
    """Measure; print the table, and what the project asks of itself."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--size", type=int, default=100)
    given = parser.parse_args()
    print("\n".join(machine(("numpy", "llvmlite", "scipy"))))
    all_ = candidates(Objective(given.size))
    for candidate in all_:
        candidate.run(FEW)  # compiles
    others = OtherPrograms()
    for _ in range(given.rounds):
        for candidate in random.sample(all_, len(all_)):
            candidate.measure()
    busy = {"all of this": others.processors()}
    rows = [["float64", "objective alone", "method, a step", "difference", "lowest"]]
    rows += [
        [
            each.name,
            shown(each.evaluations),
            shown(each.steps),
            shown(each.differences),
            f"{1e6 * min(each.differences):.2f} us",
        ]
        for each in all_
    ]
    print(f"{given.size} elements; medians of {given.rounds} rounds\n\n{aligned(rows)}\n")
    if given.size == 100:
        for each in all_[:-1]:
            found = statistics.median(each.differences)
            text = f"{each.name}, beside the objective, in {LIMIT * 1e6:.0f} us"
            print(verdict(f"{text}: {found * 1e6:.2f} us", met=found < LIMIT))
    print(*doubts(busy), sep="\n")


if __name__ == "__main__":
    main()
