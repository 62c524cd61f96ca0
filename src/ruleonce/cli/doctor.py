"""`ruleonce doctor`: what this machine has, and one step on each engine against the reference."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

import numpy as np

from .. import rules
from ..engines import NEEDS
from ..engines.threads import threads
from ..errors import MissingLibraryError
from ..numpy.optimizer import Optimizer

LIBRARIES = (
    "numpy", "llvmlite", "ml_dtypes", "safetensors", "torch", "jax", "optax", "scipy",
    "scikit-learn", "matplotlib", "rich", "typer",
)  # fmt: skip

# What a kernel gains from, of the many features that a processor has.
FEATURES = ("sse2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bf16", "neon", "sve")


def report() -> tuple[list[str], bool]:
    """The lines to print, and whether every engine that is installed gave the right bits."""
    lines = [
        f"ruleonce   {_version('ruleonce')}",
        f"Python     {platform.python_version()} ({sys.implementation.name})",
        f"system     {platform.platform()}",
        f"processor  {_processor()}",
        f"threads    {threads()} for large work (set_threads, RULEONCE_THREADS)",
        "",
        "libraries",
        *(f"  {name:<13} {_version(name)}" for name in LIBRARIES),
        "",
        "engines (one step of every rule, 1003 elements, against the plain rule)",
    ]
    healthy = True
    for engine in NEEDS:
        line, good = _checked(engine)
        lines.append(f"  {engine:<13} {line}")
        healthy = healthy and good
    return lines, healthy


def _checked(engine: str) -> tuple[str, bool]:
    start = perf_counter()
    wrong = []
    for rule in rules.ALL:
        w = np.linspace(-1, 1, 1003, dtype=np.float32)
        dw = np.cos(w * 7)
        state = [np.zeros_like(w) for _ in rule.state]
        arguments = iter([w, dw, *state])
        expected, *_ = rule(*(1 if x == "t" else next(arguments) for x in rule.schema.positional))
        try:
            Optimizer(rule, w, engine=engine).step(dw)
        except MissingLibraryError as missing:
            return str(missing).split("\n", maxsplit=1)[0], True
        if not np.array_equal(w, expected):
            wrong.append(rule.name)
    if wrong:
        return f"WRONG BITS for {', '.join(wrong)}: please report this with the lines above", False
    return f"equal bits ({(perf_counter() - start) * 1e3:.0f} ms with compiling)", True


def _processor() -> str:
    try:
        from ..engines.native import processor
    except MissingLibraryError:
        return platform.processor() or platform.machine()
    name, features = processor()
    return f"{name} ({platform.machine()}): {' '.join(x for x in FEATURES if x in features)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
