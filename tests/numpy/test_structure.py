"""How parameters are nested: arrays in lists, tuples and dicts, to any depth."""

from collections import OrderedDict, defaultdict
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import StructureError
from ruleonce.numpy.structure import Structure


class Layer(NamedTuple):
    weight: object
    bias: object


NESTED = {"layers": [{"weight": 1, "bias": 2}, (3, 4)], "scale": 5}


def test_names_are_paths():
    structure = Structure.of(NESTED)

    names = ("layers.0.weight", "layers.0.bias", "layers.1.0", "layers.1.1", "scale")
    assert names == structure.names
    assert Structure.of(1).names == ("",)
    assert Structure.of([1, 2]).names == ("0", "1")
    assert Structure.of({1: 1, 2: {"x": 1}}).names == ("1", "2.x")
    assert Structure.of([]).names == ()


def test_what_is_flattened_comes_back_in_the_same_nesting():
    structure = Structure.of(NESTED)

    leaves = structure.flatten(NESTED, "numbers")

    assert leaves == [1, 2, 3, 4, 5]
    assert structure.unflatten(iter(leaves)) == NESTED
    assert isinstance(structure.unflatten(iter(leaves))["layers"][1], tuple)


@pytest.mark.parametrize(
    "same",
    [
        {"scale": 5, "layers": [{"bias": 2, "weight": 1}, (3, 4)]},
        {"layers": ({"weight": 1, "bias": 2}, [3, 4]), "scale": 5},
        OrderedDict(scale=5, layers=[OrderedDict(bias=2, weight=1), Layer(3, 4)]),
        MappingProxyType({**NESTED}),
        defaultdict(list, NESTED),
    ],
    ids=["another order", "lists for tuples", "OrderedDict", "read-only mapping", "defaultdict"],
)
def test_equal_keys_are_enough(same):
    assert Structure.of(NESTED).flatten(same, "numbers") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({**NESTED, "layers": [NESTED["layers"][0]]}, ["1 numbers at 'layers' for 2"]),
        ({**NESTED, "layers": [{"weight": 1}, (3, 4)]}, ["at 'layers.0' lack 'bias'"]),
        (
            {**NESTED, "layers": [{"weight": 1, "biass": 2}, (3, 4)]},
            ["at 'layers.0' lack 'bias'", "found 'biass' instead"],
        ),
        (
            {**NESTED, "layers": [{"weight": 1, "bias": 2, "bia": 3}, (3, 4)]},
            ["at 'layers.0' have 'bia'", "no parameter", "did you mean 'bias'?"],
        ),
        ({**NESTED, "layers": [(1, 2), (3, 4)]}, ["at 'layers.0' must be a dict", "found tuple"]),
        (
            {**NESTED, "layers": [NESTED["layers"][0], np.ones(2)]},
            ["at 'layers.1' must be a list of 2", "numpy.ndarray of shape (2,)"],
        ),
        ({**NESTED, "layers": None}, ["at 'layers' must be a list of 2", "NoneType"]),
        ({f"k{i}": 0 for i in range(9)}, ["lack 'layers', 'scale'", "'k3', ..."]),
    ],
)
def test_the_first_place_that_differs_is_named(other, words):
    with pytest.raises(StructureError) as caught:
        Structure.of(NESTED).flatten(other, "numbers")

    for word in ["the numbers" if "numbers" not in words[0] else "numbers", *words]:
        assert word in str(caught.value)


def test_a_default_dict_is_not_filled_by_asking_it():
    """`tree[key]` of a defaultdict makes what is missing."""
    gradients = defaultdict(lambda: np.ones(2), a=np.ones(2))
    optimizer = ro.SGD({"a": np.ones(2), "b": np.ones(2)})

    with pytest.raises(StructureError, match="lack 'b'"):
        optimizer.step(gradients)

    assert list(gradients) == ["a"]


def test_every_nesting_is_stepped_and_its_state_is_nested_alike():
    params = {
        "one": np.zeros(2),
        "list": [np.zeros(3), {"deep": (np.zeros(()), np.zeros((1, 1)))}],
        "layer": Layer(np.zeros((2, 2)), np.zeros(2)),
        "none": [],
        0: np.zeros(1),
    }
    gradients = {
        "one": np.full(2, 1.0),
        "list": [np.full(3, 2.0), {"deep": (3.0, np.full((1, 1), 4.0))}],
        "layer": Layer(np.full((2, 2), 5.0), np.full(2, 6.0)),
        "none": [],
        0: np.full(1, 7.0),
    }
    optimizer = ro.Momentum(params, learning_rate=1.0)

    optimizer.step(gradients)

    assert params["list"][1]["deep"][0] == -3.0
    assert params[0] == [-7.0]
    np.testing.assert_array_equal(params["layer"].bias, [-6.0, -6.0])
    state = optimizer.state["m"]
    assert list(state) == list(params)
    np.testing.assert_array_equal(state["list"][1]["deep"][1], [[-4.0]])
    np.testing.assert_array_equal(state["layer"][0], np.full((2, 2), -5.0))
    assert state["none"] == []
    assert optimizer.names == (
        "one", "list.0", "list.1.deep.0", "list.1.deep.1", "layer.0", "layer.1", "0"
    )  # fmt: skip


def test_gradients_in_another_order_go_to_their_own_parameters():
    params = {"a": np.zeros(2), "b": np.zeros(2)}

    ro.SGD(params, learning_rate=1.0).step({"b": np.full(2, 2.0), "a": np.ones(2)})

    np.testing.assert_array_equal(params["a"], [-1.0, -1.0])
    np.testing.assert_array_equal(params["b"], [-2.0, -2.0])
