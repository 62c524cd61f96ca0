"""Where a format fails, and the one beside it does not: docs/formats.md, "Does it train?"."""

import ml_dtypes
import numpy as np

import ruleonce as ro
from ruleonce.formats import FLOAT32, INT8, Part, Storage, block_max, integer, number, per_block


def to_nearest():
    """Roots in 4 bits, as codes from 0 to 15, where what is small becomes 0."""

    def decode(codes, scale):
        return (number(codes) * scale) ** 2

    def encode(x):
        scale = ro.sqrt(block_max(x)) / 15.0
        return integer(ro.sqrt(x) / ro.maximum(scale, 1e-37)), scale

    return Storage(
        "to nearest", decode, encode, {"codes": Part(INT8), "scale": per_block(FLOAT32)}, block=128
    )


def test_a_second_moment_near_zero_in_4_bits():
    """200 steps of Adam from 1 towards 0; half of the gradients are 30 times smaller."""
    steep = np.where(np.arange(4096) % 2, 1.0, 1 / 30).astype(np.float32)
    farthest, left = {}, {}
    for v in ("float32", "uint8_sqrt", "uint4_sqrt", to_nearest()):
        name = v if isinstance(v, str) else v.name
        weights = np.ones(4096, np.float32)
        optimizer = ro.Adam(weights, learning_rate=0.02, formats={"v": v})
        farthest[name] = 0.0
        for _ in range(200):
            optimizer.step(steep * weights)
            farthest[name] = max(farthest[name], float(abs(weights).max()))
        left[name] = float(abs(weights).max())

    assert farthest["to nearest"] > 4  # how far, hangs on the last bits of the first steps
    assert left["to nearest"] > 0.1
    for name in ("float32", "uint8_sqrt", "uint4_sqrt"):
        assert farthest[name] < 1, name
        assert left[name] < 1e-3, name


def test_small_steps_are_lost_in_bfloat16_and_kept_in_its_error_bits():
    """Each of 10 000 steps takes 1e-4 of the weight; 0.9999**10000 is 0.3679."""
    left = {}
    for how in ("bfloat16", "bfloat16_stochastic", "bfloat16+8", "bfloat16+16"):
        weights = np.ones(4096, ml_dtypes.bfloat16)
        optimizer = ro.SGD(weights, learning_rate=1e-4, formats={"w": how})
        for _ in range(10_000):
            optimizer.step(weights)
        left[how] = float(weights.astype(np.float64).mean())

    assert left["bfloat16"] == 1.0
    for how in ("bfloat16_stochastic", "bfloat16+8", "bfloat16+16"):
        assert abs(left[how] - 0.9999**10_000) < 0.004, how


def test_a_history_that_one_element_of_its_block_keeps_up_fades_by_chance_alone():
    """At beta2 = 0.999 a root changes by less than half a level at a step.

    1500 gradients of deviation 1, then 1500 of 0.3; one element of each block has 2 all the time.
    """
    size, found = 1 << 14, {}
    for how in ("float32", "uint8_sqrt", "uint8_sqrt_stochastic"):
        rng = np.random.default_rng(0)
        optimizer = ro.Adam(np.zeros(size, np.float32), beta2=0.999, formats={"v": how})
        found[how] = []
        for deviation in (1.0, 0.3):
            for _ in range(1500):
                gradient = rng.normal(0, deviation, size).astype(np.float32)
                gradient[::128] = 2
                optimizer.step(gradient)
            rest = optimizer.state["v"].reshape(-1, 128)[:, 1:]
            found[how].append(float(rest.astype(np.float64).mean()))

    assert found["uint8_sqrt"][0] > 1.3 * found["float32"][0]
    assert found["uint8_sqrt"][1] > 4 * found["float32"][1]
    np.testing.assert_allclose(found["uint8_sqrt_stochastic"], found["float32"], rtol=0.015)
