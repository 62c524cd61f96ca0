"""A rule wherever optax's own transformations work: chains, masks, schedules, JAX's transforms."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ruleonce as ro
import ruleonce.optax
from ruleonce.errors import HyperparameterError, RuleError

PARAMS = {"w": jnp.linspace(-2.0, 3.0, 6).reshape(2, 3), "b": jnp.array([0.5, -1.0])}


def gradients(params, t=0):
    return jax.tree.map(lambda x: 0.5 * x + 0.1 * (t + 1), params)


def walk(transformation, steps=12, params=PARAMS):
    state = transformation.init(params)
    for t in range(steps):
        updates, state = transformation.update(gradients(params, t), state, params)
        params = optax.apply_updates(params, updates)
    return params


def same(got, expected, rtol=2e-6):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-6)


PAIR = (ruleonce.optax.adamw(0.1), optax.adamw(0.1))

WRAPPED = {
    "alone": lambda tx: tx,
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(0.5), tx),
    "named_chain": lambda tx: optax.named_chain(("clip", optax.clip(0.1)), ("adam", tx)),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": False}),
    "partition": lambda tx: optax.partition(
        {"ours": tx, "none": optax.set_to_zero()}, {"w": "ours", "b": "none"}
    ),
    "multi_steps": lambda tx: optax.MultiSteps(tx, every_k_schedule=3).gradient_transformation(),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "flatten": optax.flatten,
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_it_works_wherever_optaxs_own_does(wrap):
    ours, theirs = map(wrap, PAIR)

    same(walk(ours), walk(theirs))


def test_a_schedule_of_optax_begins_at_count_0():
    schedule = optax.linear_schedule(0.1, 0.0, 8)

    same(walk(ruleonce.optax.adam(schedule)), walk(optax.adam(schedule)))


def test_hyperparameters_may_be_injected_and_changed():
    ours, theirs = (
        optax.inject_hyperparams(factory)(learning_rate=0.1, b1=0.8)
        for factory in (ruleonce.optax.adamw, optax.adamw)
    )
    state = ours.init(PARAMS)

    assert set(state.hyperparams) >= {"learning_rate", "b1", "b2", "weight_decay"}
    same(walk(ours), walk(theirs))


def test_a_mask_that_inject_hyperparams_takes_for_a_schedule_is_refused():
    injected = optax.inject_hyperparams(ruleonce.optax.adamw)

    with pytest.raises((HyperparameterError, TypeError), match=r"static_args='mask'|schedule"):
        injected(0.1, mask=lambda count: jnp.asarray(count)).init(PARAMS)
    static = optax.inject_hyperparams(ruleonce.optax.adamw, static_args=("mask",))
    kept = static(0.1, mask=lambda params: jax.tree.map(lambda x: x.ndim > 1, params))
    expected = optax.adamw(0.1, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p))
    same(walk(kept), walk(expected), 5e-5)


@pytest.mark.parametrize("mask", [{"w": True, "b": False}, {"w": False, "b": False}])
def test_a_mask_says_where_weights_decay(mask):
    ours = ruleonce.optax.adamw(0.1, weight_decay=0.5, mask=mask)

    same(walk(ours), walk(optax.adamw(0.1, weight_decay=0.5, mask=mask)))


def test_states_map_as_optaxs_do():
    state = ruleonce.optax.adam(0.1).init(PARAMS)
    doubled = optax.tree_map_params(ruleonce.optax.adam(0.1), lambda x: x + 2, state)

    assert state._fields == ("count", "mu", "nu")
    assert int(doubled.count) == 0
    same(doubled.mu, jax.tree.map(lambda x: jnp.full_like(x, 2), PARAMS))
    assert optax.tree.get(state, "nu") is state.nu


def test_parameters_are_asked_for_where_the_rule_reads_its_weights():
    def update(transformation):
        return transformation.update(gradients(PARAMS), transformation.init(PARAMS))

    update(ruleonce.optax.adam(0.1))
    with pytest.raises(ValueError, match="params"):
        update(ruleonce.optax.adamw(0.1))
    with pytest.raises(ValueError, match="params"):
        update(ruleonce.optax.lamb(0.1))


def test_none_leaves_and_extra_arguments_pass_through():
    transformation = ruleonce.optax.adam(0.1)
    params = {"w": PARAMS["w"], "b": None}
    updates, _ = transformation.update(
        gradients(params), transformation.init(params), params, value=1.0, unknown=object()
    )

    assert updates["b"] is None
    assert updates["w"].shape == (2, 3)


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_is_compiled_once_and_keeps_shapes_and_dtypes(rule):
    transformation = ruleonce.optax.transformation(rule)()
    traces = []

    @jax.jit
    def step(params, state):
        traces.append(1)
        updates, state = transformation.update(gradients(params), state, params)
        return optax.apply_updates(params, updates), state

    params, state = PARAMS, transformation.init(PARAMS)
    kinds = [(x.shape, x.dtype) for x in jax.tree.leaves(state)]
    for _ in range(3):
        params, state = step(params, state)

    assert len(traces) == 1
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(state)] == kinds
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(params))


def test_a_run_is_scanned_mapped_and_differentiated():
    def run(rate, start):
        transformation = ruleonce.optax.adam(rate)

        def body(carry, _):
            params, state = carry
            updates, state = transformation.update(params, state, params)
            return (optax.apply_updates(params, updates), state), None

        (last, _), _ = jax.lax.scan(body, (start, transformation.init(start)), length=10)
        return jnp.sum(last**2)

    start = jnp.array([1.0, -2.0])
    slope = jax.grad(run)(0.05, start)
    by_hand = (run(0.0501, start) - run(0.0499, start)) / 2e-4
    several = jax.vmap(run, (0, None))(jnp.array([0.01, 0.05]), start)

    np.testing.assert_allclose(slope, by_hand, rtol=1e-2)
    np.testing.assert_allclose(several, [run(0.01, start), run(0.05, start)], rtol=1e-6)


def test_a_state_goes_through_a_condition():
    transformation = ruleonce.optax.lamb(0.1)
    state = transformation.init(PARAMS)
    stay = (PARAMS, state)

    def step():
        return transformation.update(gradients(PARAMS), state, PARAMS)

    updates, _ = jax.lax.cond(jnp.array(True), step, lambda: stay)
    assert jax.tree.structure(updates) == jax.tree.structure(PARAMS)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_numbers_of_a_step_are_not_rounded_to_16_bits(dtype):
    """bfloat16(0.999) is 1: then 1 - beta2**t would be 0, and no weight would ever move."""
    start = jnp.full(1000, 1.0, dtype)
    ours, theirs = (
        walk(tx, 1, {"w": start})["w"] for tx in (ruleonce.optax.adam(0.1), optax.adam(0.1))
    )

    assert ours.dtype == dtype
    assert not np.array_equal(ours.astype(np.float32), start.astype(np.float32))
    np.testing.assert_array_equal(ours.astype(np.float32), theirs.astype(np.float32))


def test_the_dtype_of_the_first_state_may_be_chosen():
    state = ruleonce.optax.adam(0.1, mu_dtype=jnp.bfloat16).init(PARAMS)

    assert state.mu["w"].dtype == jnp.bfloat16
    assert state.nu["w"].dtype == jnp.float32


def test_a_total_is_that_of_all_leaves():
    @ro.rule
    def clipped(w, dw, *, learning_rate=0.1, most=1.0):
        length = ro.sqrt(ro.total(ro.dot(dw, dw)))
        w = w - learning_rate * ro.minimum(1.0, most / length) * dw
        return w

    ours = ruleonce.optax.transformation(clipped)()
    same(walk(ours), walk(optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))))


def test_mistakes_are_answered():
    with pytest.raises(RuleError, match="takes a rule"):
        ruleonce.optax.transformation(lambda w, dw: w)
    with pytest.raises(TypeError, match="b3"):
        ruleonce.optax.adam(0.1, b3=0.9)
    with pytest.raises(HyperparameterError, match="beta1"):
        ruleonce.optax.adam(0.1, b1=1.5)
    with pytest.raises(AttributeError, match="did you mean 'adam'"):
        ruleonce.optax.adam_  # noqa: B018


SHARDED = """
import jax, jax.numpy as jnp, numpy as np, optax, ruleonce.optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
assert len(jax.devices()) == 4
sharding = NamedSharding(Mesh(np.array(jax.devices()), "x"), PartitionSpec("x"))
w = jnp.linspace(-1.0, 2.0, 32)
tx = ruleonce.optax.lamb(0.1)
def step(w, state):
    updates, state = tx.update(0.3 * w, state, w)
    return optax.apply_updates(w, updates), state
whole, parts = (w, tx.init(w)), jax.device_put((w, tx.init(w)), (sharding, None))
for _ in range(5):
    whole, parts = step(*whole), jax.jit(step)(*parts)
np.testing.assert_allclose(whole[0], parts[0], rtol=2e-6)
"""


def test_sharded_parameters_take_the_steps_of_whole_ones():
    done = subprocess.run(
        [sys.executable, "-c", SHARDED],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
