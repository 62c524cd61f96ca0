"""Which engine works on which tensors, and its kernels."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from ..engines import load, threads
from ..engines.batch import Batch, Call
from .layout import local

# By the device of a parameter; for any other the rule itself runs on tensors.
ENGINES = {"cpu": ("cpu", "llvmlite"), "cuda": ("gpu", "triton")}


def engine_of(parameter: Tensor) -> str:
    """The engine that is made for a device and is installed, or "tensors"."""
    name, library = ENGINES.get(parameter.device.type, ("tensors", "torch"))
    has_memory = type(local(parameter)) is Tensor  # and is not some other kind of tensor's
    return name if has_memory and find_spec(library) else "tensors"


def call_of(engine: str, batch: Batch, device: torch.device) -> Call:
    """A kernel for a batch on a device."""
    if engine == "cpu":
        from ..engines import cpu
        from ..engines.openmp import team_of

        load("cpu")
        return cpu.call(batch, team_of(str(Path(torch.__file__).parent)) or threads.POOL)
    from ..engines.gpu import call

    return call(batch, device)
