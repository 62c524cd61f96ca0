"""The two-layer network of CS231n in plain NumPy: affine, ReLU, affine, softmax.

No library computes the gradients: they are the lines of the course, so that everything between
the data and the update rule can be read here. Parameters are a dict of arrays, `W1` (features,
hidden), `b1` (hidden), `W2` (hidden, classes) and `b2` (classes); gradients have its structure.

Source: CS231n, assignment 1, "Two-layer neural network"; here without a penalty on the weights, so
that the loss is that of the data alone.
"""

from typing import Any  # arrays of float32 in the race, of float64 where the gradients are checked

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Labels = NDArray[np.intp]
Parameters = dict[str, Array]


def initial_parameters(
    features: int,
    hidden: int,
    classes: int,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Parameters:
    """Weights to start from: normal, of the size that keeps the spread of a ReLU layer's output.

    features, hidden, classes   the sizes of the three layers
    rng                         decides every number: the same one gives the same weights
    dtype                       of all arrays; biases start at 0

    Source: He et al. 2015, arXiv:1502.01852, equation 10.
    """

    def weights(rows: int, columns: int) -> Array:
        normal: Array = rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)
        return normal.astype(dtype)

    return {
        "W1": weights(features, hidden),
        "b1": np.zeros(hidden, dtype),
        "W2": weights(hidden, classes),
        "b2": np.zeros(classes, dtype),
    }


def copies(parameters: Parameters) -> Parameters:
    """The same numbers in arrays of their own."""
    return {name: array.copy() for name, array in parameters.items()}


def class_scores(parameters: Parameters, x: Array) -> Array:
    """A score for each row of `x` and each class; the highest of a row is the network's answer."""
    return _hidden(parameters, x) @ parameters["W2"] + parameters["b2"]


def loss(parameters: Parameters, x: Array, y: Labels) -> float:
    """The mean cross-entropy, in nats: ln(classes) for one who guesses, 0 for one who knows."""
    log_probability = _log_softmax(class_scores(parameters, x))
    return -float(log_probability[np.arange(len(y)), y].mean(dtype=np.float64))


def accuracy(parameters: Parameters, x: Array, y: Labels) -> float:
    """The share of rows, from 0 to 1, whose highest score is that of their own class."""
    return float((class_scores(parameters, x).argmax(axis=1) == y).mean())


def loss_and_gradients(parameters: Parameters, x: Array, y: Labels) -> tuple[float, Parameters]:
    """The loss on a batch, and its gradient for every parameter.

    x   (rows, features)
    y   (rows,), the class of each row, counted from 0
    """
    rows = np.arange(len(y))
    hidden = _hidden(parameters, x)
    log_probability = _log_softmax(hidden @ parameters["W2"] + parameters["b2"])
    d_scores = np.exp(log_probability)
    d_scores[rows, y] -= 1
    d_scores /= len(y)
    d_hidden = d_scores @ parameters["W2"].T
    d_hidden[hidden <= 0] = 0
    gradients = {
        "W1": x.T @ d_hidden,
        "b1": d_hidden.sum(axis=0),
        "W2": hidden.T @ d_scores,
        "b2": d_scores.sum(axis=0),
    }
    return -float(log_probability[rows, y].mean(dtype=np.float64)), gradients


def _hidden(parameters: Parameters, x: Array) -> Array:
    hidden: Array = np.maximum(x @ parameters["W1"] + parameters["b1"], 0)
    return hidden


def _log_softmax(scores: Array) -> Array:
    # Less the highest score first: exp of what is left cannot overflow.
    shifted = scores - scores.max(axis=1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
