"""The helper itself: what fails or hangs in another process fails the test."""

import time

import pytest
import torch
import torch.distributed as dist
from ranks import RanksError, results_of


def sums():
    total = torch.tensor([float(dist.get_rank() + 1)])
    dist.all_reduce(total)
    return dist.get_rank(), total.item()


def fails():
    if dist.get_rank() == 1:
        raise ValueError("this one")


def waits_for_ever():
    if dist.get_rank() == 0:
        dist.barrier()
    else:
        time.sleep(1000)


@pytest.mark.parametrize("count", [2, 4])
def test_every_rank_returns_its_result_in_order(count):
    assert results_of(count, sums) == [(rank, count * (count + 1) / 2) for rank in range(count)]


def test_an_error_in_one_rank_is_raised_with_its_traceback():
    with pytest.raises(RanksError, match=r"rank 1 of 2(.|\n)*ValueError: this one"):
        results_of(2, fails)


def test_ranks_that_hang_are_ended_and_say_where():
    start = time.monotonic()
    with pytest.raises(RanksError, match="in waits_for_ever"):
        results_of(2, waits_for_ever, timeout=4.0)

    assert time.monotonic() - start < 15
