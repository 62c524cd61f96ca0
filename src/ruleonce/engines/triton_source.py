"""Triton source to kernels: compiled for a GPU, or run by Triton's interpreter without one."""

import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any  # Triton has no type information

import numpy as np

from ..errors import EngineError, MissingLibraryError
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
    """The kernels of a program, to be launched as `kernels.step[(blocks,)](...)`.

    passes    do the blocks of all tensors, one pass after another; the last one is `step`
    numbers   computes the numbers of the step on the device
    sums      makes of the sums of the blocks those of the tensors; None where nothing is added up
    """

    passes: tuple[Any, ...]
    numbers: Any
    sums: Any

    @property
    def step(self) -> Any:
        """The kernel that writes."""
        return self.passes[-1]


def load(source: str, name: str, *, interpreted: bool, before: tuple[str, ...] = ()) -> Kernels:
    """The kernels of a source that `emit.triton` wrote for the rule `name`; made once.

    before        the names of the kernels of the passes before the last
    interpreted   run on tensors in the memory of the processor, by NumPy

    Raises EngineError for a kernel of a GPU in a process that is set to interpret all kernels.
    """
    with UNFORKABLE:
        return _load(source, name, interpreted=interpreted, before=before)


@lru_cache(maxsize=256)
def _load(source: str, name: str, *, interpreted: bool, before: tuple[str, ...]) -> Kernels:
    # Triton reads the lines of a function as `inspect` does, and that asks linecache. The name of
    # the file is that of its contents, so none hides the lines of another.
    file = f"<ruleonce {name} {sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": file}
    exec(compile(source, file, "exec"), namespace)  # noqa: S102  (our own text)
    if interpreted:
        # triton.jit asks TRITON_INTERPRET when it decorates; this is what it would give then.
        for key, value in list(namespace.items()):
            if hasattr(value, "fn") and not isinstance(value, InterpretedFunction):
                namespace[key] = InterpretedFunction(value.fn)
        if "INTERPRETED" in namespace:
            namespace["INTERPRETED"] = triton.language.constexpr(True)
    elif isinstance(namespace[name], InterpretedFunction):
        raise EngineError(
            "TRITON_INTERPRET is set, so Triton would read a GPU's addresses as if they were the "
            "processor's. Unset it before Python starts; CPU tensors are interpreted without it."
        )
    passes = tuple(namespace[one] for one in (*before, name))
    return Kernels(passes, namespace[f"{name}_numbers"], namespace.get(f"{name}_sums"))


@contextmanager
def interpreting() -> Iterator[None]:
    """Held while kernels are interpreted.

    The interpreter puts its own functions into triton.language as long as it runs: nothing else may
    be interpreted or compiled meanwhile. And a GPU says nothing of an overflow, so NumPy may not.
    """
    with UNFORKABLE, np.errstate(all="ignore"):
        yield
