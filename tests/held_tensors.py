"""What an optimizer of PyTorch holds, to be compared."""

import torch


def contents(parameters, optimizer):
    """Weights, and all that is kept, as it lies in memory."""
    found = {}
    for place, p in enumerate(parameters):
        found[place, "weights"] = p.detach().clone()
        found |= {(place, key): x.clone() for key, x in optimizer.state.get(p, {}).items()}
    return found


def assert_equal(found, expected):
    """The same tensors, of the same dtypes, bit for bit."""
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype, key
        assert torch.equal(found[key], tensor), key
