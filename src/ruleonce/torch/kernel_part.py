"""Parameters that one compiled kernel updates: their addresses, checked anew at every step."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any  # of NumPy's arrays of addresses

import numpy as np
import torch
from torch import Tensor

from ..engines.batch import Call, Inputs
from .layout import (
    FORMATS,
    block_like,
    check_gradient,
    is_aligned,
    is_dense,
    local,
    local_gradient,
    same_layout,
    span,
)
from .looks import Look
from .slots import Slot
from .whole import Whole

# The loops over all parameters are maps of functions of C: they are what a step of many small
# tensors costs.
_dtype = attrgetter("dtype")
_shard = attrgetter("_local_tensor")  # of a DTensor; to_local() takes 50 times as long
_data_ptr = Tensor.data_ptr
_numel = Tensor.numel

Integers = np.ndarray[Any, np.dtype[Any]]

_WEIGHTS, _GRADIENT, _STATE = 0, 1, 2  # places among the tensors of a program


class Moved(Exception):  # noqa: N818  (no error: the plan is made anew)
    """A tensor is no longer where, or what, it was."""


class Regions:
    """The memory that a step writes to, to be asked whether a gradient lies in it."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        spans = sorted(span(x) for x in tensors if x.numel())
        self._starts = np.array([start for start, _ in spans], np.int64)
        self._ends = np.maximum.accumulate(np.array([end for _, end in spans], np.int64))

    def touched(self, starts: Integers, sizes: Integers) -> Integers:
        """Whether each of those blocks lies in it, wholly or in part."""
        if not len(self._starts):
            return np.zeros(len(starts), bool)
        before = np.searchsorted(self._starts, starts + sizes)
        inside: Integers = (before > 0) & (self._ends[np.maximum(before, 1) - 1] > starts)
        return inside & (sizes > 0)


class KernelPart:
    """Parameters of equal formats on one device, none of them overlapping another.

    slots      what is kept for each
    states     for each its state tensors, in the order of the rule, dense
    call       the kernel, ready
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        states: Sequence[Sequence[Tensor]],
        gradients: Sequence[Tensor],
        call: Call,
    ) -> None:
        self.slots = slots
        self._parameters = [slot.parameter for slot in slots]
        self._is_sharded = [hasattr(p, "to_local") for p in self._parameters]
        self._any_sharded = any(self._is_sharded)
        self._states = states  # keeps their memory, whatever becomes of the tensors in the entries
        self._call = call
        self.program, self.passes = call.program, call.passes
        self._whole = Whole(self._parameters) if self._any_sharded else None
        self._own = [local(p) for p in self._parameters]
        sources = self._sources()
        self._at = list(map(_data_ptr, sources))
        self._sizes = list(map(_numel, sources))
        self._dtypes = list(map(_dtype, gradients))
        # Weights with gaps between their elements are updated in a dense copy of them.
        self._blocks = [x if is_dense(x) and is_aligned(x) else block_like(x) for x in self._own]
        self._copied = [
            (x, block) for x, block in zip(self._own, self._blocks, strict=True) if x is not block
        ]
        self._bytes = np.array(
            [n * dtype.itemsize for n, dtype in zip(self._sizes, self._dtypes, strict=True)],
            np.int64,
        )
        self._itemsizes = np.array([FORMATS[dtype].itemsize for dtype in self._dtypes], np.int64)
        self._weights = Look(sources)
        self._gradients = Look([])  # not seen yet
        self._always_copied = False
        self._pointers: list[int] = []
        self._scratch: dict[int, Tensor] = {}
        self._read: Sequence[Tensor] = []
        self._is_numpy = True
        self.regions = Regions([])
        call.place(_WEIGHTS, list(map(_data_ptr, self._blocks)))
        for place, column in enumerate(zip(*states, strict=True)):
            call.place(_STATE + place, list(map(_data_ptr, column)))
        # All states are moved together, if they are; looking at those of one parameter tells.
        self._witnesses = [x for x in slots[0].entry.values() if type(x) is Tensor and x.ndim]
        self._witnessed = list(map(_data_ptr, self._witnesses))

    @property
    def written(self) -> list[Tensor]:
        """The tensors that a step writes to."""
        return [*self._own, *(x for states in self._states for x in states)]

    @property
    def scalars(self) -> dict[int, tuple[float, ...]]:
        """Row -> the new scalar state."""
        return self._call.scalars

    def prepare(self, gradients: Sequence[Tensor], inputs: Inputs) -> None:
        """Check that all is where it was, say where the gradients lie, and evaluate the numbers.

        Raises Moved if this part no longer fits, SparseGradientError for such a gradient.
        """
        self._find(gradients)
        self._call.prepare(inputs)

    def prepare_on_device(self, gradients: Sequence[Tensor], inputs: Tensor) -> None:
        """The same with the numbers of the step on the device; for a call that can do that."""
        self._find(gradients)
        self._call.prepare_on_device(inputs)  # type: ignore[attr-defined]  # a GpuCall

    def measure(self, number: int) -> Tensor:
        """Do a pass, which only reads, and give what these tensors add to each total."""
        if number == 0:
            self._copy_blocks()
        shares = self._call.measure(number, self._whole)
        self._is_numpy = isinstance(shares, np.ndarray)
        return torch.as_tensor(shares)

    def learn(self, number: int, totals: Tensor) -> None:
        """Take the totals of all tensors after a pass."""
        own = totals.to(self._own[0].device, non_blocking=True)
        self._call.learn(number, own.numpy() if self._is_numpy else own)

    def _find(self, gradients: Sequence[Tensor]) -> None:
        sources = self._sources()
        if (
            list(map(_data_ptr, sources)) != self._at
            or not self._weights.holds(sources)
            or list(map(_data_ptr, self._witnesses)) != self._witnessed
        ):
            raise Moved
        if self._any_sharded:
            # Kept until the kernel has read them: a shard that was dealt out anew is nobody else's.
            gradients = self._read = list(map(local_gradient, gradients, self._parameters))
        try:
            pointers = list(map(_data_ptr, gradients))
        except RuntimeError:  # it has none
            self._check_all(gradients)
            raise
        if not self._gradients.holds(gradients):
            self._check_all(gradients)
            if list(map(_dtype, gradients)) != self._dtypes:
                raise Moved
            self._gradients = Look(gradients)
            self._always_copied = not all(map(_can_be_read, gradients, self._blocks))
            self._pointers = []
        if self._always_copied or pointers != self._pointers:
            with torch.no_grad():
                self._place(gradients, pointers)

    def run(self) -> None:
        """Call the kernel."""
        self._copy_blocks()
        self._call.run()
        self._read = []
        for weights, block in self._copied:
            weights.copy_(block)
        # What autograd has kept of the old weights is no longer valid, and it has to know.
        torch.autograd.graph.increment_version(self._parameters)

    def _copy_blocks(self) -> None:
        for weights, block in self._copied:
            block.copy_(weights)

    def _sources(self) -> Sequence[Tensor]:
        if not self._any_sharded:
            return self._parameters
        return [
            _shard(p) if sharded else p
            for p, sharded in zip(self._parameters, self._is_sharded, strict=True)
        ]

    def _place(self, gradients: Sequence[Tensor], pointers: list[int]) -> None:
        """Tell the kernel where the gradients lie."""
        at = np.array(pointers, np.int64)
        has_no_memory = (at == 0) & (self._bytes > 0)  # a gradient of zeros may be kept so
        is_unaligned = at % self._itemsizes != 0
        odd = self.regions.touched(at, self._bytes) | is_unaligned | has_no_memory
        placed = pointers
        if self._always_copied or odd.any():
            placed = [
                self._readable(place, gradient, is_odd=bool(odd[place]))
                for place, gradient in enumerate(gradients)
            ]
        self._call.place(_GRADIENT, placed)
        # Where a copy was made of what a gradient held, the next step has to look again.
        self._pointers = pointers if placed == pointers else []

    def _readable(self, place: int, gradient: Tensor, *, is_odd: bool) -> int:
        """The address of a gradient, or of a copy. The kernel reads in the order of the weights,
        and no write of this step may touch what it reads.
        """
        block = self._blocks[place]
        if _can_be_read(gradient, block) and not is_odd:
            return gradient.data_ptr()
        if place not in self._scratch:
            self._scratch[place] = block_like(block, gradient.dtype)
        self._scratch[place].copy_(gradient)
        return self._scratch[place].data_ptr()

    def _check_all(self, gradients: Sequence[Tensor]) -> None:
        for slot, gradient, block in zip(self.slots, gradients, self._blocks, strict=True):
            check_gradient(gradient, block, slot.name)


def _can_be_read(gradient: Tensor, block: Tensor) -> bool:
    """Whether a kernel that walks the block finds there the elements of the gradient, in order."""
    return same_layout(gradient, block) and not (gradient.is_conj() or gradient.is_neg())
