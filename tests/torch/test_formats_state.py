"""State dicts of stored state: exact resumes, conversions, what torch.optim takes."""

import copy
import io
import pickle

import pytest
import torch
from held_tensors import assert_equal, contents
from torch import nn

import ruleonce.torch as rt
from ruleonce.errors import FormatError, TensorError, TensorTypeError
from ruleonce.formats import FLOAT32, INT8, Part, Storage, integer, number, per_block

SHAPES = [(40, 128), (70, 99), (9,)]
WEIGHTS = {"exp_avg": "int8", "exp_avg_sq": "uint8_sqrt", "w": "bfloat16+8"}
FOUR = {"exp_avg": "int4", "exp_avg_sq": "uint4_sqrt"}


def new(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]


def train(parameters, optimizer, first, last):
    for t in range(first, last):
        generator = torch.Generator().manual_seed(100 + t)
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)
        optimizer.step()


def through_a_file(state_dict):
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("way", [lambda x: x, copy.deepcopy, through_a_file])
@pytest.mark.parametrize(
    ("formats", "dtype"),
    [("8bit", torch.float32), (WEIGHTS, torch.bfloat16), (FOUR, torch.float32)],
)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(way, formats, dtype):
    """torch's own load_state_dict casts codes to the dtype of the parameter."""
    once, half = new(dtype), new(dtype)
    whole = rt.AdamW(once, formats=formats)
    train(once, whole, 0, 6)
    before = rt.AdamW(half, formats=formats)
    train(half, before, 0, 3)
    saved = way(before.state_dict())
    again = [nn.Parameter(p.detach().clone()) for p in half]
    after = rt.AdamW(again, formats=formats)
    after.load_state_dict(saved)
    assert_equal(contents(again, after), contents(half, before))
    if way is not copy.deepcopy:  # what is loaded is a copy
        train(half, before, 3, 4)
    train(again, after, 3, 6)

    assert_equal(contents(again, after), contents(once, whole))


@pytest.mark.parametrize("way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])  # noqa: S301
def test_a_copied_optimizer_goes_on_as_the_original(way):
    parameters = new(torch.bfloat16)
    optimizer = rt.AdamW(parameters, formats=WEIGHTS)
    train(parameters, optimizer, 0, 3)
    twins, twin = way((parameters, optimizer))
    for some, one in ((parameters, optimizer), (twins, twin)):
        train(some, one, 3, 6)
        one.load_state_dict(one.state_dict())
        train(some, one, 6, 8)

    assert_equal(contents(twins, twin), contents(parameters, optimizer))


def test_an_expanded_state_dict_is_that_of_torch_and_goes_on_there(assert_near):
    parameters, plain = new(), new()
    ours = rt.AdamW(parameters, formats="8bit", lr=0.01)
    theirs = torch.optim.AdamW(plain, lr=0.01)
    train(parameters, ours, 0, 3)
    train(plain, theirs, 0, 3)
    expanded = ours.expanded_state_dict()
    fresh = [nn.Parameter(p.detach().clone()) for p in parameters]
    other = torch.optim.AdamW(fresh, lr=0.01)
    other.load_state_dict(expanded)

    for place, entry in theirs.state_dict()["state"].items():
        found = expanded["state"][place]
        assert list(found) == list(entry)
        for key, expected in entry.items():
            assert found[key].dtype == expected.dtype
            apart = (found[key] - expected).abs().max()
            assert apart <= expected.abs().max() / 50  # of 8 bits
    start = [p.detach().clone() for p in new()]
    for some, one in ((parameters, ours), (fresh, other)):
        train(some, one, 3, 6)
    assert_near(fresh, parameters, start, share=0.05)


def test_an_expanded_state_dict_is_float32_for_weights_of_16_bits_and_has_no_error_bits():
    parameters = new(torch.bfloat16)
    formats = {"exp_avg": "int8", "exp_avg_sq": "bfloat16", "w": "bfloat16+16"}
    optimizer = rt.Adam(parameters, formats=formats)
    train(parameters, optimizer, 0, 2)

    for entry in optimizer.expanded_state_dict()["state"].values():
        assert list(entry) == ["step", "exp_avg", "exp_avg_sq"]
        assert {x.dtype for x in entry.values()} == {torch.float32}


OTHERS = {
    "8bit": "8bit",
    "float8": {"exp_avg": "float8_e4m3", "exp_avg_sq": "uint8_linear"},
    "4bit": FOUR,
    "float32": None,
}


@pytest.mark.parametrize("after", OTHERS)
@pytest.mark.parametrize("before", OTHERS)
def test_another_format_is_decoded_and_encoded(before, after):
    parameters = new()
    first = rt.Adam(parameters, formats=OTHERS[before])
    train(parameters, first, 0, 3)
    expected = first.expanded_state_dict()["state"]
    second = rt.Adam(parameters, formats=OTHERS[after], lr=0.0)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert_equal_values(second.expanded_state_dict()["state"], expected, 0.0)
    for group in second.param_groups:
        group["betas"] = (1.0, 1.0)  # a step that leaves the state as it is, in its own format
    for p in parameters:
        p.grad = torch.zeros_like(p)
    second.step()

    assert ("exp_avg.scale" in second.state[parameters[0]]) == (after != "float32")
    share = 0.0 if after in {before, "float32"} else 1 / 20 if after != "4bit" else 1 / 8
    assert_equal_values(second.expanded_state_dict()["state"], expected, share)


def assert_equal_values(found, expected, share):
    for place, entry in expected.items():
        for key in ("exp_avg", "exp_avg_sq"):
            apart = (found[place][key] - entry[key]).abs().max()
            # int8 is the same to a unit in the last place of its scale
            assert apart <= (share + 1e-6) * entry[key].abs().max(), key


def test_from_torch_and_in_other_error_bits():
    parameters = new(torch.bfloat16)
    theirs = torch.optim.AdamW(parameters)
    train(parameters, theirs, 0, 2)
    ours = rt.AdamW(parameters, formats=WEIGHTS)
    ours.load_state_dict(through_a_file(theirs.state_dict()))
    train(parameters, ours, 2, 4)
    assert ours.state[parameters[0]]["weights.error"].abs().max() > 0
    masters = ours.masters()

    wider = rt.AdamW(parameters, formats={**WEIGHTS, "w": "bfloat16+16"}, lr=0.0)
    wider.load_state_dict(ours.state_dict())
    wider.param_groups[0]["lr"] = 0.0
    train(parameters, wider, 4, 5)
    assert wider.state[parameters[0]]["weights.error"].dtype == torch.int16
    assert all(torch.equal(wider.masters()[p], masters[p]) for p in parameters)

    none = rt.AdamW(parameters, formats="8bit")
    none.load_state_dict(wider.state_dict())
    train(parameters, none, 5, 6)
    assert not any("weights.error" in none.state[p] for p in parameters)


def mine():
    def decode(codes, scale):
        return number(codes) * scale

    def encode(x):
        from ruleonce.formats import block_max

        scale = block_max(x) / 127.0
        return integer(x / (scale + 1e-30)), scale

    parts = {"codes": Part(INT8), "scale": per_block(FLOAT32)}
    return Storage("mine", decode, encode, parts, block=64, made_by=(mine,))


def test_a_format_of_ones_own_is_known_to_who_has_it(unchanged):
    parameters = new()
    own = {"exp_avg": mine()}
    optimizer = rt.Adam(parameters, formats=own)
    train(parameters, optimizer, 0, 2)
    saved = optimizer.state_dict()
    before = contents(parameters, optimizer)
    same = rt.Adam(parameters, formats=own)
    same.load_state_dict(saved)
    assert_equal(contents(parameters, same), before)

    other = rt.Adam(parameters, formats="8bit")
    train(parameters, other, 0, 1)
    with unchanged(other, FormatError, "mine", "int8"):
        other.load_state_dict(saved)


@pytest.mark.parametrize("formats", ["8bit", FOUR], ids=["8bit", "4bit"])
@pytest.mark.parametrize("keeps", [True, False])
def test_blocks_follow_the_memory_of_the_parameter_that_was_saved(keeps, formats):
    """channels-last weights are saved, and read where the order of memory is kept, or is not."""
    weights = nn.Parameter(torch.randn(16, 64, 3, 3).to(memory_format=torch.channels_last))
    optimizer = rt.Adam([weights], formats=formats)
    train([weights], optimizer, 0, 2)
    expected = optimizer.expanded_state_dict()["state"][0]["exp_avg"]
    saved = optimizer.state_dict()
    if not keeps:
        entry = saved["state"][0]
        saved["state"][0] = {key: x.contiguous() for key, x in entry.items()}
    for format_ in (torch.channels_last, torch.contiguous_format):
        again = nn.Parameter(weights.detach().clone().contiguous(memory_format=format_))
        other = rt.Adam([again], formats=formats)
        other.load_state_dict(saved)
        found = other.expanded_state_dict()["state"][0]["exp_avg"]
        assert torch.equal(found, expected)
        other.param_groups[0]["betas"] = (1.0, 1.0)
        train([again], other, 2, 3)
        if formats == "8bit":
            assert other.state[again]["exp_avg"].stride() == again.stride()
        after = other.expanded_state_dict()["state"][0]["exp_avg"]
        share = 1 / 100 if formats == "8bit" else 1 / 8
        assert (after - expected).abs().max() <= share * expected.abs().max()


def test_parts_that_do_not_belong_together_are_refused(unchanged):
    parameters = new()
    optimizer = rt.Adam(parameters, formats="8bit")
    train(parameters, optimizer, 0, 1)
    entry = optimizer.state[parameters[0]]
    kept = entry["exp_avg.scale"]
    entry["exp_avg.scale"] = kept[:7].clone()
    with unchanged(optimizer, TensorError, "exp_avg.scale", "7", "40"):
        optimizer.step()
    del entry["exp_avg.scale"]
    with unchanged(optimizer, TensorTypeError, "exp_avg", "int8"):
        optimizer.step()
    entry["exp_avg"] = torch.zeros(parameters[0].shape)  # values are taken, and stored
    train(parameters, optimizer, 1, 2)
    assert entry["exp_avg"].dtype == torch.int8
