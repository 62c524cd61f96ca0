"""What a CUDA graph would do again at every replay. Without a GPU a capture is only said to be
under way: what is asked is which memory a captured step would read.
"""

import pytest
import torch

import ruleonce.torch
from ruleonce import rules
from ruleonce.engines import gpu, gpu_table
from ruleonce.engines.batch import Batch
from ruleonce.errors import EngineError
from ruleonce.formats import FLOAT32

CPU = torch.device("cpu")


class Adam:
    """A call on two tensors of each kind, with its numbers on the device."""

    def __init__(self):
        program = rules.adam.program()
        self.tensors = [[torch.ones(n) for n in (5, 3000)] for _ in program.tensors]
        batch = Batch(program, dict.fromkeys(program.tensors, FLOAT32), [5, 3000], [0, 0])
        self.call = gpu.call(batch, CPU)
        for place, column in enumerate(self.tensors):
            self.call.place(place, [x.data_ptr() for x in column])
        self.inputs = torch.tensor([[1e-3, 0.9, 0.999, 1e-8, 1.0]], dtype=torch.float64)
        self.launched = []
        # The table that the kernel would read.
        self.call._launch = lambda _, table: self.launched.append(table)

    def step(self, gradients=None):
        if gradients is not None:
            self.call.place(1, [x.data_ptr() for x in gradients])
        self.call.prepare_on_device(self.inputs)
        self.call.run()
        return self.launched[-1]

    def gradients(self):
        return [torch.zeros_like(x) for x in self.tensors[1]]


@pytest.fixture
def capture(monkeypatch):
    """`capture(True)`: from now on a graph is captured."""
    kept = []
    monkeypatch.setattr(gpu_table, "_KEPT", kept)

    def switch(on):
        for module in (gpu, gpu_table):
            monkeypatch.setattr(module, "is_capturing", lambda _: on)

    switch.kept = kept
    switch(False)
    return switch


def addresses(table):
    return table[:, 4].tolist()  # of the gradients


def held(tensor, kept):
    return any(x is tensor for x in kept)


def test_a_captured_step_at_known_addresses_copies_nothing_and_its_table_is_never_written(capture):
    adam = Adam()
    old = addresses(adam.step()).copy()
    capture(True)
    captured = adam.step()
    capture(False)
    other = adam.gradients()
    later = adam.step(other)

    assert addresses(captured) == old
    assert addresses(later) == [x.data_ptr() for x in other]
    assert held(captured, capture.kept)
    assert held(adam.call._blocks, capture.kept)
    assert held(adam.call._numbers, capture.kept)
    assert adam.call.uploads == 2


def test_a_captured_step_at_new_addresses_has_a_table_of_its_own(capture):
    """Its copy is part of the graph, so what it is copied from is kept as it is."""
    adam = Adam()
    before = adam.step()
    old = addresses(before)
    adam.call._table._spare = list(torch.empty((2, *before.shape), dtype=torch.int64))
    capture(True)
    inside = adam.gradients()
    captured = adam.step(inside)
    source = next(x for x in capture.kept if x.shape == captured.shape and x is not captured)
    capture(False)

    assert captured is not before
    assert addresses(before) == old
    assert addresses(captured) == addresses(source) == [x.data_ptr() for x in inside]
    assert held(captured, capture.kept)
    # The step after it, not captured, knows that its own table is still the old one.
    assert addresses(adam.step()) == [x.data_ptr() for x in inside]
    adam.step(adam.gradients())
    assert addresses(captured) == addresses(source) == [x.data_ptr() for x in inside]


def test_a_capture_without_a_step_before_it_is_refused(capture):
    adam = Adam()
    adam.step()
    capture(True)
    with pytest.raises(EngineError, match="before each capture"):
        adam.step(adam.gradients())
    with pytest.raises(EngineError, match="not compiled yet"):
        Adam()


def test_numbers_of_the_host_are_not_captured(capture):
    adam = Adam()
    adam.step()
    capture(True)
    with pytest.raises(EngineError, match="capturable=True"):
        adam.call.prepare([(1e-3, 0.9, 0.999, 1e-8, 1)])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_captured_training_step_goes_on_after_steps_without_a_graph():
    """The gradients of the backward pass in the graph lie in memory of the graph."""
    data = torch.randn(64, 10, device="cuda")

    def training():
        torch.manual_seed(0)
        model = torch.nn.Linear(10, 3).cuda()
        optimizer = ruleonce.torch.Adam(model.parameters(), lr=1e-2, capturable=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            model(data).square().sum().backward()
            optimizer.step()

        return model, step

    (captured, step), (plain, plain_step) = training(), training()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graphs = [torch.cuda.CUDAGraph() for _ in range(2)]
    for graph in graphs:
        with torch.cuda.graph(graph):
            step()
    for number in range(6):
        graphs[number % 2].replay()
        step()
    for _ in range(3 + 12):
        plain_step()

    for p, q in zip(captured.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
