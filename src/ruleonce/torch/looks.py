"""What tensors look like: shape, strides, dtype, whatever else a kernel relies on but the address.

It has to be asked of every tensor at every step, since an address may stay where it was and what
lies there not (`p.data = p.data.t()`). Each question to a tensor costs 50 to 100 ns in Python; the
guards of torch.compile ask them all in C++, for a tenth of that.
"""

from collections.abc import Sequence
from typing import Any  # PyTorch's guards have no type information

from torch import Tensor
from torch.nn import Parameter

try:
    from torch._C._dynamo import guards as _guards
except ImportError:  # another version of PyTorch: the questions are asked one by one
    _guards = None  # type: ignore[assignment]  # absent

_TensorGuards: Any = getattr(_guards, "TensorGuards", None)


class Look:
    """What some tensors look like now."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._details = [_details(tensor) for tensor in tensors]
        self._guards: Any = None
        if _TensorGuards is not None and tensors and {type(x) for x in tensors} <= _KNOWN:
            self._guards = _TensorGuards(
                *tensors,
                dynamic_dims_sizes=[list(tensor.shape) for tensor in tensors],
                dynamic_dims_strides=[list(tensor.stride()) for tensor in tensors],
            )

    def holds(self, tensors: Sequence[Tensor]) -> bool:
        """Whether these tensors look the same."""
        if len(tensors) != len(self._details):
            return False
        if self._guards is not None and self._guards.check(*tensors):
            return True
        # The guards see more than matters here, such as `requires_grad`.
        return [_details(tensor) for tensor in tensors] == self._details


_KNOWN = {Tensor, Parameter}


def _details(tensor: Tensor) -> tuple[object, ...]:
    return (
        tensor.shape,
        tensor.stride(),
        tensor.dtype,
        tensor.layout,
        tensor.is_conj(),
        tensor.is_neg(),
    )
