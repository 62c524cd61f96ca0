"""A step that leaves a tensor as it is leaves what it is stored as, to the last bit."""

import ml_dtypes
import numpy as np
import pytest

import ruleonce as ro
from ruleonce.combinators import unscaled
from ruleonce.rules.adam import adam

FORMATS = {"m": "int8", "v": "uint8_sqrt", "w": "bfloat16+8"}


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_an_infinite_gradient_changes_no_code_and_no_scale(engine):
    """int8 is not the same code for code when it is decoded and encoded again."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=10000).astype(ml_dtypes.bfloat16)
    gradient = rng.normal(size=10000).astype(np.float32)
    optimizer = ro.Optimizer(unscaled(adam), weights, formats=FORMATS, engine=engine)
    optimizer.step(gradient)

    def stored():
        return {name: x.tobytes() for name, x in {"w": weights, **optimizer.stored[""]}.items()}

    before = stored()
    optimizer.hyperparameters["found_inf"] = 1.0
    optimizer.step(gradient)
    assert stored() == before

    optimizer.hyperparameters["found_inf"] = 0.0
    optimizer.step(rng.normal(size=10000).astype(np.float32))
    assert all(stored()[name] != x for name, x in before.items())
