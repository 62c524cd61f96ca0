"""Objectives that differ from step to step: batches, and the mean of the last points."""

import numpy as np
import pytest
from bowl import CENTRE, SCALES, Bowl

import ruleonce as ro
from ruleonce.errors import StructureError


def test_batches_go_to_the_function_and_its_gradient_one_a_step():
    data = np.random.default_rng(0).normal(2.0, 1.0, (400, 8))
    seen = []

    def gradient(x, batch, power):
        seen.append(batch)
        return (x - batch.mean()) * power

    def fun(x, batch, power):
        assert batch is seen[-1]
        return float((x - batch.mean()) @ (x - batch.mean())) * power / 2

    found = ro.minimize(
        fun,
        np.zeros(1),
        args=2.0,
        jac=gradient,
        rule=ro.rules.sgd,
        batches=list(data),
        learning_rate=0.05,
        average=0.5,
    )

    np.testing.assert_array_equal(seen[:-1], data)
    assert (found.nit, found.status, found.success) == (400, 1, False)
    assert found.njev == len(seen) == 401  # the last batch once more: the answer's gradient
    assert abs(found.x[0] - data[200:].mean()) < 0.05


def test_a_run_ends_with_its_batches_and_takes_no_more_of_them_than_it_needs():
    def gradient(x, batch):
        return SCALES * (x - batch)

    batches = iter([CENTRE] * 10)
    first, rest = (
        ro.minimize(Bowl(), np.zeros(3), jac=gradient, batches=batches, maxiter=maxiter)
        for maxiter in (4, 100)
    )

    assert (first.nit, first.status) == (4, 1)
    assert (rest.nit, rest.status, rest.success) == (6, 4, False)
    assert rest.message == "There are no more batches."
    for empty in (batches, []):
        with pytest.raises(StructureError, match="batches is empty"):
            ro.minimize(Bowl(), np.zeros(3), jac=gradient, batches=empty)


def test_one_batch_without_a_slope_is_not_the_end():
    batches = [0.0, 1.0, 0.0, 1.0]

    def gradient(x, batch):
        return np.full(3, batch)

    going, asked = (
        ro.minimize(Bowl(), np.zeros(3), jac=gradient, batches=batches, gtol=gtol)
        for gtol in (None, 1e-3)
    )

    assert going.nit == 4
    assert (asked.nit, asked.success) == (0, True)


def test_a_value_is_asked_for_again_with_another_batch():
    seen = []

    def fun(x, batch):
        seen.append(batch)
        return float(batch)

    found = ro.minimize(fun, np.zeros(3), jac=lambda x, b: np.ones(3), batches=[3, 2, 1], ftol=0.0)

    assert seen == [3, 2, 1, 1]  # and once more at the answer, which is another point
    assert found.nfev == 4


@pytest.mark.parametrize("jac", [True, "callable"])
def test_what_a_callback_asks_for_is_of_the_batch_before_and_no_step_is_taken_with_it(jac):
    """It is known at the next point, where the next batch has not been looked at."""
    slopes = [1.0, 2.0, 4.0]
    told = []
    found = ro.minimize(
        (lambda x, b: (b, np.full(1, b))) if jac is True else lambda x, b: b,
        [0.0],
        jac=jac if jac is True else lambda x, b: np.full(1, b),
        rule=ro.rules.sgd,
        learning_rate=1.0,
        batches=slopes,
        callback=lambda intermediate_result: told.append(intermediate_result.fun),
    )

    assert told == slopes
    assert found.x.tolist() == [-7.0]
    assert found.njev == (6 if jac is True else 4)


def test_the_mean_of_the_last_points_is_nearer_than_the_last_point():
    rng = np.random.default_rng(1)
    last, mean = (
        ro.minimize(
            lambda x: float(x @ x) / 2,
            np.ones(5),
            jac=lambda x: x + rng.normal(size=5),
            rule=ro.rules.sgd,
            learning_rate=0.2,
            maxiter=2000,
            average=share,
        )
        for share in (0.0, 0.5)
    )

    assert mean.fun < last.fun / 10


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_average_is_that_of_the_points_on_the_way(dtype):
    bowl = Bowl()
    found = ro.minimize(
        bowl,
        np.full(3, 3.0, dtype),
        jac=bowl.gradient,
        maxiter=1000,
        learning_rate=0.01,
        gtol=0.0,
        return_all=True,
        average=0.3,
    )
    tail = np.mean(found.allvecs[-300:], axis=0, dtype=np.float64)

    np.testing.assert_allclose(found.x, tail, rtol=max(np.finfo(dtype).eps, 1e-14))
    assert found.x.dtype == dtype
    assert found.fun == Bowl()(found.x)
    np.testing.assert_allclose(found.jac, Bowl().gradient(found.x), rtol=np.finfo(dtype).eps)
    assert (found.nfev, found.njev) == (bowl.values, bowl.gradients)


def test_the_average_is_of_the_last_share_of_the_batches_where_they_are_fewer_than_the_steps():
    found = ro.minimize(
        lambda x, batch: 0.0,
        [0.0],
        jac=lambda x, batch: np.ones(1),
        rule=ro.rules.sgd,
        learning_rate=1.0,
        batches=[0] * 10,
        maxiter=1000,
        average=0.4,
    )

    assert found.nit == 10
    assert found.x.tolist() == [-8.5]  # the mean of -7 to -10


def test_a_run_that_converges_gives_the_point_where_it_did():
    bowl = Bowl()
    found = ro.minimize(bowl, np.zeros(3), jac=bowl.gradient, learning_rate=0.1, average=1.0)

    assert found.success
    assert np.max(np.abs(Bowl().gradient(found.x))) <= 1e-5
