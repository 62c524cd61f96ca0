"""The browser that the page is tested in: the machine's Chromium, or Playwright's own.

`python tests/chromium.py` installs one where there is none; `make test` calls it.
"""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")

# A tab draws without a GPU, and the browser asks nobody for news of itself.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable():
    """The path of the machine's browser; None where Playwright's own is to be used."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(MAC) if MAC.exists() else None)


def as_root():
    """Whether this is root, whom Chromium's sandbox refuses."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextmanager
def browser():
    """A headless browser, by Playwright."""
    from playwright.sync_api import sync_playwright

    arguments = [*ARGUMENTS, *(["--no-sandbox"] if as_root() else [])]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable(), args=arguments)
        try:
            yield launched
        finally:
            launched.close()


def works():
    """Whether there is a browser that starts."""
    try:
        with browser():
            return True
    except Exception as error:  # noqa: BLE001  (whatever a browser that cannot start says)
        sys.stderr.write(f"There is no Chromium that starts: {str(error).splitlines()[0]}\n")
        return False


def install():
    """Debian's where this is root on such a machine, or else Playwright's."""
    if as_root() and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "--quiet", "--quiet"], check=False)
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "chromium"], check=False)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__" and not works():
    install()
    if not works():
        sys.exit(
            "The page is tested in a browser. Install Chromium (sudo apt install chromium), or\n"
            "  .venv/bin/python -m playwright install chromium"
        )
