"""An optimizer in a training program: what stands around a step.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import os
import threading
import warnings

import pytest
import torch
from alone import alone
from torch import nn
from training import backward, model, parameter

import ruleonce.torch as rt


def test_a_trace_of_the_profiler_contains_the_step():
    net = model()
    optimizer = rt.Adam(net.parameters())
    backward(net, 0)
    optimizer.step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        optimizer.step()
        optimizer.zero_grad()
    names = {event.key for event in profiler.key_averages()}
    assert {"Optimizer.step#Adam.step", "Optimizer.zero_grad#Adam.zero_grad"} <= names


def test_its_text_is_that_of_pytorchs():
    weights = [parameter()]
    assert repr(rt.AdamW(weights)) == repr(torch.optim.AdamW(weights))


def test_it_is_an_optimizer_of_pytorch_of_the_same_name():
    for name in ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "ASGD", "Rprop"):
        made = getattr(rt, name)([parameter()])
        assert isinstance(made, getattr(torch.optim, name))
        assert type(made).__name__ == name


@pytest.mark.parametrize("flag", ["foreach", "fused", "capturable"])
def test_flags_that_choose_an_implementation_change_nothing(flag):
    found = []
    for options in ({}, {flag: True}, {flag: False}):
        weights = parameter(gradient=[1.0, 2.0, 3.0])
        optimizer = rt.AdamW([weights], **options)
        optimizer.step()
        found.append(weights)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_two_threads_may_each_have_an_optimizer():
    """With steps that are large enough for several threads of their own."""

    def train_alone(seed, results):
        generator = torch.Generator().manual_seed(seed)
        weights = nn.Parameter(torch.randn(100_003, generator=generator))
        optimizer = rt.Adam([weights], lr=0.01)
        for _ in range(30):
            weights.grad = torch.randn(100_003, generator=generator)
            optimizer.step()
        results[seed] = weights.detach()

    expected, got = {}, {}
    for seed in (0, 1):
        train_alone(seed, expected)
    threads = [threading.Thread(target=train_alone, args=(seed, got)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(got) == {0, 1}
    assert all(torch.equal(got[seed], expected[seed]) for seed in got)


@alone
def test_a_process_forked_after_a_large_step_goes_on():
    weights = nn.Parameter(torch.zeros(300_000))
    optimizer = rt.SGD([weights], lr=1.0)
    weights.grad = torch.ones(300_000)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of threads in a process that forks
        child = os.fork()
    if child == 0:
        optimizer.step()
        fine = bool((weights.detach().numpy() == -2).all())  # PyTorch's own threads are not there
        os._exit(0 if fine else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        threading.Event().wait(0.1)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0
    optimizer.step()
    assert (weights == -2).all()


def test_the_number_of_threads_does_not_change_a_bit():
    def drive(threads):
        torch.set_num_threads(threads)
        several = [nn.Parameter(torch.linspace(-1, 1, n)) for n in (70_001, 3, 130_003)]
        optimizer = rt.AdamW(several)
        for t in range(3):
            for p in several:
                p.grad = (p.detach() + t).sin()
            optimizer.step()
        return several

    before = torch.get_num_threads()
    try:
        runs = [drive(count) for count in (1, 2, 3)]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for run in runs[1:] for a, b in zip(runs[0], run, strict=True))
