"""Where tensors lie in memory, and when a kernel may walk them in one line."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..errors import SparseGradientError, TensorError, TensorTypeError
from ..formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format

# A complex number is a pair of reals, as PyTorch's own optimizers have it.
FORMATS: Mapping[torch.dtype, Format] = {
    torch.float64: FLOAT64,
    torch.float32: FLOAT32,
    torch.float16: FLOAT16,
    torch.bfloat16: BFLOAT16,
    torch.complex128: FLOAT64,
    torch.complex64: FLOAT32,
}
DTYPES: Mapping[Format, torch.dtype] = {
    FLOAT64: torch.float64,
    FLOAT32: torch.float32,
    FLOAT16: torch.float16,
    BFLOAT16: torch.bfloat16,
}


def format_of(dtype: torch.dtype, what: str) -> Format:
    """The format of a dtype. Raises TensorTypeError, beginning with `what`, if there is none."""
    if dtype not in FORMATS:
        known = ", ".join(str(dtype).removeprefix("torch.") for dtype in FORMATS)
        raise TensorTypeError(f"{what} has dtype {dtype}; it must be one of {known}.")
    return FORMATS[dtype]


def length(tensor: Tensor) -> int:
    """How many real numbers a tensor holds."""
    return tensor.numel() * (2 if tensor.is_complex() else 1)


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that lies in this process: for a DTensor its shard, else itself."""
    if type(tensor) in (torch.nn.Parameter, Tensor) or not hasattr(tensor, "to_local"):
        return tensor.detach()
    with torch.no_grad():
        part: Tensor = tensor.to_local()
    if hasattr(part, "wait"):  # the result of a collective that is still under way
        part = part.wait()
    return part.detach()


def local_gradient(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The part of a gradient that belongs to the part of its parameter in this process.

    A DTensor that is divided otherwise than its parameter is divided anew, which all processes do.
    """
    placements = getattr(parameter, "placements", None)
    if getattr(gradient, "placements", placements) != placements:
        gradient = gradient.redistribute(placements=placements)  # type: ignore[attr-defined]  # a DTensor
    return local(gradient)


def local_like(values: Tensor, parameter: Tensor) -> Tensor:
    """What of a tensor belongs to the part of a parameter in this process; a whole tensor is taken
    to be the same in each.
    """
    if not hasattr(parameter, "to_local"):
        return local(values).to(parameter.device)
    if not hasattr(values, "to_local"):
        from torch.distributed.tensor import distribute_tensor

        mesh, placements = parameter.device_mesh, parameter.placements  # type: ignore[attr-defined]  # a DTensor
        whole = values.detach().to(parameter.device)
        values = distribute_tensor(whole, mesh, placements, src_data_rank=None)
    return local_gradient(values, parameter)


def is_dense(tensor: Tensor) -> bool:
    """Whether its elements fill one block of memory, each once, in whatever order of dimensions."""
    expected = 1
    for stride, size in sorted(
        (stride, size)
        for stride, size in zip(tensor.stride(), tensor.shape, strict=True)
        if size != 1
    ):
        if stride != expected:
            return tensor.numel() == 0
        expected *= size
    return True


def same_layout(tensor: Tensor, other: Tensor) -> bool:
    """Whether two tensors of one shape hold their elements in the same order and with the same
    gaps. The stride of a dimension of size 1 means nothing.
    """
    if tensor.is_contiguous() and other.is_contiguous():
        return True
    return tensor.numel() == 0 or all(
        a == b
        for a, b, size in zip(tensor.stride(), other.stride(), tensor.shape, strict=True)
        if size != 1
    )


def is_aligned(tensor: Tensor) -> bool:
    """Whether its first element stands at a multiple of its own size."""
    itemsize = tensor.itemsize // 2 if tensor.is_complex() else tensor.itemsize
    return tensor.data_ptr() % itemsize == 0


_COUNTED = 1 << 20  # elements whose places are compared one by one


def overlaps_itself(tensor: Tensor) -> bool:
    """Whether two of its elements are one place in memory, as in an expanded tensor."""
    if tensor.numel() < 2:
        return False
    reach = 1
    steps = sorted((s, n) for s, n in zip(tensor.stride(), tensor.shape, strict=True) if n > 1)
    for stride, size in steps:
        if stride < reach:
            break
        reach += stride * (size - 1)
    else:
        return False
    if steps[0][0] == 0 or tensor.numel() > _COUNTED:
        return True
    places = torch.zeros(1, dtype=torch.int64)  # rare: such strides may still miss each other
    for stride, size in steps:
        places = (places[:, None] + torch.arange(size) * stride).reshape(-1)
    return len(torch.unique(places)) < len(places)


def span(tensor: Tensor) -> tuple[int, int]:
    """The addresses from its first byte to behind its last."""
    start = tensor.data_ptr()
    if tensor.numel() == 0:
        return start, start
    last = sum(s * (n - 1) for s, n in zip(tensor.stride(), tensor.shape, strict=True))
    return start, start + (last + 1) * tensor.itemsize


def block_like(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A new dense tensor, not filled, that a kernel walks as it does `tensor`."""
    keep = torch.preserve_format if is_dense(tensor) else torch.contiguous_format
    return torch.empty_like(tensor, dtype=dtype or tensor.dtype, memory_format=keep)


def block_of(weights: Tensor, dtype: torch.dtype, fill: Callable[[Tensor], object]) -> Tensor:
    """A tensor like the weights (a DTensor for a DTensor), its part in this process filled."""
    with torch.no_grad():
        if hasattr(weights, "to_local"):
            new = torch.empty_like(weights, dtype=dtype)
            fill(local(new))
            return new
        new = block_like(weights.detach(), dtype)
        fill(new)
        return new


def layout_of(weights: Tensor) -> Tensor:
    """A tensor without memory that lies as a dense one does which a kernel walks as `weights`."""
    own = local(weights)
    keep = torch.preserve_format if is_dense(own) else torch.contiguous_format
    return torch.empty_like(own, device="meta", memory_format=keep)


def check_weights(tensor: Tensor, name: str) -> None:
    """Raise TensorTypeError or TensorError for weights that cannot be updated in place."""
    format_of(tensor.dtype, f"the parameter {name}")
    if overlaps_itself(tensor):
        raise TensorError(
            f"the parameter {name} has elements that share one place in memory (shape "
            f"{tuple(tensor.shape)}, strides {tensor.stride()}), as expand() makes them; they "
            "cannot be updated one by one. Give the optimizer the tensor that was expanded, or "
            "its .contiguous() copy."
        )


def check_gradient(gradient: Tensor, weights: Tensor, name: str) -> None:
    """Raise TensorTypeError or TensorError for a gradient that these weights cannot take."""
    if gradient.layout is not torch.strided:
        raise SparseGradientError(
            f"the gradient of {name} is {gradient.layout}: a rule updates all weights at every "
            "step, and does not support sparse gradients; please consider SparseAdam instead "
            "(torch.optim.SparseAdam) for that parameter, or make the layer dense: "
            "torch.nn.Embedding(..., sparse=False)."
        )
    format_of(gradient.dtype, f"the gradient of {name}")
    if gradient.is_complex() != weights.is_complex():
        raise TensorTypeError(
            f"the gradient of {name} has dtype {gradient.dtype}, its weights {weights.dtype}: one "
            "is complex and the other is not."
        )
    if gradient.shape != weights.shape:
        raise TensorError(
            f"the gradient of {name} has shape {tuple(gradient.shape)}, and its weights have "
            f"{tuple(weights.shape)}."
        )


def check_state(state: Tensor | None, weights: Tensor, name: str) -> None:
    """Raise TensorError for a state that has not the shape of its weights."""
    if state is not None and state.shape != weights.shape:
        raise TensorError(
            f"a state of {name} has shape {tuple(state.shape)}, and its weights have "
            f"{tuple(weights.shape)}. Was the parameter given other data since? Then change its "
            "state too, or make a new optimizer."
        )
