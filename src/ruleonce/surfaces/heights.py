"""The heights, and nothing but heights: a surface is a function of a few lines, and what is drawn.

The lowest height of each is 0. A surface is added by writing one more function here; it is then
`ruleonce.surfaces.<name>`, and stands in SURFACES.
"""

from math import pi

from ..language.trigonometry import cos, sin
from .surface import Slider, Surface, surface

DEGREE = pi / 180


@surface(
    title="Ravine",
    caption="a ravine, {condition:g} times as steep across as along",
    window=(-2.1, 0.9, -1.3, 0.8),
    start=(-1.7, -0.2),
    lowest=((0.0, 0.0),),
    sliders={
        "condition": Slider("Condition number", 1.0, 1000.0, logarithmic=True),
        "turn": Slider("Turn", 0.0, 90.0, unit="°"),
    },
    steps=80,
)
def ravine(x, y, *, condition=40.0, turn=25.0):
    """A straight valley, many times as steep across as along, and askew to both axes.

    condition is how many times as steep; turn is the angle of the valley to the axis of x.

    Source: CS231n notes, "Momentum update", https://cs231n.github.io/neural-networks-3/#sgd
    """
    along = cos(turn * DEGREE) * x + sin(turn * DEGREE) * y
    across = cos(turn * DEGREE) * y - sin(turn * DEGREE) * x
    return (along**2 + condition * across**2) / 2


@surface(
    title="Rosenbrock's valley",
    caption="Rosenbrock's valley",
    window=(-1.75, 1.75, -0.65, 1.8),
    start=(-1.2, 1.0),
    lowest=((1.0, 1.0),),
    sliders={"steepness": Slider("Steepness of the walls", 1.0, 1000.0, logarithmic=True)},
    steps=300,
)
def rosenbrock(x, y, *, steepness=100.0):
    """A bent valley with a flat floor: to find it is easy, to follow it is not.

    Source: Rosenbrock 1960, "An automatic method for finding the greatest or least value of a
    function", Computer Journal 3, with his start.
    """
    return (1 - x) ** 2 + steepness * (y - x**2) ** 2


@surface(
    title="Beale's plain",
    caption="Beale's plain",
    window=(-0.6, 4.2, -1.6, 1.9),
    start=(1.0, 1.0),
    lowest=((3.0, 0.5),),
    steps=300,
)
def beale(x, y):
    """A wide plain that hardly leans, between steep walls.

    Source: Beale 1958, "On an iterative method for finding a local minimum of a function of more
    than one variable", Princeton; Moré, Garbow & Hillstrom 1981, problem 5, with their start.
    """
    return (1.5 - x * (1 - y)) ** 2 + (2.25 - x * (1 - y**2)) ** 2 + (2.625 - x * (1 - y**3)) ** 2


@surface(
    title="Himmelblau's four valleys",
    caption="Himmelblau's four valleys",
    window=(-5.6, 5.6, -5.2, 5.2),
    start=(-0.5, -1.2),
    lowest=(
        (3.0, 2.0),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    ),
    steps=120,
)
def himmelblau(x, y):
    """Four valleys of equal depth: where a walk ends depends on where it begins, and on the rule.

    Source: Himmelblau 1972, "Applied Nonlinear Programming", McGraw-Hill, problem 29.
    """
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


@surface(
    title="Rastrigin's pits",
    caption="Rastrigin's pits, {depth:g} deep",
    window=(-5.12, 5.12, -5.12, 5.12),
    start=(3.4, 2.6),
    lowest=((0.0, 0.0),),
    sliders={"depth": Slider("Depth of the pits", 0.0, 20.0)},
    steps=150,
)
def rastrigin(x, y, *, depth=10.0):
    """A bowl full of pits: a small step stays in the first one, a velocity rolls over some.

    Source: Rastrigin 1974, "Systems of Extremal Control"; in the form of Mühlenbein, Schomisch &
    Born 1991, "The parallel genetic algorithm as function optimizer".
    """
    return 2 * depth + x**2 - depth * cos(2 * pi * x) + y**2 - depth * cos(2 * pi * y)


@surface(
    title="Saddle",
    caption="a saddle between two valleys",
    window=(-2.1, 2.1, -1.8, 1.8),
    start=(-1.6, 0.02),
    lowest=((0.0, 1.0), (0.0, -1.0)),
    steps=120,
)
def saddle(x, y):
    """A pass between two valleys: on its ridge the slope is nearly 0, and nothing is lowest there.

    Source: Dauphin et al. 2014, arXiv:1406.2572, section 2, for why saddles matter; the height is
    the classical one with two wells.
    """
    return x**2 / 2 + (y**2 - 1) ** 2 / 4


@surface(
    title="Noisy valley",
    caption="a winding valley, seen through noise",
    window=(-4.8, 1.6, -2.1, 1.9),
    start=(-3.6, 1.2),
    lowest=((0.0, 0.0),),
    sliders={"steepness": Slider("Steepness of the walls", 1.0, 300.0, logarithmic=True)},
    steps=200,
    noise=2.0,
)
def noisy_valley(x, y, *, steepness=30.0):
    """A winding valley that is seen through noise, as by the gradients of small batches.

    Source: Zhang et al. 2019, arXiv:1907.04164, for the noise on the slope; that it winds is ours.
    """
    return (x**2 + steepness * (y - sin(x)) ** 2) / 2


SURFACES: tuple[Surface, ...] = tuple(x for x in list(vars().values()) if isinstance(x, Surface))
