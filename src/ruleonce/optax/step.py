"""One step of a program on the leaves of a tree, in JAX's own operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # JAX's arrays

import jax.numpy as jnp

from ..language import ops
from ..language.graph import Node, evaluate, in_order
from ..language.program import Program


@dataclass(frozen=True)
class Found:
    """What a step gives.

    updates   of each leaf: what is to be added to the weights
    states    for each state tensor of the rule, its new value at each leaf
    scalars   the new scalar state
    """

    updates: list[Any]
    states: list[list[Any]]
    scalars: list[Any]


def needs_weights(program: Program) -> bool:
    """Whether a step depends on where the weights are, and not only adds to them."""
    weights = program.tensors[0]
    new = program.outputs[weights]
    moves = [arg for arg in new.args if arg.name != weights]
    only_adds = new.op in (ops.ADD, ops.SUB) and len(moves) == 1 and new.args[0].name == weights
    others = [node for name, node in program.outputs.items() if name != weights]
    rest = in_order((*(moves if only_adds else [new]), *others, *program.scalars.values()))
    return any(node.name == weights for node in rest)


def step(
    program: Program,
    leaves: Sequence[tuple[Any, ...]],
    numbers: Mapping[str, Any],
    own: Sequence[Mapping[str, float]],
    *,
    reads_weights: bool,
) -> Found:
    """Take a step: leaves of 16 bits are computed in float32 and rounded once.

    leaves          for each leaf its weights, its gradient, then its state tensors
    numbers         the values of Program.step_inputs, and `own` those that differ for a leaf
    reads_weights   False: the update is computed as if the weights were 0, so nothing is rounded
                    away beside large ones
    """
    leaves = [tuple(map(jnp.asarray, leaf)) for leaf in leaves]
    inputs = [
        _inputs(program, leaf, {**numbers, **mine}, reads_weights=reads_weights)
        for leaf, mine in zip(leaves, own, strict=True)
    ]
    totals: dict[Node, Any] = {}
    for node in program.measured:
        if node.op is ops.TOTAL:
            shares = [_evaluated([node.args[0]], values, totals)[0] for values in inputs]
            totals[node] = jnp.sum(jnp.stack(shares)) if shares else jnp.zeros(())
    names = [program.tensors[0], *program.tensors[2:]]
    updates: list[Any] = []
    states: list[list[Any]] = [[] for _ in names[1:]]
    for leaf, values in zip(leaves, inputs, strict=True):
        _, gradient, *kept = leaf
        found = _evaluated([program.outputs[name] for name in names], values, totals)
        moved = found[0] - values[names[0]] if reads_weights else found[0]
        updates.append(jnp.broadcast_to(moved, gradient.shape).astype(gradient.dtype))
        for column, new, old in zip(states, found[1:], kept, strict=True):
            column.append(jnp.broadcast_to(new, old.shape).astype(old.dtype))
    return Found(updates, states, _scalars(program, numbers, inputs, totals))


def _inputs(
    program: Program,
    leaf: tuple[Any, ...],
    numbers: Mapping[str, Any],
    *,
    reads_weights: bool,
) -> dict[str, Any]:
    dtype = jnp.result_type(jnp.float32, *(x.dtype for x in leaf))
    tensors = [x.astype(dtype) for x in leaf]
    if not reads_weights:
        tensors[0] = jnp.zeros_like(tensors[0])
    return {**numbers, **dict(zip(program.tensors, tensors, strict=True)), "": dtype}


def _evaluated(
    nodes: Sequence[Node], values: Mapping[str, Any], totals: dict[Node, Any]
) -> list[Any]:
    dtype = values[""]

    def rounded(value: Any) -> Any:
        return value if _is_truth(value) else jnp.asarray(value, dtype)

    return evaluate(nodes, values, jnp, rounded, totals)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or getattr(value, "dtype", None) == jnp.bool_


def _scalars(
    program: Program,
    numbers: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    totals: dict[Node, Any],
) -> list[Any]:
    wide = jnp.result_type(float)
    if not program.scalars:
        return []
    values = inputs[0] if inputs else {**numbers, "": wide}
    return [
        jnp.asarray(x, wide) for x in _evaluated(list(program.scalars.values()), values, totals)
    ]
