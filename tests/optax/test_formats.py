"""State in formats, through optax: what is stored, how near it comes, and where it works."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ruleonce as ro
import ruleonce.optax
from ruleonce.errors import FormatError, UnknownNameError
from ruleonce.formats import Choice
from ruleonce.formats.choice import STORAGES, eight_bits
from ruleonce.optax.stored import Stored

SIZE = 300
EIGHT = [name for name, made in STORAGES.items() if made().block and "4" not in name[:5]]


def walk(transformation, steps=5, dtype=np.float32, size=SIZE):
    """Weights and state after some steps."""
    rng = np.random.default_rng(0)
    params = jnp.asarray(rng.normal(size=size).astype(dtype))
    state = transformation.init(params)
    for _ in range(steps):
        gradient = jnp.asarray(rng.normal(size=size).astype(dtype))
        updates, state = jax.jit(transformation.update)(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def by_numpy(rule, formats, steps=5, size=SIZE):
    rng = np.random.default_rng(0)
    optimizer = ro.Optimizer(
        rule, rng.normal(size=size).astype("f4"), engine="reference", formats=formats
    )
    for _ in range(steps):
        optimizer.step(rng.normal(size=size).astype("f4"))
    return optimizer


STORED = [rule for rule in ro.rules.ALL if eight_bits(rule, {})]


@pytest.mark.parametrize("rule", STORED, ids=lambda rule: rule.name)
def test_a_state_in_8_bits_is_that_of_the_numpy_front_end(rule):
    """One step; the codes are equal but where rounding meets the middle between two. JAX computes
    1 - beta2**t in float32, where it has 5 digits.
    """
    formats = Choice("8bit", smallest=0)
    made = ruleonce.optax.transformation(rule)(formats=formats)
    _, state = walk(made, steps=1)
    optimizer = by_numpy(rule, formats, steps=1)
    for name, storage in eight_bits(rule, {}).items():
        ours = getattr(state, name)
        codes, scale = (optimizer.stored[""][part] for part in storage.names(name))
        assert isinstance(ours, Stored)
        assert ours.parts[0].dtype == codes.dtype
        assert np.max(np.abs(np.asarray(ours.parts[0], int) - codes)) <= 1
        np.testing.assert_allclose(ours.parts[1], scale, rtol=1e-4)


@pytest.mark.parametrize("name", EIGHT)
def test_every_format_of_8_bits_can_be_named(name):
    made = ruleonce.optax.momentum(0.1, formats=Choice({"m": name}, smallest=0))
    params, state = walk(made)
    optimizer = by_numpy(ro.rules.heavy_ball, Choice({"m": name}, smallest=0))

    assert isinstance(state.trace, Stored)
    assert np.asarray(params).shape == optimizer.params.shape


def test_it_works_under_scan_vmap_and_masks():
    made = ruleonce.optax.adam(0.1, formats=Choice("8bit", smallest=0))
    params = {"a": jnp.ones((3, 40)), "b": jnp.ones(5)}
    chained = optax.chain(optax.clip(1.0), optax.masked(made, {"a": True, "b": False}))

    def step(carried, _):
        params, state = carried
        updates, state = chained.update(params, state, params)
        return (optax.apply_updates(params, updates), state), None

    (scanned, state), _ = jax.lax.scan(step, (params, chained.init(params)), None, length=20)
    many = jax.vmap(lambda x: made.update(x, made.init(x), x)[0])(jnp.ones((2, 7)))

    assert float(jnp.abs(scanned["a"]).max()) < 0.5
    assert state[1].inner_state.mu["a"].parts[0].dtype == jnp.int8
    assert many.shape == (2, 7)


def test_small_and_exempt_parameters_stay_plain():
    params = {"embedding": jnp.ones(5000), "layer": jnp.ones(5000), "bias": jnp.ones(10)}
    made = ruleonce.optax.adam(0.1, formats=Choice("8bit", full=["embed*"]))
    state = made.init(params)

    assert isinstance(state.mu["layer"], Stored)
    assert not isinstance(state.mu["embedding"], Stored)
    assert not isinstance(state.mu["bias"], Stored)


def test_state_is_a_quarter_of_that_in_float32():
    params = jnp.ones(64 * 128)
    full, small = (
        sum(x.nbytes for x in jax.tree.leaves(ruleonce.optax.adam(0.1, formats=f).init(params)))
        for f in (None, "8bit")
    )

    assert small < 0.26 * full


def test_training_in_8_bits_comes_where_float32_comes():
    """A quadratic bowl, scaled by 100 from one end to the other."""
    scales = jnp.logspace(0, 2, 5000)
    found = []
    for formats in (None, "8bit"):
        made = ruleonce.optax.adam(0.05, formats=formats)
        params = jnp.ones(5000)
        state = made.init(params)
        update = jax.jit(made.update)
        for _ in range(200):
            updates, state = update(scales * params, state, params)
            params = optax.apply_updates(params, updates)
        found.append(float(jnp.sum(scales * params**2)))

    assert found[1] < max(2 * found[0], 1.0)


def test_what_cannot_be_is_refused():
    with pytest.raises(FormatError, match="keeps state alone"):
        ruleonce.optax.adam(0.1, formats={"w": "bfloat16+8"})
    with pytest.raises(FormatError, match="4 bits"):
        ruleonce.optax.adam(0.1, formats={"m": "int4"})
    with pytest.raises(UnknownNameError, match="no tensor 'x'"):
        ruleonce.optax.adam(0.1, formats={"x": "int8"})
