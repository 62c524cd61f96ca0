"""Surface: a height over two weights, with what is drawn of it and where a walk on it begins."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any  # a height takes symbols or numbers

import numpy as np
from numpy.typing import NDArray

from ..errors import RuleError, TensorError, UnknownNameError
from ..language.card import notes
from ..language.graph import Graph, Node, evaluate
from ..language.hyperparameters import checked_number, nearest
from ..language.locals import Locals
from ..language.symbol import Symbol, as_number
from ..language.trace import author_names
from .derivative import derivatives

Array = NDArray[np.float64]
Point = tuple[float, float]


@dataclass(frozen=True)
class Slider:
    """How a reader turns a parameter of a surface.

    title         what it is
    low, high     the ends of the slider; the height takes any number
    logarithmic   whether the slider moves by factors
    unit          written behind the number
    """

    title: str
    low: float
    high: float
    logarithmic: bool = False
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Parameter(Slider):
    """A number that a reader may turn: its name in the height, its default, and its slider."""

    name: str
    value: float


@dataclass(frozen=True, eq=False)
class Surface:
    """A function of two weights: `height(x, y, *, parameter=default ...)`, written once.

    function     the height. Its name is the surface's, the first paragraph of its docstring says
                 what the surface is, and "Source:" in it where it is from.
    title        for a menu
    caption      for a picture, with the parameters in braces: "a ravine, {condition:g} times ..."
    window       x from, x to, y from, y to: what is drawn, and what a walk should not leave
    start        the first weights
    lowest       the points where it is lowest, with the parameters at their defaults
    sliders      one for each parameter; one that is not named goes from 0 to twice its default
    steps        how long a walk is
    noise        a standard deviation for noise on each part of the slope that suits it; 0 for none

    Raises RuleError if the function is not a height in the language, or has no derivative.
    """

    function: Callable[..., Any]
    title: str
    caption: str
    window: tuple[float, float, float, float]
    start: Point
    lowest: tuple[Point, ...]
    sliders: Mapping[str, Slider] = field(default_factory=dict)
    steps: int = 100
    noise: float = 0.0

    def __post_init__(self) -> None:
        _ = self.height_node  # a mistake in the function is told where the surface is made

    @property
    def name(self) -> str:
        """The name of the function."""
        return str(self.function.__name__)

    @property
    def about(self) -> str:
        """What the surface is, in a sentence or two."""
        return notes(self.function)[0][0] or self.title

    @property
    def source(self) -> str:
        """Where it is from; "" if its docstring does not say."""
        return notes(self.function)[1]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The numbers that a reader may turn, in the order of the function."""
        return tuple(
            Parameter(
                name=name, value=value, **vars(self.sliders.get(name, Slider(name, 0.0, 2 * value)))
            )
            for name, value in self._defaults.items()
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of all arguments of the function, in order: of the weights, the parameters."""
        return (*self._weights, *self._defaults)

    @property
    def height_node(self) -> Node:
        """The height as a graph."""
        return self._traced[0]

    @property
    def slope_nodes(self) -> tuple[Node, ...]:
        """Its derivative by x and by y, as graphs."""
        return self._traced[1]

    @property
    def named(self) -> Mapping[Node, str]:
        """What the author called each computed value."""
        return self._traced[2]

    def captioned(self, **parameters: float) -> str:
        """The caption with the parameters written in."""
        return self.caption.format(**self._values(parameters))

    def height(self, w: Array, **parameters: float) -> Array:
        """The height at each point.

        w            (..., 2), the points
        parameters   by name; one that is not given has its default

        Returns (...). Raises HyperparameterError for a parameter that it has not, or no number,
        TensorError for points that have not two weights.
        """
        return self._evaluated([self.height_node], w, parameters)[..., 0]

    def slope(self, w: Array, **parameters: float) -> Array:
        """The gradient at each point, (..., 2) for (..., 2); see `height`."""
        return self._evaluated(self.slope_nodes, w, parameters)

    def _evaluated(self, nodes: Sequence[Node], w: Array, parameters: Mapping[str, float]) -> Array:
        w = np.asarray(w, np.float64)
        if w.ndim == 0 or w.shape[-1] != 2:
            raise TensorError(f"{self.name} takes points of 2 weights, (..., 2), and got {w.shape}")
        given = dict(zip(self._weights, np.moveaxis(w, -1, 0), strict=True))
        values = evaluate(nodes, {**given, **self._values(parameters)}, np, np.float64)
        return np.stack([np.broadcast_to(value, w.shape[:-1]) for value in values], axis=-1)

    def _values(self, given: Mapping[str, float]) -> dict[str, float]:
        for name in given:
            if name not in self._defaults:
                raise UnknownNameError(
                    f"{self.name} has no parameter {name!r}{nearest(name, self._defaults)}"
                )
        numbers = {name: checked_number(self.name, name, x, None) for name, x in given.items()}
        return self._defaults | numbers

    @cached_property
    def _weights(self) -> tuple[str, str]:
        first, second = (x.name for x in self._signature if x.kind is not x.KEYWORD_ONLY)
        return first, second

    @cached_property
    def _defaults(self) -> dict[str, float]:
        return {x.name: float(x.default) for x in self._signature if x.kind is x.KEYWORD_ONLY}

    @cached_property
    def _signature(self) -> tuple[inspect.Parameter, ...]:
        found = tuple(inspect.signature(self.function).parameters.values())
        kinds = [x.kind for x in found]
        weights = [kind for kind in kinds if kind is not inspect.Parameter.KEYWORD_ONLY]
        numbers = [x.default for x in found if x.kind is x.KEYWORD_ONLY]
        if weights != [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2 or not all(
            isinstance(x, (int, float)) for x in numbers
        ):
            raise RuleError(
                f"{self.name}{inspect.signature(self.function)} is not the height of a surface.\n"
                "  Write: def height(x, y, *, parameter=1.0), two weights and then parameters with "
                "their defaults."
            )
        return found

    @cached_property
    def _traced(self) -> tuple[Node, tuple[Node, ...], Mapping[Node, str]]:
        graph = Graph()
        weights = [graph.input(name, "element") for name in self._weights]
        numbers = {name: graph.input(name, "step") for name in self._defaults}
        with Locals() as seen:
            seen.codes.add(self.function.__code__)
            found = self.function(
                *(Symbol(graph, node) for node in weights),
                **{name: Symbol(graph, node) for name, node in numbers.items()},
            )
        height = (
            found.node
            if isinstance(found, Symbol)
            else graph.constant(as_number(found, f"returned by {self.name}"))
        )
        named = author_names(seen, {*weights, *numbers.values()})
        return height, derivatives(graph, height, weights), named


def surface(
    *,
    title: str,
    caption: str,
    window: tuple[float, float, float, float],
    start: Point,
    lowest: tuple[Point, ...],
    sliders: Mapping[str, Slider] | None = None,
    steps: int = 100,
    noise: float = 0.0,
) -> Callable[[Callable[..., Any]], Surface]:
    """Make a surface of the height that follows; see Surface."""
    return lambda function: Surface(
        function, title, caption, window, start, lowest, sliders or {}, steps, noise
    )
