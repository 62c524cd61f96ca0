"""The page of `ruleonce explore` in a browser, as tests look at it and handle it."""

from contextlib import contextmanager

HARMLESS = ("blob:", "data:")  # the worker of the heat map, and the icon that is none

# Of a copy: a page's own canvas is not to be read often.
_COLOURS = """(canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  const parts = data.filter((_, k) => k % 4 < 3);
  const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
  return [new Set(new Uint32Array(data.buffer)).size, mean];
}"""


class Explored:
    """An open page.

    page    Playwright's
    heard   what a page must not do: errors and warnings in the console, requests
    """

    def __init__(self, page, heard):
        self.page = page
        self.heard = heard

    def snapshot(self):
        """The state, and every number of every racer."""
        return self.page.evaluate("window.explorer.snapshot()")

    def racer(self, place=0):
        return self.snapshot()["racers"][place]

    def settled(self):
        """Wait until everything that changed has been drawn."""
        self.page.evaluate("new Promise((r) => requestAnimationFrame(() => setTimeout(r)))")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.settled()

    def click(self, selector, times=1):
        for _ in range(times):
            self.page.click(selector)
        self.settled()

    def middle(self, selector):
        """Of an element, in pixels of the window."""
        box = self.page.locator(selector).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, to):
        """The start, by the mouse, to this pixel of the window: where it is then."""
        mouse = self.page.mouse
        mouse.move(*self.middle("#start"))
        mouse.down()
        mouse.move(*to, steps=4)
        mouse.up()
        self.settled()
        return self.snapshot()["state"]["start"]

    def choose(self, selector, value):
        self.page.select_option(selector, value)
        self.settled()

    def fill(self, selector, text):
        """Type this in the place of what was there, and leave the field."""
        self.page.fill(selector, text)
        self.press("Tab")

    def inside(self):
        """Name -> its number at x and at y, as *Inside the step* has them."""
        cells = self.page.eval_on_selector_all(
            ".inside-number",
            "(all) => all.map(({ dataset: d }) => [d.name, d.coordinate, d.value])",
        )
        found = {}
        for name, coordinate, value in cells:
            found.setdefault(name, {})[coordinate] = float(value)
        return {name: [values["x"], values["y"]] for name, values in found.items()}

    def value(self, selector):
        """The number that an element shows, with all of its digits."""
        return float(self.page.get_attribute(selector, "data-value"))

    def colours(self, selector):
        """How many colours a canvas has, and the mean of their parts, from 0 to 255."""
        return self.page.eval_on_selector(selector, _COLOURS)

    def edit(self, text):
        """Put this text in the place of the card, and wait until it has been read."""
        assert text != self.page.input_value("#card-code")
        self.page.fill("#card-code", text)
        self.page.wait_for_timeout(250)
        self.settled()

    def address(self):
        """What stands after #, once it has been written."""
        self.page.wait_for_function(
            "new URLSearchParams(location.hash.slice(1)).toString() ==="
            " new URLSearchParams(window.explorer.snapshot().address).toString()"
        )
        return self.page.evaluate("location.hash.slice(1)")


@contextmanager
def explored(chromium, path, address="", **options):
    """Open the page at this address; see `Browser.new_context` for options. At the end it must have
    done nothing that a page must not do.
    """
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    heard = []
    own = path.as_uri()

    def request(asked):
        if asked.url.partition("#")[0] != own and not asked.url.startswith(HARMLESS):
            heard.append(f"request: {asked.url}")

    def message(said):
        if said.type in ("error", "warning"):
            heard.append(f"{said.type}: {said.text}")

    context.on("request", request)
    context.on("console", message)
    context.on("weberror", lambda error: heard.append(f"error: {error.error}"))
    try:
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(f"{own}#{address}" if address else own)
        page.wait_for_function("window.explorer")
        view = Explored(page, heard)
        view.settled()
        yield view
        assert heard == []
    finally:
        context.close()
