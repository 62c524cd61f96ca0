"""What happens once: the import, and a rule's way from its definition to its first step.

Each number comes from new processes. They keep Python's bytecode in a folder that the first of
them, which is not counted, fills: so it is as with an installed package, and nothing is written
where this one lies.
"""

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

IMPORT = "import of ruleonce, after numpy"
DEFINITION = "definition of a rule to the end of its first native step"
LOADED = "... where llvmlite is already imported"
ALL = "... with the import of ruleonce"

# A rule like Adam, which no kernel was compiled for: the process is new.
_DEFINE_AND_STEP = """
adam = ro.rule(ro.rules.adam.function)
ro.Optimizer(adam, w, engine="cpu").step(dw)
"""

# name: what comes before the clock starts, and what it measures
_CODES = {
    IMPORT: ("", "import ruleonce"),
    DEFINITION: ("import ruleonce as ro", _DEFINE_AND_STEP),
    LOADED: ("import llvmlite.binding, ruleonce as ro", _DEFINE_AND_STEP),
    ALL: ("", "import ruleonce as ro" + _DEFINE_AND_STEP),
}

_PROGRAM = """
import numpy as np
from time import perf_counter
w, dw = np.ones(1000, np.float32), np.ones(1000, np.float32)
{before}
start = perf_counter()
{code}
print(perf_counter() - start)
"""


def startup_times(processes: int) -> dict[str, list[float]]:
    """Name -> seconds, one for each of some processes; they take turns, as the candidates do."""
    programs = {name: _PROGRAM.format(before=b, code=c) for name, (b, c) in _CODES.items()}
    times: dict[str, list[float]] = {name: [] for name in programs}
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(processes + 1):
            for name, program in programs.items():
                times[name].append(_printed_number(program, environment))
    return {name: seconds[1:] for name, seconds in times.items()}


def _printed_number(program: str, environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True
    )
    return float(done.stdout)
