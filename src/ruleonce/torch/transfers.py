"""Gradients down to the host, weights up to the device, in chunks and beside other work."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby

import torch
from torch import Tensor

from .layout import layout_of, same_layout
from .slots import Slot


class _Lane:
    """What is copied between a device and the host; only a CUDA device has streams for it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._down = self._up = None
        if device.type == "cuda":
            self._down = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's
            self._up = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's

    def begin(self) -> None:
        """Copies come after what the device was asked for so far, and those up before, too."""
        if self._down is not None and self._up is not None:
            now = torch.cuda.current_stream(self._device)
            self._down.wait_stream(self._up)
            self._down.wait_stream(now)
            self._up.wait_stream(now)

    def end(self) -> None:
        """What the device is asked for from now on sees the new weights."""
        if self._up is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._up)

    def rest(self) -> None:
        """Wait until nothing is under way."""
        if self._down is not None and self._up is not None:
            self._down.synchronize()
            self._up.synchronize()

    def down(self) -> AbstractContextManager[object]:
        """Within it, copies go down."""
        return nullcontext() if self._down is None else torch.cuda.stream(self._down)

    def up(self) -> AbstractContextManager[object]:
        """Within it, copies go up."""
        return nullcontext() if self._up is None else torch.cuda.stream(self._up)

    def mark(self) -> torch.cuda.Event | None:
        """An event behind all that goes down so far."""
        return None if self._down is None else self._down.record_event()


class _Pair:
    """A parameter, and its copy on the host.

    chunk   the number of the chunk that it is part of
    """

    def __init__(self, parameter: Tensor, host: Tensor, chunk: int) -> None:
        self.parameter = parameter
        self.host = host
        self.chunk = chunk
        self._gradient: Tensor | None = None
        self._seen: tuple[int, int] | None = None  # the weights that the host has a copy of

    @torch.no_grad()
    def fetch(self, *, anew: bool = False) -> None:
        """Bring the weights down, if they were written to since they were here."""
        if not anew and self._seen == self._version:
            return
        if not _is_copy_of(self.host, self.parameter):
            self.host.data = host_block(self.parameter)
        self.host.copy_(self.parameter)
        self._seen = self._version

    @property
    def _version(self) -> tuple[int, int]:
        return self.parameter.data_ptr(), self.parameter._version

    @torch.no_grad()
    def gradient_down(self) -> Tensor:
        """The gradient in memory of the host, on its way; one that no rule takes stays itself."""
        gradient = self.parameter.grad
        assert gradient is not None  # noqa: S101
        if gradient.layout is not torch.strided or gradient.shape != self.host.shape:
            return gradient
        room = self._gradient
        if (
            room is None
            or (room.shape, room.dtype) != (self.host.shape, gradient.dtype)
            or not same_layout(room, self.host)
        ):
            room = self._gradient = host_block(self.host, gradient.dtype, gradient.device)
        # Copies that change the layout or conjugate are not asynchronous between devices.
        plain = gradient.detach().resolve_conj().resolve_neg()
        if not same_layout(plain, room):
            plain = torch.empty_like(room, device=plain.device).copy_(plain)
        room.copy_(plain, non_blocking=True)
        return room

    @torch.no_grad()
    def weights_up(self) -> None:
        """Send the weights to the device."""
        self.parameter.copy_(self.host.detach(), non_blocking=True)
        self._seen = self._version


def host_block(
    tensor: Tensor, dtype: torch.dtype | None = None, device: torch.device | None = None
) -> Tensor:
    """New memory of the host that a kernel walks as it does `tensor`; pinned where that is of use.

    device   that it is copied from and to; None for that of `tensor`
    """
    form = layout_of(tensor)
    is_pinned = (device or tensor.device).type == "cuda"
    return torch.empty_strided(
        form.shape, form.stride(), dtype=dtype or form.dtype, device="cpu", pin_memory=is_pinned
    )


def _is_copy_of(host: Tensor, tensor: Tensor) -> bool:
    return (host.shape, host.dtype) == (tensor.shape, tensor.dtype) and same_layout(
        host, layout_of(tensor)
    )


class Transfers:
    """The carrier of an optimizer whose parameters lie on devices.

    chunk_bytes   weights that are copied in one go, at least; a tensor is not divided
    """

    def __init__(self, chunk_bytes: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._pairs: dict[int, _Pair] = {}  # by the id of the host's
        self._lanes: dict[torch.device, _Lane] = {}
        self._events: dict[int, torch.cuda.Event | None] = {}  # by chunk: not waited for yet
        self._chunk, self._filled, self._on = 0, 0, torch.device("cpu")

    def add(self, parameter: Tensor, host: Tensor) -> None:
        """Carry for this parameter too."""
        if self._filled and (self._filled >= self._chunk_bytes or self._on != parameter.device):
            self._chunk, self._filled = self._chunk + 1, 0
        self._filled += parameter.nbytes
        self._on = parameter.device
        self._pairs[id(host)] = _Pair(parameter, host, self._chunk)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return self._chunk + 1

    def chunk_of(self, parameter: Tensor) -> int:
        """The number of its chunk."""
        return self._pairs[id(parameter)].chunk

    def fetch(self, *, anew: bool = False) -> None:
        """Bring down the weights that were written to on the device, or all."""
        for pair in self._pairs.values():
            pair.fetch(anew=anew)

    def start(self, hosts: Iterable[Tensor]) -> list[Tensor]:
        """Have the gradients of these come down; the tensors that they come to."""
        pairs = [self._pairs[id(host)] for host in hosts]
        for device in {pair.parameter.device for pair in pairs}:
            self._lane(device).begin()
        found = []
        for chunk, some in groupby(pairs, lambda pair: pair.chunk):
            mine = list(some)
            lane = self._lane(mine[0].parameter.device)
            with lane.down():
                found += [pair.gradient_down() for pair in mine]
            self._events[chunk] = lane.mark()
        return found

    def bring(self, slots: Sequence[Slot]) -> None:
        """Wait until the gradients of these are there."""
        for chunk in {self.chunk_of(slot.parameter) for slot in slots} & self._events.keys():
            event = self._events.pop(chunk)
            if event is not None:
                event.synchronize()

    def bring_all(self) -> None:
        """Wait until all gradients are there."""
        for event in self._events.values():
            if event is not None:
                event.synchronize()
        self._events.clear()

    def send(self, slots: Sequence[Slot]) -> None:
        """Have the new weights of these go up."""
        self._send([self._pairs[id(slot.parameter)] for slot in slots])

    def send_all(self) -> None:
        """Have all weights go up, and the device wait for them."""
        pairs = list(self._pairs.values())
        for device in {pair.parameter.device for pair in pairs}:
            self._lane(device).begin()
        self._send(pairs)
        self.end()

    def _send(self, pairs: Iterable[_Pair]) -> None:
        for pair in pairs:
            with self._lane(pair.parameter.device).up():
                pair.weights_up()

    def end(self) -> None:
        """A step is over, or was refused: nothing of it is read any more."""
        self.bring_all()
        for lane in self._lanes.values():
            lane.end()

    def rest(self) -> None:
        """Wait until nothing is under way."""
        for lane in self._lanes.values():
            lane.rest()

    def _lane(self, device: torch.device) -> _Lane:
        if device not in self._lanes:
            self._lanes[device] = _Lane(device)
        return self._lanes[device]
