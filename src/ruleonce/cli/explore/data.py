"""What the page is given: every rule and surface, as explorer/src/types.ts says."""

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

from ... import __version__
from ...emit import javascript
from ...language import ops
from ...language.card import notes
from ...language.graph import Node, in_order
from ...language.program import Program
from ...language.rule import Rule
from ...surfaces import SURFACES, Surface, code
from .card import card

Bound = float | None


class RuleData(TypedDict):
    """A rule, as emitted for the page."""

    name: str
    summary: str
    source: str
    family: str
    card: str
    inputs: Sequence[str]
    tensors: Sequence[str]
    outputs: Sequence[str]
    scalars: Sequence[str]
    names: Sequence[str]
    hyperparameters: Mapping[str, float]
    ranges: Mapping[str, tuple[Bound, Bound]]
    initial: Mapping[str, float | str]
    correctsBias: bool
    code: str


class ParameterData(TypedDict):
    """A number of a surface, and its slider."""

    name: str
    title: str
    value: float
    low: float
    high: float
    logarithmic: bool
    unit: str


class SurfaceData(TypedDict):
    """A surface of two weights, as emitted for the page."""

    name: str
    title: str
    about: str
    source: str
    parameters: Sequence[ParameterData]
    window: Sequence[float]
    start: Sequence[float]
    lowest: Sequence[Sequence[float]]
    noise: float
    code: str


class PageData(TypedDict):
    """Everything that the page is given; `first` names the rules that race at first."""

    version: str
    rules: Sequence[RuleData]
    surfaces: Sequence[SurfaceData]
    first: Sequence[str]


def page_data(rules: Sequence[RuleData], first: Sequence[str]) -> PageData:
    """The data of a page with these rules, and with every surface."""
    surfaces = [surface_data(surface) for surface in SURFACES]
    return {"version": __version__, "rules": rules, "surfaces": surfaces, "first": first}


def rule_data(rule: Rule, name: str, family: str) -> RuleData:
    """A rule under this name, its switches at their defaults.

    Raises EmitError for one that looks at whole tensors.
    """
    schema, program = rule.schema, rule.program()
    emitted = javascript.emit(program)
    return {
        "name": name,
        "summary": rule.summary,
        "source": notes(rule.function)[1],
        "family": family,
        "card": card(rule, name),
        "inputs": program.step_inputs,
        "tensors": program.tensors,
        "outputs": tuple(program.outputs),
        "scalars": tuple(program.scalars),
        "names": tuple(javascript.named_values(program)),
        "hyperparameters": {x: schema.hyperparameters[x] for x in schema.numbers},
        "ranges": {x: _bounds(*schema.ranges[x]) for x in schema.numbers if x in schema.ranges},
        "initial": {x: schema.initial.get(x, 0) for x in (*schema.state, *schema.scalars)},
        "correctsBias": corrects_bias(program),
        "code": emitted,
    }


def surface_data(surface: Surface) -> SurfaceData:
    """A surface with its sliders."""
    return {
        "name": surface.name,
        "title": surface.title,
        "about": surface.about,
        "source": surface.source,
        "parameters": [
            {
                "name": one.name,
                "title": one.title,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "logarithmic": one.logarithmic,
                "unit": one.unit,
            }
            for one in surface.parameters
        ],
        "window": surface.window,
        "start": surface.start,
        "lowest": surface.lowest,
        "noise": surface.noise,
        "code": code(surface),
    }


def corrects_bias(program: Program) -> bool:
    """Whether t stands only as the exponent of a hyperparameter, as in `1 - beta1**t`.

    With an infinite t the correction is then gone, and nothing else has changed.
    """
    results = (*program.outputs.values(), *program.scalars.values())
    numbers = set(program.step_inputs) - set(program.scalars) - {"t"}

    def is_t(node: Node) -> bool:
        return node.name == "t"

    users = [node for node in in_order(results) if any(map(is_t, node.args))]
    return (
        bool(users)
        and not any(map(is_t, results))
        and all(
            node.op is ops.POWER and node.args[0].name in numbers and is_t(node.args[1])
            for node in users
        )
    )


def _bounds(low: float, below: float) -> tuple[Bound, Bound]:
    """JSON has no infinity: None is no bound."""
    return (low if math.isfinite(low) else None, below if math.isfinite(below) else None)
