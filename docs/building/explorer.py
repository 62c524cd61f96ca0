"""The page of `ruleonce explore`, made while the docs are built.

docs/explorer.md has it where a comment, which GitHub does not show, asks for it.
"""

import contextlib
import io
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGE = "explorer/index.html"
ASKED = "<!-- the explorer -->"
FRAME = f"""\
<iframe class="explorer" src="{PAGE}" title="The explorer: rules on a surface"></iframe>

[Open it by itself]({PAGE})"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    from ruleonce.cli.app import app

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        page = Path(folder) / "page.html"
        if app(["explore", "--out", str(page), "--no-open"], standalone_mode=False):
            raise RuntimeError("the explorer's page was not made; why is said above")
        text = page.read_text(encoding="utf-8")
    files.append(File.generated(config, PAGE, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Set it into a frame where it is asked for."""
    return markdown.replace(ASKED, FRAME)
