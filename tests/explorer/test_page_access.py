"""The page for everybody: WCAG as axe-core checks it, phones, dark rooms, and little motion."""

import pytest
from axe_playwright_python.sync_playwright import Axe

QUICK = {"resultTypes": ["violations"]}  # what is right is not described
PANELS = ("card", "inside", "sum", "charts", "heat")
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SIX = "&".join(f"rule={name}" for name in ("momentum", "rmsprop", "lion", "nadam", "sgd", "adam"))


def serious(view):
    """What axe finds that is serious, or worse."""
    return [
        (violation["id"], node["html"], node["failureSummary"])
        for violation in Axe().run(view.page, options=QUICK).response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_shuts_people_out(opened, device, scheme):
    """Contrast, labels and roles, in every panel."""
    view = opened(f"{SIX}&t=5", color_scheme=scheme, **device)
    for panel in PANELS:
        view.click(f"#tab-{panel}")
        if panel == "heat":
            view.page.wait_for_selector("#heat-time[data-milliseconds]")
        assert serious(view) == [], panel


def test_a_mistake_and_the_help_shut_nobody_out_either(opened):
    view = opened()
    view.edit(view.page.input_value("#card-code").replace("mt = m", "mt = q"))
    assert serious(view) == []
    view.click("#open-help")
    assert serious(view) == []


def test_nothing_is_wider_than_a_phone(opened):
    view = opened(SIX, **PHONE)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for panel in PANELS:
        view.click(f"#tab-{panel}")
        assert view.page.evaluate(wide) <= 0, panel
        box = view.page.locator(f"#panel-{panel}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_a_finger_drags_the_start_and_scrolls_beside_it(opened):
    view = opened("", **PHONE)
    assert view.page.eval_on_selector("#start", "(x) => getComputedStyle(x).touchAction") == "none"
    assert view.page.eval_on_selector("#map", "(x) => getComputedStyle(x).touchAction") != "none"


def lightness(view, selector="body"):
    """From 0, black, to 255, of its background."""
    colour = view.page.eval_on_selector(
        selector,
        "(node) => { const c = document.createElement('canvas').getContext('2d');"
        "c.fillStyle = getComputedStyle(node).backgroundColor; c.fillRect(0, 0, 1, 1);"
        "return [...c.getImageData(0, 0, 1, 1).data]; }",
    )
    return sum(colour[:3]) / 3


def test_it_is_dark_where_the_system_is_unless_the_reader_chose(opened):
    view = opened("", color_scheme="dark")
    assert lightness(view) < 60
    dark_map = view.colours("#map-contours")[1]
    view.choose("#theme", "light")
    assert lightness(view) > 200
    assert view.colours("#map-contours")[1] > dark_map + 100
    view.choose("#theme", "system")
    assert lightness(view) < 60
    view.page.emulate_media(color_scheme="light")
    assert lightness(view) > 200


def test_who_wants_little_motion_has_none_that_he_did_not_ask_for(opened):
    view = opened("", reduced_motion="reduce")
    lasting = """() => [...document.querySelectorAll("*")].flatMap((node) =>
      [null, "::before", "::after"].flatMap((part) => {
        const style = getComputedStyle(node, part);
        return [...style.transitionDuration.split(","), ...style.animationDuration.split(",")]
          .filter((span) => parseFloat(span) > 0.01).map((span) => node.id + part + span);
      }))"""
    for panel in PANELS:
        view.click(f"#tab-{panel}")
        assert view.page.evaluate(lasting) == [], panel
    assert view.snapshot()["t"] == 0  # nothing plays by itself


def test_the_tabs_are_gone_through_by_keys(opened):
    view = opened()
    view.page.focus("#tab-card")

    view.press("ArrowRight")
    assert view.snapshot()["state"]["panel"] == "inside"
    assert view.page.is_visible("#panel-inside")
    assert not view.page.is_visible("#panel-card")
    assert view.page.evaluate("document.activeElement.id") == "tab-inside"
    view.press("End")
    assert view.page.is_visible("#panel-heat")


def test_the_first_key_leads_past_the_stage(opened):
    view = opened()

    view.press("Tab")
    assert view.page.evaluate("document.activeElement.id") == "skip"
    view.press("Enter")
    assert view.page.evaluate("document.activeElement.id") == "inspect"
