"""Steps inside the OpenMP team that PyTorch has loaded."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
import torch
from alone import alone

import ruleonce as ro
from ruleonce.engines import cpu, openmp, threads
from ruleonce.engines.batch import Batch
from ruleonce.formats import FLOAT32

SIZE = 300_001  # shared, and no multiple of anything


@pytest.fixture(scope="module")
def team():
    torch.rand(8, 8) @ torch.rand(8, 8)  # its library is loaded
    found = openmp.team_of(str(Path(torch.__file__).parent))
    assert found is not None, "no OpenMP library of PyTorch was found in this process"
    return found


def stepped(team, sizes, steps=3):
    """Weights and state after some steps of Adam, by a team."""
    program = ro.rules.adam.program()
    rng = np.random.default_rng(0)
    tensors = [
        [rng.normal(size=n).astype("float32") for n in sizes],
        [rng.normal(size=n).astype("float32") for n in sizes],
        [np.zeros(n, "float32") for n in sizes],
        [np.zeros(n, "float32") for n in sizes],
    ]
    batch = Batch(program, dict.fromkeys(program.tensors, FLOAT32), sizes, [0] * len(sizes))
    call = cpu.call(batch, team)
    for place, arrays in enumerate(tensors):
        call.place(place, [x.ctypes.data for x in arrays])
    for t in range(1, steps + 1):
        call.prepare([(0.1, 0.9, 0.999, 1e-8, t)])
        call.run()
    return [x for arrays in tensors for x in arrays]


@pytest.mark.parametrize(
    "sizes", [[SIZE], [1, 0, SIZE, 0, 7], [700] * 400], ids=["one", "with empty", "many"]
)
def test_the_team_gives_the_bits_of_one_thread(team, sizes, monkeypatch):
    expected = stepped(threads.POOL, sizes)  # too small for the pool: one thread
    for size in (2, 3, 7):
        monkeypatch.setattr(openmp.OpenMPTeam, "size", lambda self, size=size: size)
        for got, wanted in zip(stepped(team, sizes), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_every_thread_of_the_team_works(team):
    """Each piece notes the thread that did it, as OpenMP numbers them."""
    number = ctypes.CFUNCTYPE(ctypes.c_int)(team.questions[0])
    seen = {}

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def kernel(piece):
        seen[piece] = number()

    native = type("Native", (), {"call": kernel})()
    team.task(native, [1000, 1040, 1080])().run()

    assert sorted(seen) == [1000, 1040, 1080]
    assert len(set(seen.values())) > 1


def test_a_smaller_team_than_was_asked_for_does_every_piece(team):
    """OpenMP may give fewer threads, inside another parallel region for one."""
    seen = []
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(seen.append)
    task = team.task(type("Native", (), {"call": kernel})(), [8, 48, 88, 128, 168])
    function, data, _, flags = task.arguments
    team.parallel(*function, *data, 2, *flags)

    assert sorted(seen) == [8, 48, 88, 128, 168]


def test_a_job_that_was_done_is_not_done_again(team):
    seen = []
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(seen.append)
    job = team.task(type("Native", (), {"call": kernel})(), [8, 16])()
    job.run()
    job.run()

    assert sorted(seen) == [8, 16]


def test_it_uses_as_many_threads_as_torch_or_as_the_user_says(team, monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert team.size() == 3
        monkeypatch.setattr(threads, "_count", threads._count)
        monkeypatch.setattr(threads, "_is_set", threads._is_set)
        ro.set_threads(2)
        assert team.size() == 2
    finally:
        torch.set_num_threads(before)


def test_a_package_without_openmp_has_no_team(tmp_path, monkeypatch):
    monkeypatch.setattr(openmp, "_loaded", lambda _: [])
    assert openmp.team_of(str(tmp_path)) is None


@alone
def test_a_fork_after_a_shared_step_goes_on_in_both_processes():
    """The team of the parent has no threads in the child, and libgomp would wait for them."""
    import os
    import signal

    import torch

    import ruleonce.torch

    parameter = torch.nn.Parameter(torch.ones(300_000))
    parameter.grad = torch.ones(300_000)
    optimizer = ruleonce.torch.SGD([parameter], lr=0.5)
    optimizer.step()
    array = parameter.detach().numpy()  # PyTorch's own operations do hang in such a child
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        optimizer.step()
        os._exit(0 if np.all(array == 0.0) else 1)
    assert os.waitpid(child, 0)[1] == 0
    optimizer.step()
    assert np.all(array == 0.0)
