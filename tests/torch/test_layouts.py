"""Tensors as they come: any layout of parameter and gradient, and gradients that share memory.

The expectation is torch.optim's for-loop on contiguous copies. What lies between the elements of a
slice stays as it was, and no layout changes a bit of the result.
"""

import pytest
import torch

import ruleonce.torch as rt
from ruleonce.errors import TensorError

SHAPE = (6, 10)
STEPS = 3


def buffer(dtype, size=2048, seed=3):
    """Numbers to lay tensors over."""
    made = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if dtype.is_complex:
        made = torch.complex(made, made.flip(0))
    return made.to(dtype)


def unaligned(base, shape, dtype):
    """A tensor that starts one byte into the memory of `base`."""
    raw = bytearray(base.view(torch.uint8).tolist())
    count = torch.Size(shape).numel()
    # PyTorch refuses such an offset of a tensor, but takes it from a buffer.
    return torch.frombuffer(raw, dtype=dtype, count=count, offset=1).view(shape)


# Each takes flat memory, and gives a tensor in it.
TWO = {
    "contiguous": lambda b: b[:60].view(SHAPE),
    "in the middle": lambda b: b[7:67].view(SHAPE),
    "transposed": lambda b: b[:60].view(SHAPE[::-1]).t(),
    "every other column": lambda b: b[:120].view(6, 20)[:, ::2],
    "a slice of the last dimension": lambda b: b[:120].view(6, 10, 2)[..., 0],
    "every other row": lambda b: b[:120].view(12, 10)[::2],
    "a block of a matrix": lambda b: b[:400].view(20, 20)[3:9, 5:15],
    "a block, transposed": lambda b: b[:400].view(20, 20)[5:15, 3:9].t(),
    "a view of a bucket, transposed": lambda b: b[100:160].view(SHAPE[::-1]).t(),
}
OTHERS = {
    "contiguous": lambda b, s: b[: s.numel()].view(s),
    "last dimension first": lambda b, s: b[: s.numel()].view(s[-1:] + s[:-1]).movedim(0, -1),
    "sliced": lambda b, s: b[: 2 * s.numel()].view(*s, 2)[..., 1],
}
SHAPES = [(), (1,), (5,), (0,), (0, 5), (5, 0), (1, 12, 1), (2, 3, 4, 5), (2, 3, 2, 4, 5), (1, 1)]
DTYPES = [torch.float64, torch.float32]
HALVES = [torch.bfloat16, torch.float16]
CLASSES = {
    "Adam": (rt.Adam, torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    "SGD": (rt.SGD, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
}


# Parameters before the one that the test is about: what is true of one is true of the thirtieth.
crowded = pytest.mark.parametrize("crowd", [0, 30])


def bystanders(crowd):
    several = [torch.nn.Parameter(torch.zeros(2)) for _ in range(crowd)]
    for parameter in several:
        parameter.grad = torch.zeros(2)
    return several


def gradients_of(shape, dtype, steps=STEPS):
    """What the gradients are, by value."""
    return [
        buffer(dtype, seed=10 + t)[: torch.Size(shape).numel()].view(shape) for t in range(steps)
    ]


def run(cls, start, gradients, options):
    """A run of PyTorch's own over a contiguous copy; also of ours, for its bits."""
    parameter = torch.nn.Parameter(start.detach().clone().contiguous())
    optimizer = cls([parameter], **options)
    for gradient in gradients:
        parameter.grad = gradient.detach().clone().contiguous()
        optimizer.step()
    return parameter.detach(), optimizer.state[parameter]


def loop(cls, start, gradients, options):
    return run(cls, start, gradients, {**options, "foreach": False, "fused": False})


def check(weights, lay_gradient, name, assert_near, engine="auto"):
    """Run ours over weights as they lie, with gradients laid out by `lay_gradient`."""
    ours, theirs, options = CLASSES[name]
    start = weights.clone()
    dtype = weights.dtype
    values = gradients_of(weights.shape, dtype)
    parameter = torch.nn.Parameter(weights)
    assert parameter.data_ptr() == weights.data_ptr()
    optimizer = ours([parameter], **options, engine=engine)
    for value in values:
        parameter.grad = lay_gradient(value)
        optimizer.step()

    alike, state = run(ours, start, values, {**options, "engine": engine})
    assert torch.equal(weights, alike)  # not a bit depends on the layout
    for key, kept in state.items():
        assert torch.equal(optimizer.state[parameter][key], kept), key
    if dtype in HALVES:  # PyTorch rounds each operation to 16 bits, so it is run in float64
        wide, _ = loop(theirs, start.double(), [v.double() for v in values], options)
        ulp = torch.finfo(dtype).eps * start.double().abs().max().item()
        state_error = 0.02 * (wide - start.double()).abs().max().item()
        assert (weights.double() - wide).abs().max().item() <= STEPS * ulp + state_error
    else:
        expected, theirs_kept = loop(theirs, start, values, options)
        assert_near(weights, expected, start)
        for key in set(theirs_kept) - {"step"}:
            assert_near(optimizer.state[parameter][key], theirs_kept[key], torch.zeros_like(start))
    return start


def neighbours_stay(base, weights, start, before):
    """Put the weights back: then the memory around them is what it was."""
    weights.copy_(start)
    assert torch.equal(base, before)


# Every pair of layouts in float32; the other dtypes over layouts that differ in kind.
KINDS = ["in the middle", "transposed", "a slice of the last dimension"]
PAIRS = [
    *((a, b, torch.float32) for a in TWO for b in TWO),
    *((a, b, d) for a in KINDS for b in KINDS for d in (torch.float64, *HALVES)),
]


@pytest.mark.parametrize(("of_weights", "of_gradient", "dtype"), PAIRS, ids=str)
def test_any_layout_of_weights_and_gradient_gives_the_same(
    of_weights, of_gradient, dtype, assert_near
):
    base = buffer(dtype)
    before = base.clone()
    weights = TWO[of_weights](base)

    def lay(value):
        laid = TWO[of_gradient](buffer(dtype, seed=99))
        return laid.copy_(value)

    for name in CLASSES:
        start = check(weights, lay, name, assert_near)
        neighbours_stay(base, weights, start, before)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("of_gradient", OTHERS)
@pytest.mark.parametrize("of_weights", OTHERS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape_gives_the_same(shape, of_weights, of_gradient, dtype, assert_near):
    base = buffer(dtype)
    before = base.clone()
    shape = torch.Size(shape)
    if not shape and "first" in of_weights + of_gradient:
        shape = torch.Size((1,))
    weights = OTHERS[of_weights](base, shape)

    def lay(value):
        return OTHERS[of_gradient](buffer(dtype, seed=99), shape).copy_(value)

    start = check(weights, lay, "Adam", assert_near)
    neighbours_stay(base, weights, start, before)


@pytest.mark.parametrize(
    ("shape", "form"),
    [((2, 3, 4, 5), torch.channels_last), ((2, 3, 2, 4, 5), torch.channels_last_3d)],
    ids=["4-D", "5-D"],
)
@pytest.mark.parametrize("gradient_alike", [True, False])
def test_channels_last_weights_stay_channels_last(shape, form, gradient_alike, assert_near):
    weights = buffer(torch.float32)[: torch.Size(shape).numel()].view(shape)
    weights = weights.contiguous(memory_format=form)

    def lay(value):
        return value.contiguous(memory_format=form) if gradient_alike else value.clone()

    check(weights, lay, "Adam", assert_near)
    assert weights.is_contiguous(memory_format=form)


def test_weights_that_are_not_aligned_are_updated_where_they_are(assert_near):
    for dtype in (*DTYPES, *HALVES):
        weights = unaligned(buffer(dtype, 70), SHAPE, dtype)
        assert weights.data_ptr() % weights.itemsize
        weights.copy_(TWO["contiguous"](buffer(dtype)))
        check(weights, torch.clone, "Adam", assert_near)


def test_a_gradient_that_is_not_aligned_is_read(assert_near):
    for dtype in (*DTYPES, *HALVES):
        laid = unaligned(buffer(dtype, 70), SHAPE, dtype)
        assert laid.data_ptr() % laid.itemsize
        check(TWO["contiguous"](buffer(dtype)), laid.copy_, "Adam", assert_near)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((1, 5), (77, 1)), ((5, 1), (1, 33)), ((1, 1, 4), (0, 9, 1)), ((3, 1, 2), (2, 0, 1))],
    ids=str,
)
def test_strides_of_dimensions_of_size_one_mean_nothing(shape, strides, assert_near):
    weights = buffer(torch.float32).as_strided(shape, strides)
    check(weights, torch.clone, "SGD", assert_near)
    contiguous = buffer(torch.float32)[: weights.numel()].view(shape)
    odd = torch.empty(100).as_strided(shape, strides)
    check(contiguous, odd.copy_, "SGD", assert_near)


@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_an_expanded_gradient_is_one_number_for_all_weights(engine):
    parameter = torch.nn.Parameter(torch.zeros(3, 4))
    optimizer = rt.SGD([parameter], lr=0.5, momentum=0.5, engine=engine)
    for _ in range(2):
        parameter.grad = torch.ones(()).expand(3, 4)
        optimizer.step()
    assert torch.equal(parameter.detach(), torch.full((3, 4), -1.25))  # 0.5 * (1 + 1.5)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("of_gradient", TWO)
@pytest.mark.parametrize("of_weights", ["contiguous", "transposed", "every other column"])
def test_complex_weights_are_pairs_of_reals(of_weights, of_gradient, dtype, assert_near):
    base = buffer(dtype)
    before = base.clone()
    weights = TWO[of_weights](base)

    def lay(value):
        return TWO[of_gradient](buffer(dtype, seed=99)).copy_(value)

    for name in CLASSES:
        start = check(weights, lay, name, assert_near)
        neighbours_stay(base, weights, start, before)


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("name", CLASSES)
def test_a_conjugate_view_is_read_as_the_conjugate(name, engine, assert_near):
    def lay(value):
        laid = value.conj().resolve_conj().conj()
        assert laid.is_conj()
        return laid

    check(TWO["contiguous"](buffer(torch.complex64)), lay, name, assert_near, engine)
    check(TWO["transposed"](buffer(torch.complex64)), lay, name, assert_near, engine)


@crowded
@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("later", [False, True], ids=["at once", "at the second step"])
def test_a_negated_view_is_read_as_the_negative(engine, later, crowd):
    """The imaginary part of a conjugate is such a view: its memory holds the negative."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = rt.SGD([*bystanders(crowd), parameter], lr=1.0, engine=engine)
    if later:
        parameter.grad = torch.zeros(1)
        optimizer.step()
    gradient = torch.tensor([1 + 2j]).conj().imag
    assert gradient.is_neg()
    assert gradient.item() == -2
    parameter.grad = gradient
    optimizer.step()
    assert parameter.item() == 2


@pytest.mark.parametrize("dtype", [*DTYPES, *HALVES], ids=str)
def test_gradients_may_be_views_of_one_bucket(dtype, assert_near):
    shapes = [(3, 4), (5,), (), (2, 2, 2), (0,)]
    starts = [buffer(dtype, seed=i)[: torch.Size(s).numel()].view(s) for i, s in enumerate(shapes)]
    total = sum(x.numel() for x in starts)
    for odd in (0, 1):  # the bucket itself begins anywhere
        ours = [torch.nn.Parameter(x.clone()) for x in starts]
        alike = [torch.nn.Parameter(x.clone()) for x in starts]
        one, other = rt.AdamW(ours), rt.AdamW(alike)
        bucket = buffer(dtype, seed=50)[odd : odd + total]
        parts = bucket.split([x.numel() for x in starts])
        views = [x.view(s) for x, s in zip(parts, shapes, strict=True)]
        for t in range(STEPS):
            bucket.copy_(buffer(dtype, seed=60 + t)[:total])
            for mine, its, view in zip(ours, alike, views, strict=True):
                mine.grad, its.grad = view, view.clone()
            one.step()
            other.step()
        assert all(map(torch.equal, ours, alike))


def sharing(name, weights):
    """A gradient that lies, wholly or in part, where the weights lie."""
    base = torch.as_strided(weights, (weights.numel() + 20,), (1,), 0)
    return {
        "is the weights": lambda: weights.detach(),
        "is the weights, transposed": lambda: weights.detach().t(),
        "begins within": lambda: base[10 : 10 + weights.numel()].view(weights.shape),
        "is one row, expanded": lambda: weights.detach()[:1].expand(weights.shape),
    }[name]()


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize(
    "how", ["is the weights", "is the weights, transposed", "begins within", "is one row, expanded"]
)
@pytest.mark.parametrize("size", [8, 300])
def test_a_gradient_may_share_memory_with_its_weights(how, size, engine, assert_near):
    """Each element is read before any is written, on one thread or several."""
    base = torch.randn(size * size + 20, generator=torch.Generator().manual_seed(0))
    parameter = torch.nn.Parameter(base[: size * size].view(size, size))
    assert parameter.data_ptr() == base.data_ptr()
    start = parameter.detach().clone()
    optimizer = rt.Adam([parameter], lr=0.01, engine=engine)
    expected = torch.nn.Parameter(start.clone())
    theirs = torch.optim.Adam([expected], lr=0.01, foreach=False)
    for _ in range(STEPS):
        parameter.grad = sharing(how, parameter)
        expected.grad = parameter.grad.clone()
        optimizer.step()
        theirs.step()
    assert_near(parameter, expected, start)


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("key", ["exp_avg", "exp_avg_sq"])
def test_a_gradient_may_share_memory_with_state(key, engine, assert_near):
    parameter = torch.nn.Parameter(torch.ones(40))
    optimizer = rt.Adam([parameter], lr=0.01, engine=engine)
    expected = torch.nn.Parameter(torch.ones(40))
    theirs = torch.optim.Adam([expected], lr=0.01, foreach=False)
    gradient = buffer(torch.float32)[:40]
    for t in range(STEPS):
        parameter.grad = gradient if t == 0 else optimizer.state[parameter][key].detach()
        expected.grad = parameter.grad.clone()
        optimizer.step()
        theirs.step()
    assert_near(parameter, expected, torch.ones(40))


def test_gradients_may_be_one_tensor_for_several_parameters():
    gradient = torch.arange(6.0)
    several = [torch.nn.Parameter(torch.zeros(6)) for _ in range(3)]
    optimizer = rt.SGD(several, lr=1.0)
    for parameter in several:
        parameter.grad = gradient
    optimizer.step()
    assert all(torch.equal(p, -gradient) for p in several)


def test_the_gradient_of_one_parameter_may_be_the_weights_of_another():
    """The gradients count as they were when the step began, in whatever order it goes."""
    one, other = (torch.nn.Parameter(torch.full((5,), x)) for x in (1.0, 2.0))
    optimizer = rt.SGD([one, other], lr=1.0)
    one.grad, other.grad = other.detach(), one.detach()
    optimizer.step()
    assert torch.equal(one, torch.full((5,), -1.0))
    assert torch.equal(other, torch.full((5,), 1.0))


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_an_expanded_parameter_is_refused(engine, dtype, unchanged):
    parameter = torch.nn.Parameter(torch.ones((), dtype=dtype).expand(3, 4))
    good = torch.nn.Parameter(torch.ones(3, dtype=dtype))
    optimizer = rt.Adam([good, parameter], engine=engine)
    parameter.grad, good.grad = torch.ones(3, 4, dtype=dtype), torch.ones(3, dtype=dtype)
    with unchanged(optimizer, TensorError, "parameter 1 of param group 0", "expand()", "(3, 4)"):
        optimizer.step()


def test_an_expanded_parameter_is_refused_in_no_time_however_large_it_is():
    """Without a list of the places of its elements: there is no memory for that."""
    parameter = torch.nn.Parameter(torch.ones(()).expand(10**13))
    optimizer = rt.SGD([parameter])
    parameter.grad = torch.ones(()).expand(10**13)
    with pytest.raises(TensorError, match="share one place in memory"):
        optimizer.step()


def test_a_window_that_slides_is_refused(unchanged):
    parameter = torch.nn.Parameter(torch.arange(6.0).unfold(0, 3, 1))
    optimizer = rt.SGD([parameter])
    parameter.grad = torch.ones(4, 3)
    with unchanged(optimizer, TensorError, "share one place in memory"):
        optimizer.step()


def test_strides_that_interleave_without_sharing_an_element_are_taken():
    """Places 0, 3, 2, 5, 4, 7: no two are one, though the strides are close."""
    base = torch.zeros(8)
    parameter = torch.nn.Parameter(base.as_strided((3, 2), (2, 3)))
    optimizer = rt.SGD([parameter], lr=1.0)
    parameter.grad = torch.ones(3, 2)
    optimizer.step()
    assert base.tolist() == [-1, 0, -1, -1, -1, -1, 0, -1]


def test_an_expanded_parameter_of_no_elements_shares_none():
    parameter = torch.nn.Parameter(torch.empty(0, 1).expand(0, 5))
    optimizer = rt.Adam([parameter])
    parameter.grad = torch.ones(0, 5)
    optimizer.step()
    assert optimizer.state[parameter]["step"] == 1


# --- the same address, and something else there ---------------------------------------------------


@crowded
@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_weights_that_are_transposed_in_place_are_seen(engine, crowd):
    """`p.data = p.data.t()` is the same memory at the same address, in another order."""
    parameter = torch.nn.Parameter(torch.arange(9.0).view(3, 3))
    optimizer = rt.SGD([*bystanders(crowd), parameter], lr=1.0, engine=engine)
    parameter.grad = torch.zeros(3, 3)
    optimizer.step()
    parameter.data = parameter.data.t()
    start = parameter.detach().clone()
    parameter.grad = torch.arange(9.0).view(3, 3)
    optimizer.step()
    assert torch.equal(parameter, start - parameter.grad)


@crowded
@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_weights_that_are_cut_short_in_place_are_seen(engine, crowd):
    """`p.data = p.data[:2]` begins at the same address; what is behind it is no longer its own."""
    base, gradient = torch.zeros(6), torch.ones(6)
    parameter = torch.nn.Parameter(base)
    optimizer = rt.SGD([*bystanders(crowd), parameter], lr=1.0, engine=engine)
    parameter.grad = gradient
    optimizer.step()
    parameter.grad = None
    parameter.data = parameter.data[:2]
    parameter.grad = gradient[:2]
    optimizer.step()
    assert base.tolist() == [-2, -2, -1, -1, -1, -1]


@crowded
@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_a_gradient_of_another_dtype_at_the_same_address_is_seen(engine, crowd):
    """A flat buffer for gradients is used again, or memory was freed and taken anew."""
    memory = torch.zeros(64, dtype=torch.uint8)
    parameter = torch.nn.Parameter(torch.zeros(4))
    optimizer = rt.SGD([*bystanders(crowd), parameter], lr=1.0, engine=engine)
    for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.float32):
        parameter.grad = torch.zeros(4)
        parameter.grad.data = memory.view(dtype)[:4].fill_(1)
        optimizer.step()
    assert parameter.tolist() == [-4] * 4


@crowded
@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("step", [0, 1], ids=["first step", "second step"])
@pytest.mark.parametrize("shape", [(2,), (4, 2), (16,)], ids=str)
def test_a_gradient_of_another_shape_is_refused(shape, step, engine, crowd, unchanged):
    """A kernel would read past its end."""
    parameter = torch.nn.Parameter(torch.zeros(2, 4))
    optimizer = rt.SGD([*bystanders(crowd), parameter], lr=1.0, momentum=0.9, engine=engine)
    for _ in range(step):
        parameter.grad = torch.ones(2, 4)
        optimizer.step()
    parameter.grad = torch.ones(2, 4)
    parameter.grad.data = torch.ones(shape)
    with unchanged(optimizer, TensorError, f"the gradient of {crowd} of param group 0", str(shape)):
        optimizer.step()


@crowded
def test_weights_that_are_cut_short_are_seen_whatever_the_gradients_address(crowd):
    """Pruning: the weights behind the cut are not the parameter's any more."""
    base = torch.zeros(6)
    parameter = torch.nn.Parameter(base)
    optimizer = rt.SGD([*bystanders(crowd), parameter], lr=1.0)
    parameter.grad = torch.ones(6)
    optimizer.step()
    parameter.grad = None
    parameter.data = parameter.data[:2]
    parameter.grad = torch.ones(2)
    optimizer.step()
    assert base.tolist() == [-2, -2, -1, -1, -1, -1]


def test_weights_that_become_channels_last_are_seen(assert_near):
    layer = torch.nn.Conv2d(3, 4, 3, bias=False).double()
    start = layer.weight.detach().clone()
    expected = torch.nn.Parameter(start.clone())
    optimizer, theirs = rt.Adam(layer.parameters()), torch.optim.Adam([expected], foreach=False)
    for t, gradient in enumerate(gradients_of(start.shape, torch.float64, 4)):
        if t == 2:
            layer.to(memory_format=torch.channels_last)
        layer.weight.grad = gradient.clone(memory_format=torch.preserve_format)
        expected.grad = gradient.clone()
        optimizer.step()
        theirs.step()
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert_near(layer.weight, expected, start)


# --- what PyTorch's own fused step does, measured with 2.13.0 on the CPU -------------------------

FUSED = {
    "Adam": (torch.optim.Adam, {}),
    "AdamW": (torch.optim.AdamW, {}),
    "SGD": (torch.optim.SGD, {}),
    "SGD with momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "Adagrad": (torch.optim.Adagrad, {}),
}
FIXED = (
    "torch {} is right where 2.13.0 was measured to be wrong: fused=True on the CPU, {}. Take the "
    "claim out of docs/torch.md, or give it the versions that it holds for."
)


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize(
    ("of_weights", "of_gradient"),
    [
        ("contiguous", "transposed"),
        ("transposed", "contiguous"),
        ("contiguous", "every other column"),
        ("every other column", "contiguous"),
        ("a slice of the last dimension", "a slice of the last dimension"),
        ("a block of a matrix", "contiguous"),
    ],
)
def test_pytorchs_fused_step_is_wrong_where_ours_is_right(name, of_weights, of_gradient):
    cls, options = FUSED[name]
    ours = getattr(rt, cls.__name__)
    value = gradients_of(SHAPE, torch.float32)[0]
    found = {}
    for kind, made, more in (
        ("for-loop", cls, {"foreach": False, "fused": False}),
        ("fused", cls, {"fused": True}),
        ("ours", ours, {}),
    ):
        base = buffer(torch.float32)
        weights = TWO[of_weights](base)
        start = weights.clone()
        parameter = torch.nn.Parameter(weights)
        optimizer = made([parameter], lr=0.1, **options, **more)
        parameter.grad = TWO[of_gradient](torch.zeros(2048)).copy_(value)
        optimizer.step()
        moved = weights - start
        weights.copy_(start)
        found[kind] = moved, torch.equal(base, buffer(torch.float32))

    expected, _ = found["for-loop"]
    assert torch.allclose(found["ours"][0], expected, rtol=1e-3, atol=1e-5)
    assert found["ours"][1]
    fused, neighbours_stay = found["fused"]
    is_right = torch.allclose(fused, expected, rtol=1e-3, atol=1e-5) and neighbours_stay
    layouts = f"weights {of_weights}, gradient {of_gradient}"
    assert not is_right, FIXED.format(torch.__version__, layouts)


@pytest.mark.parametrize("name", FUSED)
def test_pytorchs_fused_step_writes_into_the_neighbours_of_a_slice(name):
    cls, options = FUSED[name]
    base = torch.zeros(6, 2)
    parameter = torch.nn.Parameter(base[..., 0])
    parameter.grad = torch.ones(6)
    cls([parameter], lr=0.1, fused=True, **options).step()
    said = FIXED.format(torch.__version__, "a slice of a tensor")
    assert base[:, 1].any(), said  # neighbours that moved
    assert (base[:, 0] == 0).any(), said  # and weights that did not

    ours = torch.zeros(6, 2)
    parameter = torch.nn.Parameter(ours[..., 0])
    parameter.grad = torch.ones(6)
    getattr(rt, cls.__name__)([parameter], lr=0.1, **options).step()
    assert not ours[:, 1].any()
    assert (ours[:, 0] < 0).all()
