"""Run a test in an interpreter of its own."""

import functools
import inspect
import os
import subprocess
import sys
from pathlib import Path

_INSIDE = "RULEONCE_TEST_ALONE"


def alone(test):
    """For a test that forks: other tests load JAX, whose threads do not survive a fork."""
    if os.environ.get(_INSIDE):
        return test

    @functools.wraps(test)
    def outside(**_):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        done = subprocess.run(
            [
                sys.executable,
                *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
                f"{inspect.getsourcefile(test)}::{test.__name__}",
            ],
            cwd=Path(__file__).parents[1],
            env={**environment, _INSIDE: "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout

    return outside
