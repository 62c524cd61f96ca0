"""State in formats: the bits of the NumPy front end, groups, exemptions, refusals."""

import itertools

import ml_dtypes
import pytest
import torch
from torch import nn

import ruleonce as ro
import ruleonce.matrices
import ruleonce.torch as rt
from ruleonce.errors import EngineError, FormatError, TensorTypeError, UnknownNameError
from ruleonce.formats import Choice, int8, uint8_sqrt

SHAPES = [(40, 128), (70, 99), (99,), ()]
# What each class of torch.optim has by way of rules.
CASES = [
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"maximize": True, "amsgrad": True}),
    ("Adagrad", {"weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"weight_decay": 0.1}),
    ("Adadelta", {"maximize": True}),
    ("Rprop", {}),
    ("ASGD", {"weight_decay": 0.1}),
    ("Lion", {"weight_decay": 0.1}),
    ("Ademamix", {}),
]


def new(dtype=torch.float32, shapes=SHAPES):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in shapes]


def set_gradients(parameters, t, dtype=None):
    generator = torch.Generator().manual_seed(100 + t)
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator).to(dtype or p.dtype)


def as_numpy(tensor):
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def in_numpy(optimizer, weights, formats):
    """The optimizer of the NumPy front end that has the rule and the numbers of one of ours."""
    choice = optimizer._choice(optimizer.param_groups[0])
    numbers = dict(zip(choice.numbers, optimizer._numbers(choice, 0), strict=True))
    return ro.Optimizer(choice.rule, weights, formats=formats, **numbers, **dict(choice.switches))


def assert_equal_to_numpy(optimizer, parameters, other, weights):
    naming = optimizer._naming
    for p, array, name in zip(parameters, weights, other.names, strict=True):
        assert as_numpy(p).tobytes() == array.tobytes()
        for part, expected in other.stored[name].items():
            state, dot, rest = part.partition(".")
            key = "weights" if state == other.rule.schema.weights else naming.key(state)
            got = optimizer.state[p][key + dot + rest]
            assert str(got.dtype) == f"torch.{expected.dtype.name}", part
            assert as_numpy(got).reshape(-1).tobytes() == expected.tobytes(), part


@pytest.mark.parametrize(
    ("name", "options", "formats", "dtype"),
    [
        (name, options, formats, dtype)
        for (name, options), (formats, dtype) in itertools.product(
            CASES,
            [
                ("8bit", torch.float32),
                ("8bit", torch.bfloat16),
                ({"w": "bfloat16+8"}, torch.bfloat16),
                ("8bit", torch.float64),
            ],
        )
    ],
)
def test_the_bits_are_those_of_the_numpy_front_end(name, options, formats, dtype):
    parameters = new(dtype)
    optimizer = getattr(rt, name)(parameters, lr=0.01, formats=formats, **options)
    weights = [as_numpy(p).copy() for p in parameters]
    other = in_numpy(optimizer, weights, formats)

    for t in range(3):
        set_gradients(parameters, t)
        optimizer.step()
        other.step([as_numpy(p.grad) for p in parameters])

    assert_equal_to_numpy(optimizer, parameters, other, weights)


@pytest.mark.parametrize(
    ("formats", "dtype"),
    [
        ({"m": "int4", "v": "uint4_sqrt"}, torch.float32),
        ({"m": "int4", "v": "uint4_sqrt", "w": "bfloat16+8"}, torch.bfloat16),
        ({"m": "float8_e4m3", "v": "float8_e5m2", "w": "float16+8"}, torch.float16),
        ({"m": "bfloat16_stochastic", "v": "uint8_linear"}, torch.float32),
        ({"m": int8(64), "v": uint8_sqrt(64), "w": "bfloat16_stochastic"}, torch.bfloat16),
    ],
)
def test_so_they_are_in_every_kind_of_format(formats, dtype):
    shapes = [(40, 128), (70, 99), (71, 99), (9,)]  # of rows in blocks, even, odd, small
    parameters = new(dtype, shapes)
    optimizer = rt.Adam(parameters, lr=0.01, formats=formats)
    weights = [as_numpy(p).copy() for p in parameters]
    other = in_numpy(optimizer, weights, formats)
    for t in range(3):
        set_gradients(parameters, t)
        optimizer.step()
        other.step([as_numpy(p.grad) for p in parameters])

    assert_equal_to_numpy(optimizer, parameters, other, weights)


def test_what_is_stored_and_how_much_it_is():
    parameters = new()
    optimizer = rt.AdamW(parameters, formats="8bit")
    set_gradients(parameters, 0)
    optimizer.step()

    first, _, small, _ = parameters
    entry = optimizer.state[first]
    assert list(entry) == ["step", *(
        f"exp_avg{square}{part}" for square in ("", "_sq") for part in ("", ".scale", ".format")
    )]  # fmt: skip
    assert entry["exp_avg"].dtype == torch.int8
    assert entry["exp_avg_sq"].dtype == torch.uint8
    assert entry["exp_avg.scale"].shape == (40, 1)  # a row of scales for each row of weights
    assert optimizer.state[small]["exp_avg"].dtype == torch.float32
    sizes = optimizer.bytes_by_tensor()
    assert sizes["0"] == {
        "exp_avg": 5120, "exp_avg.scale": 160, "exp_avg_sq": 5120, "exp_avg_sq.scale": 160,
    }  # fmt: skip
    assert sizes["1"]["exp_avg.scale"] == 4 * 55  # 6930 elements
    assert sizes["2"] == {"exp_avg": 396, "exp_avg_sq": 396}
    assert optimizer.nbytes == sum(sum(one.values()) for one in sizes.values())


@pytest.mark.parametrize("names", [("exp_avg", "exp_avg_sq"), ("m", "v")])
def test_state_is_named_as_pytorch_or_as_the_rule_has_it(names):
    parameters = new()
    formats = dict(zip(names, ("float8_e4m3", "uint8_linear"), strict=True))
    optimizer = rt.Adam(parameters, formats=formats)
    set_gradients(parameters, 0)
    optimizer.step()

    kept = optimizer.state_dict()["state"][0]
    assert [bytes(kept[f"{key}.format"].tolist()).rstrip(b"\0").decode() for key in (
        "exp_avg", "exp_avg_sq")] == ["128 - float8_e4m3", "128 - uint8_linear"]  # fmt: skip


def test_state_that_no_format_is_for_is_float32_for_weights_of_16_bits():
    parameters = new(torch.bfloat16)
    one = rt.Adam(parameters, formats={"exp_avg": "int8"})
    other = rt.Adam(parameters, formats={"exp_avg": "int8"}, state_dtype=torch.bfloat16)
    narrow = rt.Adam(parameters, formats={"exp_avg": "bfloat16"})
    for optimizer, keys in ((one, "exp_avg_sq"), (other, "exp_avg_sq"), (narrow, "exp_avg")):
        set_gradients(parameters, 0)
        optimizer.step()
        dtype = torch.float32 if optimizer is one else torch.bfloat16
        assert all(optimizer.state[p][keys].dtype == dtype for p in parameters)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(64, 64)
        self.layer = nn.Linear(64, 64)
        self.norm = nn.LayerNorm(64)

    def forward(self, x):
        return self.norm(self.layer(self.embedding(x))).square().mean()


def test_a_choice_exempts_by_size_and_by_name():
    model = Model()
    choice = Choice("8bit", smallest=100, full=["embed*", "*.bias"])
    optimizer = rt.AdamW(model.named_parameters(), formats=choice)
    model(torch.arange(64)).backward()
    optimizer.step()

    stored = {name for name, p in model.named_parameters() if "exp_avg.scale" in optimizer.state[p]}
    assert stored == {"layer.weight"}
    assert "exp_avg.scale" in optimizer.bytes_by_tensor()["layer.weight"]


def test_a_parameter_without_a_name_is_known_by_its_number():
    parameters = new()
    groups = [{"params": parameters[:1]}, {"params": parameters[1:]}]
    optimizer = rt.AdamW(groups, formats=Choice("8bit", smallest=0, full=["1", "[!0-9]"]))
    set_gradients(parameters, 0)
    optimizer.step()

    assert ["exp_avg.scale" in optimizer.state[p] for p in parameters] == [True, False, True, True]


def test_groups_of_other_rules_have_what_is_theirs():
    """The second group has no momentum, the third another rule's number of states."""
    parameters = new(shapes=[(80, 80)] * 3)
    groups = [
        {"params": parameters[:1], "lr": 0.1},
        {"params": parameters[1:2], "momentum": 0.0},
        {"params": parameters[2:], "weight_decay": 0.5, "nesterov": True},
    ]
    optimizer = rt.SGD(groups, lr=0.01, momentum=0.9, formats={"momentum_buffer": "int8"})
    alone = [p.detach().clone().requires_grad_() for p in parameters]
    others = [
        rt.SGD([p], formats={"momentum_buffer": "int8"}, **options)
        for p, options in zip(
            alone,
            [
                {"lr": 0.1, "momentum": 0.9},
                {"lr": 0.01},
                {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.5, "nesterov": True},
            ],
            strict=True,
        )
    ]
    for t in range(3):
        set_gradients(parameters, t)
        optimizer.step()
        for p, q, other in zip(parameters, alone, others, strict=True):
            q.grad = p.grad.clone()
            other.step()
    assert all(map(torch.equal, parameters, alone))
    assert ["momentum_buffer.scale" in optimizer.state.get(p, {}) for p in parameters] == [
        True, False, True,
    ]  # fmt: skip


def test_complex_weights_are_stepped_and_their_state_is_plain():
    plain = nn.Parameter(torch.randn(80, 80, dtype=torch.complex64))
    weights = nn.Parameter(plain.detach().clone())
    pair = [(weights, rt.Adam([weights], formats="8bit")), (plain, rt.Adam([plain]))]
    for p, optimizer in pair:
        p.grad = torch.ones_like(p) * (1 + 2j)
        optimizer.step()
    assert torch.equal(weights, plain)
    assert pair[0][1].state[weights]["exp_avg"].dtype == torch.complex64


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"formats": "4bit"}, FormatError, ["'4bit'", "8bit"]),
        ({"formats": {"exp_avg": "int9"}}, FormatError, ["int9", "int8"]),
        ({"formats": {"exp_av": "int8"}}, UnknownNameError, ["exp_av"]),
        ({"formats": {"w": "bfloat16+8"}}, TensorTypeError, ["bfloat16", "float32", "cast"]),
        ({"formats": "8bit", "engine": "tensors"}, EngineError, ["engine='tensors'", "m, v"]),
    ],
)
def test_what_cannot_be_is_refused_when_the_optimizer_is_made(options, error, words):
    with pytest.raises(error) as caught:
        rt.Adam(new(), **options)
    assert all(word in str(caught.value) for word in words)


def test_blocks_of_two_sizes_are_refused_and_nothing_is_changed(unchanged):
    parameters = new()
    formats = {"m": int8(64), "v": uint8_sqrt(128)}
    optimizer = rt.Adam(parameters, formats=formats)
    set_gradients(parameters, 0)
    with unchanged(optimizer, FormatError, "64", "128"):
        optimizer.step()


def test_a_device_without_kernels_is_refused(unchanged):
    weights = nn.Parameter(torch.zeros(80, 80, device="meta"))
    optimizer = rt.Adam([weights], formats="8bit")
    weights.grad = torch.zeros_like(weights)
    with unchanged(optimizer, EngineError, "meta", "full"):
        optimizer.step()


def test_a_rule_on_matrices_is_refused():
    muon = rt.optimizer(ruleonce.matrices.muon)
    with pytest.raises(EngineError, match="matrices"):
        muon([nn.Parameter(torch.zeros(80, 80))], formats={"m": "int8"})
