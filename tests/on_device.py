"""Tensors on a device by their addresses, and steps of a stored rule there beside the same steps by
the reference engine.
"""

import numpy as np
import torch

import ruleonce as ro
from ruleonce.engines import gpu
from ruleonce.engines.batch import Batch
from ruleonce.engines.measuring import measure_together
from ruleonce.formats import Choice, format_of, stored_program
from ruleonce.language.monitor import monitored

# Bytes behind a tensor: room for what a kernel might write in error. They are no kernel's result.
_BEHIND = 8192
_UNTOUCHED = 0xA5


class Tensors:
    """NumPy arrays, and the same values on the device, one of them not aligned."""

    def __init__(self, arrays, device):
        self.arrays = arrays
        self.device = device
        self._memory = [
            torch.full((x.nbytes + _BEHIND,), _UNTOUCHED, dtype=torch.uint8, device=device)
            for x in arrays
        ]
        self._offsets = [x.itemsize if place == 3 else 0 for place, x in enumerate(arrays)]

    @property
    def addresses(self):
        return [m.data_ptr() + o for m, o in zip(self._memory, self._offsets, strict=True)]

    def put(self):
        for x, memory, offset in zip(self.arrays, self._memory, self._offsets, strict=True):
            data = torch.from_numpy(x.reshape(-1).view(np.uint8).copy())
            memory[offset : offset + x.nbytes].copy_(data)

    def got(self):
        return [
            memory[offset : offset + x.nbytes].cpu().numpy().view(x.dtype)
            for x, memory, offset in zip(self.arrays, self._memory, self._offsets, strict=True)
        ]

    def beyond(self):
        """All bytes in front of and behind the tensors; 0 where nothing was written."""
        return [
            np.delete(memory.cpu().numpy(), np.s_[offset : offset + x.nbytes]) ^ _UNTOUCHED
            for x, memory, offset in zip(self.arrays, self._memory, self._offsets, strict=True)
        ]


class Beside:
    """An optimizer of the reference engine, and the same steps on a device.

    formats    tensor name -> how it is stored
    weights    one array a parameter
    gradient   the format of the gradients
    state      makes what state starts with, from the array of a part; that of the rule without it
    reports    whether the device reports on a step too
    """

    def __init__(
        self, rule, formats, weights, device, gradient="float32", state=None, *, reports=False
    ):
        choice = Choice(formats, smallest=0)
        params = {str(place): x for place, x in enumerate(weights)}
        self.reference = reference = ro.Optimizer(rule, params, engine="reference", formats=choice)
        for array in (x for states in reference._states for x in states if state is not None):
            array[...] = state(array)
        self.gradients = [np.zeros(x.size, format_of(gradient, "dw").dtype) for x in weights]
        layout = reference._layouts[0]
        self.storages = layout.storages
        self.inputs = None  # where numbers are made on the device
        program = monitored(rule.program()) if reports else rule.program()
        self.program = stored_program(program, layout.storages)
        forms = layout.forms(weights[0], format_of(gradient, "dw"), reference._states[0])
        columns = [weights, self.gradients, *map(list, zip(*reference._states, strict=True))]
        self.tensors = dict(zip(self.program.tensors, columns, strict=True))
        self.on_device = {name: Tensors(x, device) for name, x in self.tensors.items()}
        for tensors in self.on_device.values():
            tensors.put()
        lengths = [x.size for x in weights]
        batch = Batch(self.program, forms, lengths, reference._group_of)
        self.call = gpu.call(batch, device)
        for place, tensors in enumerate(self.on_device.values()):
            self.call.place(place, tensors.addresses)

    def step(self):
        """Take a step of both with what is in `gradients`; give name -> (got, expected), one of
        each for a parameter.
        """
        reference, gradient = self.reference, self.program.tensors[1]
        self.on_device[gradient].put()
        numbers = [group.inputs(reference.t + 1) for group in reference._groups]
        if self.program.measured_scalars:
            device = self.on_device[gradient].device
            self.inputs = torch.tensor(numbers, dtype=torch.float64, device=device)
            self.call.prepare_on_device(self.inputs)
        else:
            self.call.prepare(numbers)
        measure_together([self.call])
        self.call.run()
        reference.step({str(place): x for place, x in enumerate(self.gradients)})
        return {
            name: list(zip(on_device.got(), self.tensors[name], strict=True))
            for name, on_device in self.on_device.items()
            if name != gradient
        }

    def take(self):
        """Give the optimizer of the reference engine what the device has."""
        for on_device in self.on_device.values():
            for array, got in zip(on_device.arrays, on_device.got(), strict=True):
                array[...] = got
