"""The whole state of the page is in its address: a view can be linked."""

from urllib.parse import quote


def changed(view):
    """Change of everything something."""
    view.choose("#surface", "himmelblau")
    view.choose("#surface", "ravine")
    view.fill("#parameter-condition", "75")
    view.fill("#noise", "0.25")
    view.fill("#seed", "7")
    view.drag(view.middle("#map"))
    view.choose("#add-racer", "nadam")
    view.press("1")
    card = view.page.input_value("#card-code")
    view.edit(card.replace("w + m", "w + 0.5 * m"))
    view.click('[data-racer="2"] .racer-show')
    view.fill("#hyper-beta1", "0.85")
    view.click("#correction-label")
    view.choose("#theme", "dark")
    view.click("#tab-charts")
    view.click("#step", times=5)


def test_an_address_gives_the_same_view_in_another_window_and_again_on_the_way_back(opened):
    view = opened()
    first = view.snapshot()
    changed(view)
    address, snapshot = view.address(), view.snapshot()

    assert snapshot["state"]["racers"][0]["card"] is not None
    assert snapshot["state"]["racers"][2]["uncorrected"]
    assert snapshot["state"]["noise"] == 0.25
    other = opened(address)
    assert other.snapshot() == snapshot
    for selector in ("#shown-name", "#hyperparameters", "#racers", "#t"):
        assert other.page.inner_text(selector) == view.page.inner_text(selector)
    other.click("#step")
    view.click("#step")
    assert other.snapshot() == view.snapshot()

    address, snapshot = view.address(), view.snapshot()
    view.page.evaluate("location.hash = 'rule=lion&t=3'")
    view.page.wait_for_function("window.explorer.snapshot().racers.length === 1")
    assert view.racer()["t"] == 3
    view.page.go_back()
    view.page.wait_for_function("window.explorer.snapshot().racers.length === 4")
    assert view.snapshot() == snapshot
    view.page.evaluate("location.hash = ''")
    view.page.wait_for_function("window.explorer.snapshot().racers.length === 3")
    assert view.snapshot() == first


def test_what_an_address_says_wrongly_is_told_and_the_rest_is_taken(opened):
    view = opened("rule=adamm&rule=lion&speed=fast&surface=beale")

    said = view.page.inner_text("#status")
    assert "adamm" in said
    assert "speed" in said
    assert [racer["rule"] for racer in view.snapshot()["racers"]] == ["lion"]
    assert view.snapshot()["state"]["surface"] == "beale"


def test_a_card_of_an_address_that_has_a_mistake_is_shown_with_it(opened):
    card = "def adam(w, dw):\n    w = w - q\n    return w"
    view = opened(f"rule=adam&card={quote(card)}")

    assert view.page.input_value("#card-code") == card
    assert view.page.get_attribute("#card-verdict", "data-state") == "mistaken"
    assert "library" in view.page.inner_text("#card-verdict")
    assert view.page.get_attribute("#mistakes .mistake", "data-line") == "2"
    view.click("#restore-card")
    assert view.page.locator("#mistakes .mistake").count() == 0
    assert view.snapshot()["address"] == opened("rule=adam").snapshot()["address"]


def test_a_number_that_no_address_may_have_is_not_taken(opened):
    """Else the link would lead to another view."""
    view = opened()
    first = view.snapshot()["state"]

    for field, text in (
        ("parameter-condition", "5000"),
        ("parameter-turn", "-1"),
        ("seed", "1e12"),
    ):
        view.fill(f"#{field}", text)
        assert view.page.get_attribute(f"#{field}", "aria-invalid") == "true", field
    assert view.snapshot()["state"] == first
    view.fill("#parameter-condition", "1000")
    assert view.snapshot()["state"]["parameters"]["condition"] == 1000


def test_a_card_of_a_stranger_is_text(opened):
    card = (
        'def adam(w, dw):\n    w = w - dw  # <img src=x onerror="document.title=1">\n    return w'
    )
    view = opened("rule=adam&card=" + quote(card))

    assert view.page.input_value("#card-code") == card
    assert view.page.locator("img").count() == 0
    assert "ruleonce" in view.page.title()
