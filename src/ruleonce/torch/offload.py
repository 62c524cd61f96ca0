"""Offload: the state and the update of an optimizer on the host, the weights on the device."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, ClassVar  # Any: a state dict, and a param group, hold what others put there

import torch
from torch import Tensor

from ..errors import EngineError, HyperparameterError, StructureError, TensorError
from .checkpoints import StateDict, plain
from .layout import span
from .optimizer import RuleOptimizer
from .transfers import Transfers, host_block

CHUNK = 32 << 20


def offload(optimizer: RuleOptimizer, *, chunk_bytes: int = CHUNK) -> "Offloaded":
    """The same optimizer with its state, and the work of a step, on the host.

    optimizer     of parameters on any device; leave it alone from now on. State that it has is
                  taken over, and freed with it.
    chunk_bytes   weights to copy in one go: while one chunk is updated, the gradients of the next
                  come down and the weights of the last go up. A tensor is not divided.

    The host keeps the state, a copy of the weights in their own dtype, and room for the gradients.
    For more digits than bfloat16 has, keep error bits: formats={"w": "bfloat16+16"} is a float32
    master copy, bit for bit.

    Raises EngineError for engine="gpu"; StructureError for sharded parameters, for which FSDP2 has
    an offload of its own; TensorError for parameters that share memory; HyperparameterError for
    chunk_bytes below 1.

    The steps are those of the optimizer itself on the CPU, bit for bit; tests show it with the
    host as the device. Streams, pinned memory and the overlap of copies were not run on a GPU yet.
    """
    if not isinstance(optimizer, RuleOptimizer):
        raise StructureError(
            f"offload takes an optimizer of ruleonce.torch; found {type(optimizer)!r}."
        )
    if not isinstance(chunk_bytes, int) or chunk_bytes < 1:
        raise HyperparameterError(f"chunk_bytes is {chunk_bytes!r}; it must be 1 or more.")
    if optimizer._settings.engine == "gpu":
        raise EngineError(
            "engine='gpu' is for steps on the device, and offload takes them on the host. Leave "
            "the argument out."
        )
    groups = [{**group, "params": list(group["params"])} for group in optimizer.param_groups]
    _check([p for group in groups for p in group["params"]])
    inner = type(optimizer).__new__(type(optimizer))
    inner.__setstate__(
        {
            **optimizer.__getstate__(),
            "defaults": dict(optimizer.defaults),
            "state": defaultdict(dict),
            "param_groups": [{**group, "params": _hosts(group["params"])} for group in groups],
        }
    )
    offloaded = Offloaded.__new__(Offloaded)
    offloaded.__setstate__(
        {
            "defaults": dict(optimizer.defaults),
            "param_groups": groups,
            "_inner": inner,
            "_chunk_bytes": chunk_bytes,
        }
    )
    if optimizer.state:
        inner.load_state_dict(_on_host(optimizer.state_dict()))
    return offloaded


class Offloaded(torch.optim.Optimizer):
    """What `offload` makes: a torch.optim.Optimizer for the parameters on the device.

    Param groups, schedulers, hooks and state dicts are as ever; a state dict goes from here to the
    optimizer that was offloaded, and back. `state` is that of the host, to be looked at.

    Weights that a program writes on the device between two steps are brought down, unless PyTorch
    does not count the write (`p.data.mul_(2)`): call `download` after that.
    """

    _inner: RuleOptimizer
    _chunk_bytes: int
    _transfers: Transfers
    _untraced: ClassVar[Any] = None  # `_step` behind a graph break, as in RuleOptimizer

    def __getstate__(self) -> dict[str, Any]:
        self._sync()
        names = ("defaults", "param_groups", "_inner", "_chunk_bytes")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._transfers = Transfers(self._chunk_bytes)
        for parameter, host in self._pairs():
            self._transfers.add(parameter, host)
        self._inner._carrier = self._transfers
        if Offloaded._untraced is None:
            Offloaded._untraced = torch.compiler.disable(Offloaded._step)  # type: ignore[no-untyped-call]  # torch's

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch has two overloads
        """Take one step. `closure`, if given, computes the loss and the gradients again; its value
        is returned. When it returns, the last weights may still be on their way; what the device is
        asked for next waits for them.

        A step that raises has changed nothing.
        """
        if torch.compiler.is_compiling():
            untraced: float | None = self._untraced(closure)
            return untraced
        return self._step(closure)

    def _step(self, closure: Callable[[], float] | None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._sync()
        pairs = list(self._pairs())
        present = [p.grad is not None for p, _ in pairs]
        hosts = [host for _, host in pairs]
        moving, inner = self._transfers, self._inner
        try:
            gradients = moving.start([host for p, host in pairs if p.grad is not None])
            moving.fetch()
            if inner.max_norm is not None:
                moving.bring_all()
            inner._update(hosts, present, gradients)
        finally:
            moving.end()
        return loss

    @property
    def state(self) -> Mapping[Tensor, Any]:  # type: ignore[override]  # torch's is its own to write
        """Parameter -> its state, on the host. Write to the entries, not to the mapping."""
        kept = self._inner.state
        return {parameter: kept[host] for parameter, host in self._pairs() if host in kept}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a param group; see torch.optim.Optimizer."""
        given = param_group["params"]
        given = [given] if isinstance(given, Tensor) else list(given)
        named = [one if isinstance(one, tuple) else (None, one) for one in given]
        parameters = [p for _, p in named]
        _check([*(p for p, _ in self._pairs()), *parameters])
        hosts = _hosts(parameters)
        own = [
            host if name is None else (name, host)
            for (name, _), host in zip(named, hosts, strict=True)
        ]
        self._inner.add_param_group({**param_group, "params": own})
        self.param_groups.append({**self._inner.param_groups[-1], "params": parameters})
        for parameter, host in zip(parameters, hosts, strict=True):
            self._transfers.add(parameter, host)

    def state_dict(self) -> StateDict:
        """The state dict of the optimizer that was offloaded; see RuleOptimizer.state_dict."""
        return plain(super().state_dict())

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Go on from a state dict of either optimizer; see RuleOptimizer.load_state_dict."""
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = before(self, state_dict) or state_dict
        self._transfers.rest()
        self._inner.load_state_dict(_on_host(state_dict))
        for group, own in zip(self.param_groups, self._inner.param_groups, strict=True):
            parameters = group["params"]
            group.clear()
            group.update({**own, "params": parameters})
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def expanded_state_dict(self) -> StateDict:
        """See RuleOptimizer.expanded_state_dict; its tensors are on the host."""
        self._sync()
        return self._inner.expanded_state_dict()

    def masters(self) -> dict[Any, Tensor]:
        """See RuleOptimizer.masters; new tensors on the host."""
        self._transfers.fetch()
        ours = {host: parameter for parameter, host in self._pairs()}
        return {ours.get(key, key): value for key, value in self._inner.masters().items()}

    def load_masters(self, masters: Mapping[Any, Tensor]) -> None:
        """See RuleOptimizer.load_masters."""
        theirs = dict(self._pairs())
        self._transfers.rest()
        self._transfers.fetch()
        self._inner.load_masters({theirs.get(key, key): x for key, x in masters.items()})
        self._transfers.send_all()

    @contextmanager
    def average(self) -> Iterator[None]:
        """See RuleOptimizer.average."""
        averaging = self._inner.average()  # or there is none
        self._transfers.rest()
        self._transfers.fetch()
        try:
            with averaging:
                self._transfers.send_all()
                try:
                    yield
                finally:
                    self._transfers.rest()
        finally:
            self._transfers.send_all()

    def download(self) -> None:
        """Bring all weights down, and wait for them: what was written to `p.data` counts too."""
        self._transfers.rest()
        self._transfers.fetch(anew=True)

    @property
    def nbytes(self) -> int:
        """The memory of the state, in bytes, on the host; see RuleOptimizer.nbytes."""
        return self._inner.nbytes

    def bytes_by_tensor(self) -> dict[str, dict[str, int]]:
        """The same for each parameter and each key of its state."""
        return self._inner.bytes_by_tensor()

    @property
    def gradient_norm(self) -> Tensor | None:
        """That of the last step, before clipping, on the host; with `max_norm`."""
        return self._inner.gradient_norm

    def _pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Each parameter with its copy on the host."""
        for group, own in zip(self.param_groups, self._inner.param_groups, strict=True):
            yield from zip(group["params"], own["params"], strict=True)

    def _sync(self) -> None:
        """Have the host's param groups say what those of the device say."""
        for group, own in zip(self.param_groups, self._inner.param_groups, strict=True):
            if len(group["params"]) != len(own["params"]):
                raise StructureError(
                    "the parameters of a param group were changed; use add_param_group, or call "
                    "offload on a new optimizer."
                )
            own.update({key: value for key, value in group.items() if key != "params"})


def _hosts(parameters: list[Tensor]) -> list[Tensor]:
    return [torch.nn.Parameter(host_block(p), requires_grad=p.requires_grad) for p in parameters]


def _check(parameters: list[Tensor]) -> None:
    """Raise StructureError or TensorError for parameters that cannot have copies on the host."""
    if any(hasattr(p, "to_local") for p in parameters):
        raise StructureError(
            "a parameter is sharded (a DTensor): let FSDP2 keep its shards on the CPU, "
            "fully_shard(model, offload_policy=CPUOffloadPolicy()), and use the optimizer without "
            "offload: its step then runs there."
        )
    spans = sorted((str(p.device), *span(p)) for p in parameters if p.numel())
    for (device, _, end), (other, start, _) in pairwise(spans):
        if device == other and start < end:
            raise TensorError(
                "two parameters share memory, or one was given twice: their copies on the host "
                "would not. Give the optimizer the tensor that both are parts of."
            )


def _on_host(state_dict: StateDict) -> StateDict:
    """The same with its tensors on the host, where PyTorch leaves some where they are."""
    state = {
        key: {name: x.cpu() if isinstance(x, Tensor) else x for name, x in entry.items()}
        if isinstance(entry, dict)
        else entry
        for key, entry in state_dict["state"].items()
    }
    return {**state_dict, "state": state}
