"""What tests of the PyTorch front end share."""

import copy
from contextlib import contextmanager

import pytest
import torch

# How far a run may be from PyTorch's own, as a share of how far the weights moved: both round each
# operation once, but in another order. Beside it ULPS of the largest weight, for the rounding of
# the weights themselves, which counts where they hardly moved.
ULPS = 8
MOVEMENT = {
    torch.float64: 1e-12,
    torch.complex128: 1e-12,
    torch.float32: 1e-4,
    torch.complex64: 1e-4,
}


def bits(value):
    """A tensor as bytes; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return repr(value)
    if value.is_meta or value.layout is not torch.strided:
        return str(value.dtype), tuple(value.shape)
    flat = value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return str(value.dtype), tuple(value.shape), bytes(flat.view(torch.uint8).tolist())


def everything(optimizer):
    """All that a step may change."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = {
        id(key): {k: bits(v) for k, v in entry.items()} for key, entry in optimizer.state.items()
    }
    groups = [
        {key: bits(value) for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    return (
        [bits(p) for p in parameters],
        [bits(p.grad) for p in parameters],
        state,
        groups,
        [p._version for p in parameters],
    )


@pytest.fixture
def unchanged():
    """`with unchanged(optimizer, error, *words):` a step is refused with these words, and weights,
    gradients, state and options are bit for bit what they were.
    """

    @contextmanager
    def check(optimizer, error, *words):
        before = everything(optimizer)
        with pytest.raises(error) as caught:
            yield
        for word in words:
            assert word in str(caught.value)
        assert before == everything(optimizer)

    return check


@pytest.fixture
def assert_near():
    """`assert_near(got, expected, start)`: as near as MOVEMENT says, for a run that began at
    `start`. Lists are compared one by one.
    """

    def check(got, expected, start, share=None):
        if not isinstance(got, torch.Tensor):
            for one in zip(got, expected, start, strict=True):
                check(*one, share=share)
            return
        got, expected, start = (x.detach().resolve_conj() for x in (got, expected, start))
        assert got.shape == expected.shape
        if got.numel() == 0:
            return
        moved = (expected - start).abs().max().item()
        share = MOVEMENT[got.dtype] if share is None else share
        apart = (got - expected).abs().max().item()
        allowed = share * moved + ULPS * torch.finfo(got.dtype).eps * start.abs().max().item()
        assert apart <= allowed, f"{apart} apart; moved by {moved}"

    return check


@pytest.fixture
def assert_same_state():
    """Two optimizers' state is the same: keys in order, dtypes, shapes, values nearly."""

    def check(ours, theirs, share=1e-12):
        mine, other = ours.state_dict()["state"], theirs.state_dict()["state"]
        assert {k: list(v) for k, v in mine.items()} == {k: list(v) for k, v in other.items()}
        for place, entry in other.items():
            for name, expected in entry.items():
                got = mine[place][name]
                if expected is None:
                    assert got is None, name
                    continue
                assert got.shape == expected.shape, name
                size = expected.abs().max().item() if expected.numel() else 0.0
                apart = (got - expected).abs().max().item() if expected.numel() else 0.0
                assert apart <= share * size, (place, name, apart, size)

    return check


@pytest.fixture
def float64():
    """float64 as the default dtype of the test, in which PyTorch then keeps numbers of a step."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def pair():
    """`pair(model, ours, theirs, **options)`: two equal models, each with its optimizer."""

    def make(model, ours, theirs, **options):
        one, other = model, copy.deepcopy(model)
        return (one, ours(one.parameters(), **options)), (
            other,
            theirs(other.parameters(), **options),
        )

    return make
