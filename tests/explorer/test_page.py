"""The page in a browser: it is handled by mouse and keys, plays, draws, and is printed."""

from statistics import median

import pytest

WINDOW = (-2.1, 0.9, -1.3, 0.8)  # of the ravine: x from, to, y from, to
RULES = ("momentum", "rmsprop", "adam")


def test_it_opens_with_momentum_rmsprop_and_adam_at_the_start(opened):
    view = opened()

    snapshot = view.snapshot()
    assert [racer["rule"] for racer in snapshot["racers"]] == list(RULES)
    assert [racer["weights"] for racer in snapshot["racers"]] == [[-1.7, -0.2]] * 3
    assert view.page.locator("#racers li").count() == 3
    assert view.page.inner_text("#shown-name") == "adam"
    assert view.page.locator("#formulas math").count() > 0


def test_the_start_follows_the_mouse_and_every_rule_starts_there(opened):
    view = opened()
    box = view.page.locator("#map").bounding_box()
    center = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    across, up = WINDOW[1] - WINDOW[0], WINDOW[3] - WINDOW[2]
    scale = min(box["width"] / across, box["height"] / up)  # the window is in the middle, whole

    for right, down in ((0, 0), (90, -40), (-120, 60)):
        start = view.drag((center[0] + right, center[1] + down))

        expected = [
            (WINDOW[0] + WINDOW[1]) / 2 + right / scale,
            (WINDOW[2] + WINDOW[3]) / 2 - down / scale,
        ]
        assert start == pytest.approx(expected, abs=1.5 / scale)
        assert view.middle("#start") == pytest.approx(
            (center[0] + right, center[1] + down), abs=1.5
        )
        for racer in view.snapshot()["racers"]:
            assert racer["t"] == 0
            assert racer["weights"] == start


def test_while_the_start_is_dragged_paths_of_as_many_steps_follow(opened):
    view = opened("t=12")
    before = view.snapshot()

    view.drag(view.middle("#map"))

    racers = view.snapshot()["racers"]
    assert [racer["t"] for racer in racers] == [12] * 3
    for racer, old in zip(racers, before["racers"], strict=True):
        assert racer["weights"] != old["weights"]


def test_the_start_moves_by_keys_and_further_with_shift(opened):
    view = opened()
    view.page.focus("#start")
    pace = (WINDOW[1] - WINDOW[0]) / 200

    view.press("ArrowRight", "ArrowUp")
    assert view.snapshot()["state"]["start"] == pytest.approx([-1.7 + pace, -0.2 + pace], abs=2e-3)
    view.press("Shift+ArrowLeft", "Shift+ArrowDown")
    start = view.snapshot()["state"]["start"]
    assert start == pytest.approx([-1.7 - 9 * pace, -0.2 - 9 * pace], abs=4e-3)
    assert view.page.get_attribute("#start", "aria-valuenow") == str(start[0])
    assert view.snapshot()["t"] == 0  # the keys were the handle's alone


def test_a_step_is_one_step_and_the_start_is_gone_back_to(opened):
    view = opened()
    start = view.snapshot()

    view.click("#step", times=3)
    assert [racer["t"] for racer in view.snapshot()["racers"]] == [3] * 3
    assert view.page.inner_text("#t") == "3"
    view.click("#reset")
    assert view.snapshot() == start


def test_it_plays_until_it_is_paused(opened):
    view = opened("speed=100")

    view.page.click("#play")
    view.page.wait_for_function("window.explorer.snapshot().t > 5")
    assert view.page.get_attribute("#play", "aria-label") == "Pause"
    view.page.click("#play")
    view.settled()
    paused = view.snapshot()
    assert not paused["playing"]
    view.page.wait_for_timeout(100)
    assert view.snapshot()["t"] == paused["t"]
    assert view.page.get_attribute("#play", "aria-label") == "Play"


def test_a_step_is_the_same_whether_it_is_played_or_gone_back_to(opened):
    view = opened("speed=200")
    view.page.click("#play")
    view.page.wait_for_function("window.explorer.snapshot().t > 20")
    view.page.click("#play")
    played = view.snapshot()["racers"]

    view.click("#step", times=4)
    view.page.evaluate(
        "(t) => { const scrub = document.getElementById('scrub'); scrub.value = t;"
        "scrub.dispatchEvent(new Event('input')); }",
        played[0]["t"],
    )
    view.settled()
    assert view.snapshot()["racers"] == played


def test_keys_play_step_go_back_show_rules_and_help(opened):
    view = opened()
    state = view.snapshot

    view.press("ArrowRight", "ArrowRight")
    assert state()["t"] == 2
    view.press("r")
    assert state()["t"] == 0
    view.press("Space")
    assert state()["playing"]
    view.press("Space")
    assert not state()["playing"]
    view.press("1")
    assert view.page.inner_text("#shown-name") == "momentum"
    view.press("3", "b")
    assert state()["state"]["racers"][2]["uncorrected"]
    view.press("ArrowRight", "?")
    assert view.page.is_visible("#help")
    t = state()["t"]
    view.press("r", "ArrowRight")  # nothing moves behind it
    assert state()["t"] == t > 0
    view.page.uncheck("#letter-keys")
    view.press("Escape")
    assert not view.page.is_visible("#help")
    view.press("r", "?")
    assert state()["t"] == t
    assert not view.page.is_visible("#help")


def test_letters_are_text_where_one_writes(opened):
    view = opened("t=4")
    view.page.focus("#card-code")

    view.press("r", "Space", "ArrowRight", "?")

    assert view.snapshot()["t"] == 4
    assert not view.snapshot()["playing"]
    assert "r ?" in view.page.input_value("#card-code")


def test_rules_are_added_and_removed_up_to_six(opened):
    view = opened()
    for name in ("lion", "adam", "sgd"):
        view.choose("#add-racer", name)

    items = view.page.locator("#racers li")
    racing = [*RULES, "lion", "adam", "sgd"]
    assert [item.get_attribute("data-rule") for item in items.all()] == racing
    slots = [item.get_attribute("data-slot") for item in items.all()]
    assert len(set(slots)) == 6  # each has a colour of its own
    assert not view.page.is_visible("#add-racer")
    view.press("4")
    view.click('[data-racer="0"] .racer-remove')
    assert [racer["rule"] for racer in view.snapshot()["racers"]] == racing[1:]
    assert view.page.inner_text("#shown-name") == "lion"
    assert view.page.is_visible("#add-racer")


def test_after_a_mistake_the_librarys_card_can_be_gone_back_to(opened):
    view = opened()
    card = view.page.input_value("#card-code")
    view.edit(card.replace("mt = m", "mt = q"))

    view.click("#restore-card")
    assert view.page.input_value("#card-code") == card
    assert view.page.locator("#mistakes .mistake").count() == 0
    assert view.page.is_hidden("#restore-card")


def test_adam_is_momentum_and_rmsprop_with_the_lines_that_they_share(opened):
    view = opened("panel=sum&t=20")

    cards = view.page.locator("#panel-sum .sum-card")
    assert [card.get_attribute("data-rule") for card in cards.all()] == list(RULES)
    bands = {
        card.get_attribute("data-rule"): card.locator(".band:not(.own):not(.new)").count()
        for card in cards.all()
    }
    assert bands["momentum"] >= 1
    assert bands["rmsprop"] >= 1
    assert bands["adam"] >= 2
    assert cards.nth(2).locator(".band.new").count() >= 2  # mt and vt


def test_every_chart_has_lines_in_the_colours_of_its_rules(opened):
    view = opened("panel=charts&t=50")

    assert view.page.locator("#panel-charts canvas").count() >= 4
    *others, shown = (view.page.evaluate(LINES, slot) for slot in range(len(RULES)))
    assert min(shown) > 20
    for drawn in others:  # the effective learning rates are those of the rule that is shown alone
        assert sum(count > 20 for count in drawn) == len(drawn) - 1


# How many pixels of each chart have the colour of a rule.
LINES = """(slot) => {
  const mark = document.querySelector(`#racers [data-slot="${slot}"] .mark`);
  const one = new OffscreenCanvas(1, 1).getContext("2d");
  one.fillStyle = getComputedStyle(mark).fill;
  one.fillRect(0, 0, 1, 1);
  const [colour] = new Uint32Array(one.getImageData(0, 0, 1, 1).data.buffer);
  return [...document.querySelectorAll("#panel-charts canvas")].map((canvas) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    return new Uint32Array(data.buffer).filter((pixel) => pixel === colour).length;
  });
}"""


def test_what_is_printed_is_a_flash_card(opened):
    view = opened("t=5&shown=1")
    assert view.page.locator("#flash-card *").count() == 0
    assert not view.page.is_visible("#flash-card")

    view.page.pdf()  # prints
    view.page.emulate_media(media="print")

    assert view.page.is_visible("#flash-card")
    assert not view.page.is_visible("main")
    card = view.page.locator("#flash-card")
    assert "How does rmsprop update a weight?" in " ".join(card.inner_text().split())
    assert view.page.input_value("#card-code") in card.locator("pre").text_content()
    assert card.locator("math").count() > 0
    assert "0.999" in card.locator("dl").inner_text()
    assert view.colours("#flash-card canvas")[0] > 20


def test_six_rules_play_and_leave_most_of_every_frame_free(opened):
    """Of the 16 ms that a frame has; how long frames are is measured by a benchmark."""
    names = ("momentum", "rmsprop", "lion", "nadam", "sgd", "adam")
    racing = "&".join(f"rule={name},learning_rate=0.01" for name in names)
    view = opened(f"{racing}&panel=inside&speed=120")
    view.page.evaluate("window.explorer.trace.clear()")

    view.page.click("#play")
    view.page.wait_for_function("window.explorer.trace.count >= 40")
    view.page.click("#play")

    script, frames = view.page.evaluate(
        "[window.explorer.trace.script, window.explorer.trace.frames]"
    )
    assert len(script) == len(frames) >= 40
    assert median(script) < 8
    assert min(frames) > 0
    assert view.snapshot()["t"] > 20
