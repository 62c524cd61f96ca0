"""How long the frames of the explorer's page are while six rules race, and its heat map takes.

The page's own trace is read, in a headless browser: the time from one frame to the next, and how
long the page's script runs in each.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from typer.testing import CliRunner

from ruleonce.cli.app import app

# The browser that the page is tested in.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
from chromium import browser
from explored import explored

PANELS = ("card", "inside", "sum", "charts", "heat")
RULES = ("momentum", "rmsprop", "lion", "nadam", "sgd", "adam")
SETTLED = 1500  # milliseconds, until the page has been drawn and its code is warm
SHARES = {"median": 0.5, "95 %": 0.95, "longest": 1.0}


def main() -> None:
    """Print a line for each panel."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of play in each panel")
    parser.add_argument("--speed", type=int, default=60, help="steps a second")
    arguments = parser.parse_args()
    print(f"{len(RULES)} rules, {arguments.speed} steps a second, {os.cpu_count()} processors")
    print(f"{'':6} {'':>6}  {'a frame, ms':>23}  {'of it our script, ms':>23}")
    print(f"{'panel':6} {'frames':>6}" + "".join(f"{share:>8}" for share in (*SHARES, *SHARES)))
    with TemporaryDirectory() as folder, browser() as chromium:
        path = Path(folder) / "page.html"
        CliRunner().invoke(
            app, ["explore", "--no-open", "--out", str(path)], catch_exceptions=False
        )
        racing = "&".join(f"rule={name},learning_rate=0.01" for name in RULES)
        for panel in PANELS:
            address = f"{racing}&panel={panel}&speed={arguments.speed}"
            with explored(chromium, path, address) as view:
                view.page.wait_for_timeout(SETTLED)
                view.page.evaluate("window.explorer.trace.clear()")
                view.page.click("#play")
                view.page.wait_for_timeout(1000 * arguments.seconds)
                frames, script = view.page.evaluate(
                    "[window.explorer.trace.frames, window.explorer.trace.script]"
                )
                numbers = [*_shares(frames), *_shares(script)]
                print(f"{panel:6} {len(frames):6}" + "".join(f"{x:8.1f}" for x in numbers))
                if panel == "heat":
                    took = view.page.get_attribute("#heat-time", "data-milliseconds")
                    print(f"heat map, 640 walks of 200 steps: {float(took) / 1000:.2f} s")


def _shares(numbers: Sequence[float]) -> list[float]:
    ordered = sorted(numbers)
    return [ordered[int(share * (len(ordered) - 1))] for share in SHARES.values()]


if __name__ == "__main__":
    main()
