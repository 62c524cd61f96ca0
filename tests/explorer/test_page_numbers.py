"""The numbers on the page are those of the reference engine."""

import math
import re
from itertools import islice

import pytest
from surface_walk import after, steps

import ruleonce as ro
from ruleonce import surfaces
from ruleonce.cli.explore.notation import FUNCTIONS
from ruleonce.cli.rule_file import rules_of

CLOSE = {"rel": 1e-9, "abs": 1e-12}
RATE = 0.02

# Six that race at once, and what is shown of each beside dw, step, w and w_new.
SHOWN = {
    "adam": {"m", "v", "mt", "vt"},
    "momentum": {"m"},
    "rmsprop": {"v"},
    "lion": {"m"},
    "nadam": {"m", "v", "mt", "vt"},  # has a number of its own, `product`
    "adamw": {"m", "v", "mt", "vt"},  # its card is made, not written
}
ALWAYS = {"dw", "step", "w", "w_new"}


def racing(*names, rate=RATE):
    return "&".join(f"rule={name},learning_rate={rate}" for name in names)


def read(text, name):
    """The rule that a card is, as Python reads it."""
    names = {function: getattr(ro, function) for function in FUNCTIONS}
    exec(compile(text, "card", "exec"), names)  # noqa: S102  (a card is Python)
    return ro.rule(names[name])


def assert_inside(view, expected):
    found = view.inside()
    for name, values in found.items():
        assert values == pytest.approx(expected[name].tolist(), **CLOSE), name


def test_inside_the_step_shows_the_numbers_of_the_reference(opened):
    start, parameters = (-1.5, 0.3), {"condition": 60.0, "turn": 30.0}
    view = opened(f"p=condition:60&p=turn:30&start=-1.5,0.3&{racing(*SHOWN)}&panel=inside&shown=0")
    walks = [
        steps(getattr(ro.rules, name), surfaces.ravine, start, parameters, learning_rate=RATE)
        for name in SHOWN
    ]
    for t in range(1, 6):
        if t > 1:
            view.click("#step")
        for place, (name, walk) in enumerate(zip(SHOWN, walks, strict=True)):
            expected = next(walk)
            view.press(str(place + 1))
            if t == 1:  # before it is taken, the first step is shown as it will be
                assert view.inside().keys() == SHOWN[name] | ALWAYS
                assert_inside(view, expected)
                assert view.racer(place)["weights"] == [*start]
                view.click("#step")
                assert_inside(view, expected)
                view.click("#reset")
                continue
            assert_inside(view, expected)
            racer = view.racer(place)
            assert racer["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)
            assert racer["loss"] == pytest.approx(expected["loss"], **CLOSE)
            loss = view.value(f'[data-racer="{place}"] .racer-loss')
            assert loss == pytest.approx(expected["loss"], **CLOSE)
        if t == 1:
            view.click("#step")


def test_bias_correction_makes_the_first_step_once_the_learning_rate_and_not_3_times(opened):
    view = opened(f"{racing('adam')}&panel=inside")

    ratios = {}
    for corrected in (True, False):
        view.click("#reset")
        if not corrected:
            view.click("#correction-label")
        view.click("#step")
        ratios[corrected] = [view.value("#ratio-x"), view.value("#ratio-y")]

    # (1 - 0.9) / sqrt(1 - 0.999), where eps is small beside the gradient
    assert ratios[False] == pytest.approx([3.1622776] * 2, rel=1e-6)
    assert ratios[True] == pytest.approx([1, 1], rel=1e-6)


def test_adam_without_correction_is_the_adam_that_has_none(opened):
    view = opened(f"{racing('adam')},uncorrected")
    simple = ro.rules.adam_simplified
    for expected in islice(
        steps(simple, surfaces.ravine, surfaces.ravine.start, learning_rate=RATE), 8
    ):
        view.click("#step")
        assert view.racer()["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)


def test_a_card_with_a_mistake_says_so_at_its_line_and_the_rule_before_races_on(opened):
    view = opened(f"{racing('adam')}&t=3")
    before = view.snapshot()
    card = view.page.input_value("#card-code")
    line = card.split("\n").index("    mt = m / (1 - beta1**t)") + 1

    view.edit(card.replace("mt = m / (", "mt = q / ("))

    assert view.page.get_attribute("#card-verdict", "data-state") == "mistaken"
    mistakes = view.page.locator("#mistakes .mistake")
    assert mistakes.count() == 1
    assert mistakes.get_attribute("data-line") == str(line)
    assert f"ine {line}" in mistakes.inner_text()
    assert "q" in mistakes.inner_text()
    assert view.page.locator(f".line.mistaken[data-line='{line}']").count() == 1
    assert view.snapshot() == before
    view.click("#step")
    expected = after(4, ro.adam, surfaces.ravine, surfaces.ravine.start, learning_rate=RATE)
    assert view.racer()["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)


def test_an_edited_card_runs_as_python_runs_the_same_text(opened):
    view = opened(f"{racing('adam')}&t=4&panel=card")
    card = view.page.input_value("#card-code")
    edited = re.sub(r"\bvt = .*", "vt = maximum(v, 0.01 * abs(dw)) / (1 - beta2**t)", card)
    edited = edited.replace("eps=1e-8", "eps=1e-8, pull=0.25").replace(
        "    return", "    w = w - learning_rate * pull * w  # towards 0\n    return"
    )

    view.edit(card.replace("mt = m", "mt = q"))  # a mistake first
    view.edit(edited)

    assert view.page.get_attribute("#card-verdict", "data-state") == "edited"
    assert view.page.locator("#mistakes .mistake").count() == 0
    assert view.racer()["hyperparameters"]["pull"] == 0.25
    walk = steps(read(edited, "adam"), surfaces.ravine, surfaces.ravine.start, learning_rate=RATE)
    view.click("#tab-inside")
    for t, expected in enumerate(islice(walk, 8), 1):
        if t < 4:
            continue
        if t > 4:
            view.click("#step")
        assert view.racer()["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)
        assert_inside(view, expected)
    view.click("#tab-card")
    view.click("#restore-card")
    expected = after(8, ro.adam, surfaces.ravine, surfaces.ravine.start, learning_rate=RATE)
    assert view.racer()["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)
    assert view.page.input_value("#card-code") == card
    assert view.page.is_hidden("#restore-card")


def test_a_hyperparameter_that_is_set_is_the_references(opened):
    view = opened(f"{racing('adam')}&t=6")

    view.fill("#hyper-beta1", "0.5")

    expected = after(
        6, ro.adam, surfaces.ravine, surfaces.ravine.start, learning_rate=RATE, beta1=0.5
    )
    assert view.racer()["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)
    assert view.value(".racer-loss") == pytest.approx(expected["loss"], **CLOSE)


def test_the_readers_own_rule_races_as_the_reference_steps(opened, own_rules):
    view = opened(racing("adam"))
    assert view.page.locator("#add-racer option[value=mine]").count() == 1

    view.choose("#add-racer", "mine")
    view.click("#tab-inside")
    view.click("#step", times=3)

    racer = view.racer(1)
    assert racer["rule"] == "mine"
    rule = rules_of(own_rules)["mine"]
    rate = racer["hyperparameters"]["learning_rate"]
    expected = after(3, rule, surfaces.ravine, surfaces.ravine.start, learning_rate=rate)
    assert racer["weights"] == pytest.approx(expected["w_new"].tolist(), **CLOSE)
    assert view.inside().keys() == {"m", "k", "held"} | ALWAYS
    assert_inside(view, expected)


def test_a_cell_of_the_heat_map_is_a_walk_of_the_reference_and_a_click_takes_its_values(opened):
    view = opened(f"surface=rosenbrock&{racing('adam')}&panel=heat")
    page = view.page
    page.wait_for_selector("#heat-time[data-milliseconds]")
    view.settled()

    assert float(page.get_attribute("#heat-time", "data-milliseconds")) < 2000
    assert view.colours("#heat-map")[0] > 100
    box = page.locator("#heat-map").bounding_box()
    for across, down in ((0.4, 0.3), (0.6, 0.55)):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        view.settled()
        view.settled()
        said = page.inner_text("#heat-cell").replace("\u2212", "-")
        rate, beta, loss = (
            float(x)
            for x in re.fullmatch(r"learning_rate (\S+), beta1 (\S+): loss (\S+)", said).groups()
        )
        rosenbrock = surfaces.rosenbrock
        walk = after(200, ro.adam, rosenbrock, rosenbrock.start, learning_rate=rate, beta1=beta)
        assert loss == pytest.approx(walk["loss"], rel=0.006)  # three digits of it are shown

        page.mouse.down()
        page.mouse.up()
        view.settled()
        assert view.racer()["hyperparameters"]["learning_rate"] == rate
        assert view.racer()["hyperparameters"]["beta1"] == beta
    assert math.isclose(float(page.input_value("#hyper-learning_rate")), rate)


def test_who_goes_on_to_another_rule_at_once_has_typed_for_this_one(opened):
    view = opened(f"{racing('adam')}&rule=sgd&shown=0&panel=card")
    card = view.page.input_value("#card-code")

    view.page.fill("#card-code", card.replace("beta1 * m +", "0.5 * m +"))
    view.click('[data-racer="1"] .racer-show')

    assert "0.5 * m +" in view.snapshot()["state"]["racers"][0]["card"]
    assert view.snapshot()["state"]["racers"][1]["card"] is None
