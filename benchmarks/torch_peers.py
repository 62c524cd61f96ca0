"""The ways to take one step of Adam in PyTorch that are compared, each over weights of its own.

A peer is made from the work; it keeps an optimizer that others wrote, with the same options.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any  # optimizers of libraries that may not be installed

import torch
from peers import FUSED, Step
from torch import Tensor
from torch_work import Work

OURS = "ruleonce"
FRESH = "ruleonce, fresh gradients"
FUSED_FRESH = "torch, fused, fresh gradients"
EIGHT_BITS = "ruleonce, 8 bits"
MASTERS = "ruleonce, bfloat16+8, 8 bits"
DEEPSPEED = "DeepSpeed, CPUAdam"
BITSANDBYTES = "bitsandbytes, 8 bits"
FLASH = "FlashOptim, 8 bits"
BOTH = ("cpu", "cuda")


@dataclass
class TorchCandidate:
    """A peer at work.

    step         takes a step
    parameters   the weights that it updates
    before       what has to be done before each step, and is no part of it
    """

    step: Step
    parameters: Sequence[Tensor]
    before: Step = tuple  # nothing
    name: str = ""


@dataclass(frozen=True)
class TorchPeer:
    """A way to take the step.

    devices   where it runs
    largest   tensors that it is given at most; None for any number
    state     bytes of all that is kept of an element beside its weight; None for two of the
              weights' dtype
    error     how far a weight may be off after each of three steps, in learning rates; 0 where only
              rounding is allowed for
    """

    name: str
    make: Callable[[Work], TorchCandidate]
    devices: tuple[str, ...] = BOTH
    largest: int | None = None
    state: int | None = None
    error: float = 0.0

    def bytes(self, dtype: torch.dtype) -> int:
        """What a step has to move for each parameter: the gradient in, all else in and out."""
        state = 2 * dtype.itemsize if self.state is None else self.state
        return 3 * dtype.itemsize + 2 * state


def candidates(peers: Iterable[TorchPeer], work: Work) -> tuple[list[TorchCandidate], list[str]]:
    """Those of the peers that run here and take the step, and a line on each that does not."""
    torch.compiler.reset()  # it compiles one function so many times only, and then no more
    made: list[tuple[TorchPeer, TorchCandidate]] = []
    left_out = []
    for peer in peers:
        if peer.largest is not None and len(work.start) > peer.largest:
            left_out.append(f"{peer.name}: not asked for more than {peer.largest} tensors")
            continue
        try:
            with redirect_stdout(sys.stderr):  # DeepSpeed logs there
                candidate = peer.make(work)
                candidate.name = peer.name
        except Exception as error:  # noqa: BLE001  (whatever a library that cannot run raises)
            left_out.append(f"{peer.name}: {_said(error)}")
            continue
        made.append((peer, candidate))
    return check(made, work, left_out), left_out


def check(
    made: Sequence[tuple[TorchPeer, TorchCandidate]], work: Work, left_out: list[str]
) -> list[TorchCandidate]:
    """The candidates that take the steps of torch.optim in float32: nobody is to be timed for doing
    less. `left_out` gets a line on each other one.

    The gradients change between the steps, or a wrong mean of them would not show; in the end they
    are what they were.
    """
    weights = [torch.nn.Parameter(w.float()) for w in work.start]
    expected = getattr(torch.optim, work.rule)(weights, **work.options, foreach=False)
    failed: dict[str, str] = {}
    for factor in (1, -8, -0.125):  # exact in binary
        work.scale(factor)
        for parameter, gradient in zip(weights, work.gradients, strict=True):
            parameter.grad = gradient.float()
        expected.step()
        for peer, candidate in made:
            if peer.name not in failed:
                wrong = _wrong(candidate, weights, work.rate, _limit(peer, work.dtype))
                failed |= {peer.name: wrong} if wrong else {}
    left_out += [f"{name}: {wrong}" for name, wrong in failed.items()]
    return [candidate for peer, candidate in made if peer.name not in failed]


def _wrong(
    candidate: TorchCandidate, expected: Sequence[Tensor], rate: float, limit: float
) -> str | None:
    """What is wrong with the next step of a candidate."""
    try:
        candidate.before()
        candidate.step()
    except Exception as error:  # noqa: BLE001  (as above)
        return _said(error)
    off = _off(candidate.parameters, expected) / rate
    if off <= limit:
        return None
    return f"NOT THE SAME STEP: off by {off:.2g} learning rates, where {limit:.2g} is rounding"


def _said(error: Exception) -> str:
    """The first line of what an error says."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}"


def _limit(peer: TorchPeer, dtype: torch.dtype) -> float:
    # Weights of 16 bits are rounded at each step, and some keep all that is between in 16 bits too.
    return max(peer.error, 0.25 if dtype == torch.bfloat16 else 5e-4)


@torch.no_grad()
def _off(found: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """The largest distance; infinity where something is no number."""
    distances = [(x.float() - y).abs().max() for x, y in zip(found, expected, strict=True)]
    return float(torch.stack(distances).max().nan_to_num(nan=float("inf")))


def _ours(work: Work, **options: Any) -> TorchCandidate:
    """ruleonce, given gradients that lie where they lay."""
    import ruleonce.torch

    weights = work.parameters()
    optimizer = getattr(ruleonce.torch, work.rule)(weights, **work.options, **options)
    return TorchCandidate(optimizer.step, weights)


def _masters(work: Work) -> TorchCandidate:
    """State in 8 bits, and weights of 16 bits with 8 more beside them."""
    if work.dtype != torch.bfloat16:
        raise ValueError("the weights are bfloat16 in this format")
    formats = {"exp_avg": "int8", "exp_avg_sq": "uint8_sqrt", "w": "bfloat16+8"}
    return _ours(work, formats=formats)


def _torch_form(work: Work, **form: bool) -> TorchCandidate:
    """The class of torch.optim; `form` says which of its three."""
    weights = work.parameters()
    optimizer = getattr(torch.optim, work.rule)(weights, **work.options, **form)
    return TorchCandidate(optimizer.step, weights)


def _compiled(work: Work) -> TorchCandidate:
    """The step of torch.optim, compiled by PyTorch."""
    weights = work.parameters()
    optimizer = getattr(torch.optim, work.rule)(weights, **work.options)
    return TorchCandidate(torch.compile(optimizer.step), weights)


def _deepspeed(work: Work) -> TorchCandidate:
    """DeepSpeed's, made for weights that are kept off the GPU."""
    from deepspeed.ops.adam import DeepSpeedCPUAdam

    weights = work.parameters()
    optimizer = DeepSpeedCPUAdam(
        weights, **work.options, adamw_mode=work.rule == "AdamW", fp32_optimizer_states=False
    )
    return TorchCandidate(optimizer.step, weights)


def _eight_bits(work: Work, library: str) -> TorchCandidate:
    """An optimizer that keeps its state in 8 bits, where a tensor is large enough for that."""
    import importlib

    module = importlib.import_module(library)
    weights = work.parameters()
    optimizer = getattr(module, f"{work.rule}8bit")(weights, **work.options)
    return TorchCandidate(optimizer.step, weights)


def _flash(work: Work) -> TorchCandidate:
    """FlashOptim's: state in 8 bits, and weights of 16 bits with 8 more beside them."""
    import flashoptim

    weights = work.parameters()
    optimizer = getattr(flashoptim, f"Flash{work.rule}")(weights, **work.options)
    return TorchCandidate(optimizer.step, weights)


def _fresh(work: Work, make: Callable[[Work], TorchCandidate]) -> TorchCandidate:
    """Any of them, given tensors that backward has just made, elsewhere than those of the step
    before, as in a loop with zero_grad(set_to_none=True). Two blocks of memory are used in turn,
    so nothing is computed.
    """
    candidate = make(work)
    weights = candidate.parameters
    sets = cycle([work.second_set(), work.gradients])

    def renew() -> None:
        for parameter in weights:
            parameter.grad = None
        gradients = next(sets)
        torch.autograd.backward([w.view_as(w) for w in weights], gradients)

    renew()
    if any(w.grad.data_ptr() != x.data_ptr() for w, x in zip(weights, work.others, strict=True)):
        raise RuntimeError("backward copied the gradients")
    return TorchCandidate(candidate.step, weights, renew)


class _Captured:
    """A step that is captured as a CUDA graph when it is taken for the third time."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._taken = 0
        self._stream = torch.cuda.Stream()
        self._graph = torch.cuda.CUDAGraph()

    def __call__(self) -> None:
        self._taken += 1
        if self._taken < 3:  # state is made, kernels are compiled
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                self._step()
            torch.cuda.current_stream().wait_stream(self._stream)
            return
        if self._taken == 3:
            with torch.cuda.graph(self._graph):
                self._step()
        self._graph.replay()


def _captured(work: Work, make: Callable[..., TorchCandidate], **form: bool) -> TorchCandidate:
    """One that can be captured, as a CUDA graph that is replayed."""
    candidate = make(work, capturable=True, **form)
    return TorchCandidate(_Captured(candidate.step), candidate.parameters)


_fused: Any = partial(_torch_form, fused=True)
_gpu = ("cuda",)

TORCH_PEERS = (
    TorchPeer(OURS, _ours),
    TorchPeer(FRESH, partial(_fresh, make=_ours), ("cpu",)),
    TorchPeer("ruleonce, CUDA graph", partial(_captured, make=_ours), _gpu),
    TorchPeer(EIGHT_BITS, partial(_ours, formats="8bit"), BOTH, state=2, error=0.25),
    TorchPeer(MASTERS, _masters, BOTH, state=3, error=0.25),
    TorchPeer(FUSED, _fused),
    TorchPeer(FUSED_FRESH, partial(_fresh, make=_fused), ("cpu",)),
    TorchPeer("torch, fused, CUDA graph", partial(_captured, make=_torch_form, fused=True), _gpu),
    TorchPeer("torch, foreach", partial(_torch_form, foreach=True)),
    TorchPeer(
        "torch, foreach, CUDA graph", partial(_captured, make=_torch_form, foreach=True), _gpu
    ),
    TorchPeer("torch, single tensor", partial(_torch_form, foreach=False)),
    TorchPeer("torch, compiled", _compiled, largest=200),
    TorchPeer(DEEPSPEED, _deepspeed, ("cpu",)),
    TorchPeer(
        BITSANDBYTES,
        partial(_eight_bits, library="bitsandbytes.optim"),
        BOTH,
        state=2,
        error=0.25,
    ),
    TorchPeer(
        "torchao, 8 bits", partial(_eight_bits, library="torchao.optim"), BOTH, state=2, error=0.25
    ),
    TorchPeer(FLASH, _flash, _gpu, state=3, error=0.25),
)
