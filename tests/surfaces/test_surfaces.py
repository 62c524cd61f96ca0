"""The surfaces: their heights and lowest points are the literature's, their slopes derived."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ruleonce as ro
from ruleonce import surfaces
from ruleonce.errors import HyperparameterError, RuleError, TensorError, UnknownNameError
from ruleonce.surfaces import SURFACES, Parameter, Slider, surface

of_each = pytest.mark.parametrize("known", SURFACES, ids=lambda known: known.name)
DRAWN = {"title": "", "caption": "", "window": (-1, 1, -1, 1), "start": (0, 0), "lowest": ()}


def slope_by_differences(known, point, parameters):
    """Richardson's: central differences of two steps, so that the error is of the fourth order."""

    def differences(step):
        e = np.eye(2) * step
        high, low = known.height(point + e, **parameters), known.height(point - e, **parameters)
        return (high - low) / (2 * step)

    return (4 * differences(5e-4) - differences(1e-3)) / 3


@st.composite
def places(draw):
    """A surface, a point of its window, and parameters from the whole of their sliders."""
    known = draw(st.sampled_from(SURFACES))
    left, right, bottom, top = known.window
    parameters = {
        parameter.name: draw(st.floats(parameter.low, parameter.high))
        for parameter in known.parameters
    }
    return known, np.array([draw(st.floats(left, right)), draw(st.floats(bottom, top))]), parameters


@given(places())
def test_the_slope_is_the_gradient_of_the_height(place):
    known, point, parameters = place
    scale = 1 + max(parameters.values(), default=0)

    np.testing.assert_allclose(
        known.slope(point, **parameters),
        slope_by_differences(known, point, parameters),
        rtol=1e-6,
        atol=1e-6 * scale,
    )


@of_each
def test_the_lowest_points_have_height_and_slope_0(known):
    points = np.array(known.lowest)

    np.testing.assert_allclose(known.height(points), 0, atol=1e-25)
    np.testing.assert_allclose(known.slope(points), 0, atol=1e-12)


@of_each
def test_nothing_in_the_window_is_lower_than_the_lowest_points(known):
    """And near each of them it rises."""
    left, right, bottom, top = known.window
    x, y = np.meshgrid(np.linspace(left, right, 301), np.linspace(bottom, top, 301))

    assert known.height(np.stack([x, y], axis=-1)).min() >= 0
    for point in np.array(known.lowest):
        around = point + 1e-2 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
        assert known.height(around).min() > 1e-6


@of_each
def test_the_start_and_the_lowest_points_are_in_the_window(known):
    left, right, bottom, top = known.window
    for x, y in (known.start, *known.lowest):
        assert left < x < right
        assert bottom < y < top


# Published: the values of Rosenbrock and Beale at the starts of Moré, Garbow & Hillstrom 1981
# (problems 1 and 5), of Himmelblau at 0 and at its local maximum, of Rastrigin at whole numbers (a
# sum of squares) and at its highest ring.
@pytest.mark.parametrize(
    ("name", "point", "height"),
    [
        ("rosenbrock", (-1.2, 1.0), 24.2),
        ("beale", (1.0, 1.0), 14.203125),
        ("himmelblau", (0.0, 0.0), 170.0),
        ("himmelblau", (-0.270845, -0.923039), 181.6165),
        ("rastrigin", (1.0, -2.0), 5.0),
        ("rastrigin", (4.52299366, 4.52299366), 80.70658039),
        ("saddle", (0.0, 0.0), 0.25),
        ("noisy_valley", (np.pi / 2, 1.0), np.pi**2 / 8),
        ("ravine", (np.cos(np.pi * 25 / 180), np.sin(np.pi * 25 / 180)), 0.5),
        ("ravine", (-np.sin(np.pi * 25 / 180), np.cos(np.pi * 25 / 180)), 20.0),
    ],
)
def test_heights_are_those_of_the_literature(name, point, height):
    assert getattr(surfaces, name).height(np.array(point)) == pytest.approx(height, rel=1e-6)


@given(st.floats(1, 1000), st.floats(-180, 180))
def test_the_ravine_is_as_steep_as_it_is_told(condition, turn):
    hessian = surfaces.ravine.slope(np.eye(2), condition=condition, turn=turn)

    np.testing.assert_allclose(np.linalg.eigvalsh(hessian), [1, condition], rtol=1e-9)
    angle = np.deg2rad(turn)
    along = np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(hessian @ along, along, rtol=1e-9, atol=1e-9 * condition)


def test_a_saddle_has_no_slope_and_falls_to_two_sides():
    saddle = surfaces.saddle
    np.testing.assert_array_equal(saddle.slope(np.zeros(2)), 0)
    curvature = (saddle.slope(np.eye(2) * 1e-6) / 1e-6).diagonal()
    np.testing.assert_allclose(curvature, [1, -1], rtol=1e-6)


@of_each
def test_what_is_said_of_a_surface_comes_from_the_function(known):
    assert known.about.endswith(".")
    assert "Source" not in known.about
    assert any(character.isdigit() for character in known.source)
    assert "{" not in known.captioned()
    for parameter in known.parameters:
        assert parameter.low <= parameter.value <= parameter.high
        assert not parameter.logarithmic or parameter.low > 0


def test_points_may_have_any_shape():
    points = np.random.default_rng(0).normal(size=(3, 4, 2))

    for known in SURFACES:
        heights, slopes = known.height(points), known.slope(points)
        assert heights.shape == (3, 4)
        assert slopes.shape == points.shape
        assert heights[1, 2] == known.height(points[1, 2])


def test_the_names_lead_to_the_surfaces():
    assert [getattr(surfaces, known.name) for known in SURFACES] == list(SURFACES)
    assert {known.name for known in SURFACES} <= set(dir(surfaces))
    with pytest.raises(AttributeError, match="did you mean 'rosenbrock'"):
        _ = surfaces.rosenbrok


@surface(**DRAWN, sliders={"steep": Slider("Steepness", 1.0, 9.0, unit="m")})
def mine(x, y, *, steep=2.0, flat=1.0):
    """A function of
    my own.
    """
    return steep * abs(x) + flat * ro.sqrt(1 + y**2) * ro.exp(-x * x) + ro.log(2 + ro.tanh(y))


def test_a_surface_of_ones_own_is_differentiated_too():
    rng = np.random.default_rng(0)
    for point in rng.uniform(0.1, 1, (20, 2)):
        expected = slope_by_differences(mine, point, {"steep": 3.0})
        np.testing.assert_allclose(mine.slope(point, steep=3.0), expected, rtol=1e-7)


def test_a_parameter_has_the_slider_that_it_is_given_and_else_one_up_to_twice_its_default():
    assert mine.about == "A function of my own."
    assert mine.source == ""
    assert mine.parameters == (
        Parameter("Steepness", 1.0, 9.0, unit="m", name="steep", value=2.0),
        Parameter("flat", 0.0, 2.0, name="flat", value=1.0),
    )
    assert mine.inputs == ("x", "y", "steep", "flat")


def test_a_power_is_differentiated_by_base_and_exponent():
    @surface(**DRAWN)
    def powers(x, y):
        return x**y + x**2.5 - 1 / x

    point = np.array([1.3, 2.2])
    expected = slope_by_differences(powers, point, {})
    np.testing.assert_allclose(powers.slope(point), expected, rtol=1e-8)


def test_a_height_that_leaves_a_weight_out_has_no_slope_there():
    @surface(**DRAWN)
    def half(x, y):
        return x * x

    @surface(**DRAWN)
    def flat(x, y):
        return 1.0

    points = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(half.slope(points), [[2.0, 0.0], [6.0, 0.0]])
    np.testing.assert_array_equal(flat.slope(points), 0)
    np.testing.assert_array_equal(flat.height(points), 1)


def test_wrong_parameters_are_refused():
    with pytest.raises(UnknownNameError, match="ravine has no parameter 'turns'; did you mean 'tu"):
        surfaces.ravine.height(np.zeros(2), turns=1)
    with pytest.raises(HyperparameterError, match="ravine: turn is nan"):
        surfaces.ravine.slope(np.zeros(2), turn=float("nan"))


def test_a_function_that_is_no_height_is_refused():
    made = surface(**DRAWN)
    with pytest.raises(RuleError, match="not the height of a surface"):
        made(lambda x: x)
    with pytest.raises(RuleError, match="not the height of a surface"):

        @made
        def no_default(x, y, *, steepness):
            return steepness * x

    with pytest.raises(RuleError, match="cbrt has no derivative here"):
        made(lambda x, y: ro.cbrt(x) + y)
    with pytest.raises(RuleError, match="neither a number nor an argument"):
        made(lambda x, y: "high")


def test_points_of_another_size_are_refused():
    with pytest.raises(TensorError, match=r"points of 2 weights.*\(3,\)"):
        surfaces.ravine.height(np.zeros(3))
