"""One HTML file that holds everything: it opens without a network, and may be mailed or kept."""

import json
import re
from importlib.resources import files

from ...errors import CommandError
from .data import PageData

BUNDLE = files(__package__) / "bundle"  # made by `make explorer`

# Where a part of the page stands in page.html -> the file that it is in.
_PARTS = {"STYLE": "page.css", "SCRIPT": "page.js", "LICENSES": "LICENSES.txt"}


def page(data: PageData) -> str:
    """The page with this data. Raises CommandError if its parts have not been built."""
    try:
        template = _read("page.html")
        parts = {name: _kept_inside(_read(file)) for name, file in _PARTS.items()}
    except FileNotFoundError as error:
        raise CommandError(
            f"the page is not built: {error.filename} is missing. In a checkout, run: make explorer"
        ) from error
    # In JSON `<` may be written so, and then nothing in it can end the element that it is in.
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    parts["DATA"] = text.replace("<", "\\u003c")
    return re.sub(r"/\*([A-Z]+)\*/", lambda place: parts.get(place[1], place[0]), template)


def _read(name: str) -> str:
    return (BUNDLE / name).read_text(encoding="utf-8")


def _kept_inside(text: str) -> str:
    """Text that cannot end the <script> or <style> that it is in; to their languages, the same."""
    return re.sub(r"<(/script|/style|!--)", r"<\\\1", text, flags=re.IGNORECASE)
