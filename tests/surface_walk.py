"""A walk of the reference engine on a surface, with all that its steps were made of."""

from itertools import islice

import numpy as np

import ruleonce as ro
from ruleonce.language.graph import evaluate


def steps(rule, surface, start, parameters=None, **hyperparameters):
    """Step after step, each a dictionary: name -> its value at x and at y.

    "w", "dw"              weight and gradient, as the step found them
    "step", "w_new"        what was added to the weight, and what that made of it
    "loss"                 the height there, one number
    and everything that the rule's author named, state too, as the step left it
    """
    w = np.array(start, np.float64)
    optimizer = ro.Optimizer(rule, w, engine="reference", **hyperparameters)
    program = rule.program()
    named = {name: node for node, name in program.names.items()} | dict(program.outputs)
    numbers = rule.schema.hyperparameters | hyperparameters
    for t in range(1, 10_000):
        before = {name: np.copy(value) for name, value in optimizer.state.items()}
        before |= {"w": np.copy(w), "dw": surface.slope(w, **(parameters or {}))}
        values = evaluate(named.values(), {**numbers, **before, "t": t}, np, np.float64)
        optimizer.step(before["dw"])
        yield {
            **dict(zip(named, values, strict=True)),
            **{name: np.copy(value) for name, value in optimizer.state.items()},
            "dw": before["dw"],
            "w": before["w"],
            "w_new": np.copy(w),
            "step": w - before["w"],
            "loss": float(surface.height(w, **(parameters or {}))),
        }


def after(count, *arguments, **hyperparameters):
    """The last of so many steps."""
    return next(islice(steps(*arguments, **hyperparameters), count - 1, None))
