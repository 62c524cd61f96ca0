"""Numbers of the step that live on the device: captured steps, GradScaler, clipping, learning rates
in tensors. Without a GPU the kernels are run by Triton's interpreter, on CPU tensors.
"""

import copy

import pytest
import torch

import ruleonce.torch
from ruleonce.errors import EngineError

SHAPES = [(5, 3), (), (0,), (1030,)]
CLASSES = ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "ASGD", "Lion"]


class Run:
    """An optimizer with its parameters, and gradients that are the same in every run."""

    def __init__(self, name, device, dtype=torch.float64, **options):
        generator = torch.Generator().manual_seed(0)
        self.parameters = [
            torch.nn.Parameter(torch.randn(shape, generator=generator).to(device, dtype))
            for shape in SHAPES
        ]
        self._generator = generator
        options.setdefault("engine", "gpu")
        self.optimizer = getattr(ruleonce.torch, name)(self.parameters, **options)

    def gradients(self, scale=1.0):
        for p in self.parameters:
            new = torch.randn(p.shape, generator=self._generator)
            p.grad = (new * scale).to(p.device, p.dtype)

    def steps(self, count, scale=1.0):
        for _ in range(count):
            self.gradients(scale)
            self.optimizer.step()
        return self


def assert_close(run, other, rtol=1e-12):
    for p, q in zip(run.parameters, other.parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=rtol, atol=0.0)
        ours, theirs = run.optimizer.state[p], other.optimizer.state[q]
        assert list(ours) == list(theirs)
        for key in ours:
            torch.testing.assert_close(ours[key].cpu(), theirs[key].cpu(), rtol=rtol, atol=0.0)


@pytest.fixture
def no_waiting(monkeypatch):
    """Reading a tensor back is a fault while this is in force."""

    def refuse(self, *_):
        raise AssertionError("the step waits for the device")

    def switch(on):
        for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
            if on:
                monkeypatch.setattr(torch.Tensor, name, refuse)
        if not on:
            monkeypatch.undo()

    return switch


@pytest.mark.parametrize("name", CLASSES)
def test_the_gpu_engine_has_the_bits_of_the_cpu_engine(name, device):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        ours = Run(name, device, dtype).steps(3)
        other = Run(name, "cpu", dtype, engine="cpu").steps(3)
        for p, q in zip(ours.parameters, other.parameters, strict=True):
            assert torch.equal(p.cpu(), q)


@pytest.mark.parametrize("name", CLASSES)
def test_numbers_computed_on_the_device_are_those_of_the_host(name, device):
    plain = Run(name, device).steps(4)
    options = {"momentum": 0.9, "dampening": 0.5} if name == "SGD" else {}
    if options:
        plain = Run(name, device, **options).steps(4)
        captured = Run(name, device, **options)
        captured.optimizer.param_groups[0]["capturable"] = True
    else:
        captured = Run(name, device, capturable=True)

    assert_close(captured.steps(4), plain, rtol=1e-11)


def test_a_step_with_numbers_on_the_device_does_not_wait_for_it(device, no_waiting):
    run = Run("Adam", device, capturable=True, max_norm=1.0, lr=torch.tensor(1e-2, device=device))
    run.steps(2)
    for p in run.parameters:
        p.grad = torch.ones_like(p)
    no_waiting(True)
    try:
        run.optimizer.step()
    finally:
        no_waiting(False)
    assert run.optimizer.state[run.parameters[0]]["step"] == 3


def test_a_learning_rate_in_a_tensor_may_change_between_steps(device):
    rate = torch.tensor(1e-2, dtype=torch.float64, device=device)
    run = Run("Adam", device, lr=rate, capturable=True).steps(2)
    rate.fill_(5e-2)
    run.steps(2)

    plain = Run("Adam", device, lr=1e-2).steps(2)
    plain.optimizer.param_groups[0]["lr"] = 5e-2
    assert_close(run, plain.steps(2), rtol=1e-11)


def test_clipping_has_the_factor_of_torch(device):
    clipped = Run("Adam", device, max_norm=0.5)
    other = Run("Adam", device)
    for _ in range(3):
        clipped.gradients()
        other.gradients()
        norm = torch.nn.utils.clip_grad_norm_(other.parameters, 0.5)
        before = [p.grad.clone() for p in clipped.parameters]
        clipped.optimizer.step()
        other.optimizer.step()
        torch.testing.assert_close(clipped.optimizer.gradient_norm, norm)
        assert all(torch.equal(p.grad, g) for p, g in zip(clipped.parameters, before, strict=True))
    assert_close(clipped, other, rtol=1e-6)


class Scaled:
    """What torch.amp.GradScaler hands to a step."""

    def __init__(self, run, scale, found_inf=0.0):
        device = run.parameters[0].device
        run.optimizer.grad_scale = torch.tensor(scale, device=device)
        run.optimizer.found_inf = torch.tensor(found_inf, device=device)
        run.optimizer.step()
        del run.optimizer.grad_scale, run.optimizer.found_inf


@pytest.mark.parametrize("name", ["Adam", "NAdam", "ASGD"])
def test_gradients_are_unscaled_and_an_infinite_one_changes_nothing(name, device, no_waiting):
    scaled, plain = Run(name, device, capturable=True), Run(name, device, capturable=True)
    for number in range(5):
        if number == 2:
            before = copy.deepcopy([p.detach() for p in scaled.parameters])
            states = copy.deepcopy([dict(scaled.optimizer.state[p]) for p in scaled.parameters])
            for p in scaled.parameters:
                p.grad = torch.full_like(p, float("inf"))
            no_waiting(True)
            try:
                Scaled(scaled, 1024.0, found_inf=1.0)
            finally:
                no_waiting(False)
            for p, old, state in zip(scaled.parameters, before, states, strict=True):
                assert torch.equal(p, old)
                for key, value in scaled.optimizer.state[p].items():
                    assert torch.equal(value, state[key]), key
        scaled.gradients(1024.0)
        Scaled(scaled, 1024.0)
        plain.gradients()
        plain.optimizer.step()
    assert_close(scaled, plain)


def test_a_state_dict_goes_on_where_the_device_was(device):
    whole = Run("NAdam", device, capturable=True).steps(6)
    half = Run("NAdam", device, capturable=True).steps(3)
    half.optimizer.load_state_dict(copy.deepcopy(half.optimizer.state_dict()))
    assert_close(half.steps(3), whole)

    moved = Run("NAdam", device).steps(3)  # from the host to the device
    moved.optimizer.param_groups[0]["capturable"] = True
    assert_close(moved.steps(3), whole, rtol=1e-11)


def test_other_devices_are_named():
    parameter = torch.nn.Parameter(torch.ones(3, device="meta"))
    parameter.grad = torch.ones(3, device="meta")
    with pytest.raises(EngineError, match="meta"):
        ruleonce.torch.SGD([parameter], engine="gpu").step()


@pytest.mark.gpu
def test_a_captured_step_replays():
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    captured, plain = (Run("Adam", "cuda", capturable=True) for _ in range(2))
    for run in (captured, plain):
        run.gradients()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):  # warm up
        captured.optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    plain.optimizer.step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured.optimizer.step()
    for _ in range(5):
        graph.replay()
        plain.optimizer.step()
    assert_close(captured, plain)
    assert captured.optimizer.state[captured.parameters[0]]["step"].item() == 6
