"""The page of `ruleonce explore`, made while the docs are built."""

import contextlib
import io
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGE = "explorer/index.html"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page; docs/explorer.md holds it in a frame."""
    from ruleonce.cli.app import app

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        page = Path(folder) / "page.html"
        app(["explore", "--out", str(page), "--no-open"], standalone_mode=False)
        text = page.read_text(encoding="utf-8")
    files.append(File.generated(config, PAGE, content=text))
    return files
