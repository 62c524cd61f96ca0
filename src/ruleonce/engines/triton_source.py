"""Triton source to kernels: compiled for a GPU, or run by Triton's interpreter without one."""

import linecache
from dataclasses import dataclass
from functools import lru_cache
from typing import Any  # Triton has no type information

from ..errors import MissingLibraryError
from . import UNFORKABLE

try:
    with UNFORKABLE:
        import triton
        from triton.runtime.interpreter import InterpretedFunction
except ImportError as missing:
    raise MissingLibraryError(
        "the gpu engine needs Triton, which is not installed here:\n"
        "  pip install 'ruleonce[gpu]'\n"
        "engine='tensors' runs the rule by PyTorch's own operations, without it."
    ) from missing


@dataclass(frozen=True)
class Kernels:
    """The two kernels of a program, to be launched as `kernels.step[(blocks,)](...)`.

    step      does the blocks of all tensors
    numbers   computes the numbers of the step on the device
    """

    step: Any
    numbers: Any


@lru_cache(maxsize=256)
def load(source: str, name: str, *, interpreted: bool) -> Kernels:
    """The kernels of a source that `emit.triton` wrote for the rule `name`; made once.

    interpreted   run on tensors in the memory of the processor, by NumPy
    """
    with UNFORKABLE:
        # Triton reads the lines of a function as `inspect` does, and that asks linecache.
        file = f"<ruleonce {name} {hash(source) & 0xFFFFFFFF:08x}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        namespace: dict[str, Any] = {"__name__": file}
        exec(compile(source, file, "exec"), namespace)  # noqa: S102  (our own text)
        if interpreted:
            for key, value in list(namespace.items()):
                if hasattr(value, "fn") and not isinstance(value, InterpretedFunction):
                    namespace[key] = InterpretedFunction(value.fn)
        return Kernels(namespace[name], namespace[f"{name}_numbers"])


def version() -> str:
    """Triton's own."""
    found: str = triton.__version__
    return found
