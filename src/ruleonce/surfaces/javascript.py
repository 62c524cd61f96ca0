"""A surface as JavaScript, in float64, for the page that rules walk on."""

from ..emit import javascript
from ..emit.javascript import Function
from ..language.trigonometry import COS, SIN
from .surface import Surface

SPELLING = {**javascript.SPELLING, COS: "Math.cos({0})", SIN: "Math.sin({0})"}


def code(surface: Surface) -> str:
    """JavaScript that defines two functions of the weights and the parameters, in their order.

    height(x, y, ...parameters)   a number
    slope(x, y, ...parameters)    [by x, by y]
    """
    return javascript.functions(
        [
            Function("height", surface.inputs, surface.height_node),
            Function("slope", surface.inputs, surface.slope_nodes),
        ],
        surface.named,
        SPELLING,
        of=surface.name,
    )
