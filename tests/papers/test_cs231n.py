"""The numbers that the CS231n assignment publishes for its `optim.py`, through every engine.

Source: CS231n assignment 2, FullyConnectedNets.ipynb. Its Adam counts the step before the bias is
corrected: `t` = 5 before is 6 in the formula. It prints the numbers to 8 decimals.
"""

import numpy as np
import pytest

import ruleonce as ro

PRINTED = 5.001e-9  # half of the last printed digit


def assert_as_printed(expected, got):
    """The same numbers, as far as they were printed; and by the assignment's own measure about 1e-7
    (its text asks for "around 1e-7 or less", and its own Adam has 1.14e-7: 0.03 has few digits).
    """
    np.testing.assert_allclose(got, expected, rtol=0, atol=PRINTED)
    relative = np.abs(got - expected) / np.maximum(1e-8, np.abs(got) + np.abs(expected))
    assert np.max(relative) < 1.2e-7


def inputs(**state):
    shaped = {k: np.linspace(*ends, 20).reshape(4, 5) for k, ends in state.items()}
    w = np.linspace(-0.4, 0.6, 20).reshape(4, 5)
    dw = np.linspace(-0.6, 0.4, 20).reshape(4, 5)
    return w, dw, shaped


def stepped(engine, rule, w, dw, state, *, t=0, **hyperparameters):
    optimizer = ro.Optimizer(rule, w, engine=engine, **hyperparameters)
    optimizer.t = t
    for name, values in state.items():
        optimizer.state[name][...] = values
    optimizer.step(dw)
    return w, optimizer.state


@pytest.fixture(params=["cpu", "reference"])
def engine(request):
    return request.param


def test_adam(engine):
    w, dw, state = inputs(m=(0.6, 0.9), v=(0.7, 0.5))

    w, state = stepped(engine, ro.adam, w, dw, state, t=5, learning_rate=1e-2)

    assert_as_printed(ADAM_W, w)
    assert_as_printed(ADAM_M, state["m"])
    assert_as_printed(ADAM_V, state["v"])


def test_momentum(engine):
    w, dw, state = inputs(m=(0.6, 0.9))

    w, state = stepped(engine, ro.momentum, w, dw, state, learning_rate=1e-3)

    assert_as_printed(MOMENTUM_W, w)
    assert_as_printed(MOMENTUM_M, state["m"])


def test_rmsprop(engine):
    w, dw, state = inputs(v=(0.6, 0.9))

    w, state = stepped(engine, ro.rmsprop, w, dw, state, learning_rate=1e-2, beta2=0.99)

    assert_as_printed(RMSPROP_W, w)
    assert_as_printed(RMSPROP_V, state["v"])


MOMENTUM_W = np.array(
    [
        [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789],
        [0.47454737, 0.54133684, 0.60812632, 0.67491579, 0.74170526],
        [0.80849474, 0.87528421, 0.94207368, 1.00886316, 1.07565263],
        [1.14244211, 1.20923158, 1.27602105, 1.34281053, 1.4096],
    ]
)
MOMENTUM_M = np.array(
    [
        [0.5406, 0.55475789, 0.56891579, 0.58307368, 0.59723158],
        [0.61138947, 0.62554737, 0.63970526, 0.65386316, 0.66802105],
        [0.68217895, 0.69633684, 0.71049474, 0.72465263, 0.73881053],
        [0.75296842, 0.76712632, 0.78128421, 0.79544211, 0.8096],
    ]
)
RMSPROP_W = np.array(
    [
        [-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247],
        [-0.132737, -0.08078555, -0.02881884, 0.02316247, 0.07515774],
        [0.12716641, 0.17918792, 0.23122175, 0.28326742, 0.33532447],
        [0.38739248, 0.43947102, 0.49155973, 0.54365823, 0.59576619],
    ]
)
RMSPROP_V = np.array(
    [
        [0.5976, 0.6126277, 0.6277108, 0.64284931, 0.65804321],
        [0.67329252, 0.68859723, 0.70395734, 0.71937285, 0.73484377],
        [0.75037008, 0.7659518, 0.78158892, 0.79728144, 0.81302936],
        [0.82883269, 0.84469141, 0.86060554, 0.87657507, 0.8926],
    ]
)
ADAM_W = np.array(
    [
        [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977],
        [-0.1380274, -0.08544591, -0.03286534, 0.01971428, 0.0722929],
        [0.1248705, 0.17744702, 0.23002243, 0.28259667, 0.33516969],
        [0.38774145, 0.44031188, 0.49288093, 0.54544852, 0.59801459],
    ]
)
ADAM_V = np.array(
    [
        [0.69966, 0.68908382, 0.67851319, 0.66794809, 0.65738853],
        [0.64683452, 0.63628604, 0.6257431, 0.61520571, 0.60467385],
        [0.59414753, 0.58362676, 0.57311152, 0.56260183, 0.55209767],
        [0.54159906, 0.53110598, 0.52061845, 0.51013645, 0.49966],
    ]
)
ADAM_M = np.array(
    [
        [0.48, 0.49947368, 0.51894737, 0.53842105, 0.55789474],
        [0.57736842, 0.59684211, 0.61631579, 0.63578947, 0.65526316],
        [0.67473684, 0.69421053, 0.71368421, 0.73315789, 0.75263158],
        [0.77210526, 0.79157895, 0.81105263, 0.83052632, 0.85],
    ]
)
