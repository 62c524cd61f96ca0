"""`ruleonce doctor`: what this machine has, and one step on each engine against the reference."""

import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any  # arrays of any dtype

import numpy as np

from .. import rules
from ..engines.threads import threads
from ..errors import EngineError, MissingLibraryError
from ..language.rule import Rule
from ..numpy.optimizer import Optimizer
from ..numpy.rules import optimizer

Array = np.ndarray[Any, Any]
Step = Callable[[Rule, Array, Array], Array]

LIBRARIES = (
    "numpy", "llvmlite", "ml_dtypes", "safetensors", "torch", "jax", "optax", "scipy",
    "scikit-learn", "matplotlib", "rich", "typer", "triton",
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
    for engine, step in _STEPS.items():
        line, good = _checked(step)
        lines.append(f"  {engine:<13} {line}")
        healthy = healthy and good
    return lines, healthy


def _on_arrays(engine: str) -> Step:
    def step(rule: Rule, w: Array, dw: Array) -> Array:
        Optimizer(rule, w, engine=engine).step(dw)
        return w

    return step


def _on_the_gpu(rule: Rule, w: Array, dw: Array) -> Array:
    try:
        import torch
    except ImportError as missing:
        raise MissingLibraryError("PyTorch is not installed") from missing
    if not torch.cuda.is_available():
        raise EngineError("PyTorch finds no GPU here")
    from ..torch.made import optimizer as for_torch

    weights = torch.nn.Parameter(torch.tensor(w, device="cuda"))
    weights.grad = torch.tensor(dw, device="cuda")
    for_torch(rule)([weights], engine="gpu").step()
    found: Array = weights.detach().cpu().numpy()
    return found


_STEPS: Mapping[str, Step] = {
    "cpu": _on_arrays("cpu"),
    "gpu": _on_the_gpu,
    "reference": _on_arrays("reference"),
}


def _has_tolerance(rule: Rule) -> bool:
    """Whether a rule adds up elements, or uses what is not correctly rounded everywhere."""
    program = rule.program()
    return len(program.passes) > 1 or any(node.op and not node.op.exact for node in program.body)


def _checked(step: Step) -> tuple[str, bool]:
    start = perf_counter()
    wrong = []
    for rule in rules.ALL:
        w = np.linspace(-1, 1, 1003, dtype=np.float32)
        dw = np.cos(w * 7)
        expected = w.copy()
        optimizer(rule)(expected, engine="reference").step(dw)
        try:
            got = step(rule, w, dw)
        except (MissingLibraryError, EngineError) as missing:
            return str(missing).split("\n", maxsplit=1)[0], True
        if not (np.allclose if _has_tolerance(rule) else np.array_equal)(got, expected):
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
