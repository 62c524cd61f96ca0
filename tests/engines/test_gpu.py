"""The gpu engine against the plain rule: the same bits. Without a GPU it is run by Triton's
interpreter, with `pytest -m gpu` on a GPU.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tolerance
import torch
from on_device import Tensors

import ruleonce as ro
from ruleonce import rules
from ruleonce.emit import triton as emitter
from ruleonce.engines import gpu
from ruleonce.engines.batch import Batch
from ruleonce.engines.host import host_function
from ruleonce.engines.measuring import measure_together
from ruleonce.errors import EngineError, HyperparameterError
from ruleonce.formats import FLOAT32, FLOAT64, FORMATS, format_of
from ruleonce.language import ops

SIZES = (0, 1, 7, 1023, 1024, 1025, 3000)
SMALL = (0.0, -0.0, 1e-40, -1e-40, 1e-310)  # an infinite one would make all of a tensor nan
SPECIAL = (0.0, -0.0, 1e-40, -1e-40, 1e-310, 1e30, -1e30, np.inf, -np.inf, np.nan)


def compare(rule, formats, device, steps=3, sizes=SIZES):
    """Run a rule with two rows of hyperparameters on the device and by the reference engine."""
    rng = np.random.default_rng(0)
    program = rule.program()
    start = [rng.normal(size=n).astype(formats["w"].dtype) for n in sizes]
    rates = {"learning_rate": 0.37} if "learning_rate" in rule.hyperparameters else {}
    params = {"first": start[::2], "second": start[1::2]}
    reference = ro.Optimizer(rule, params, engine="reference", groups={"second*": rates})
    reference._states = [  # in the formats that are asked for
        tuple(x.astype(formats[name].dtype) for name, x in zip(rule.state, states, strict=True))
        for states in reference._states
    ]
    reference._forget()
    weights = reference._weights
    gradients = [np.zeros(w.size, formats["dw"].dtype) for w in weights]
    cut = len(params["first"])
    columns = [weights, gradients, *map(list, zip(*reference._states, strict=True))]
    tensors = [Tensors(column, device) for column in columns]
    for column in tensors:
        column.put()
    batch = Batch(program, formats, [w.size for w in weights], reference._group_of)
    call = gpu.call(batch, device)
    for place, column in enumerate(tensors):
        call.place(place, column.addresses)
    has_sums = len(program.passes) > 1
    for _ in range(steps):
        for gradient in gradients:
            gradient[...] = rng.normal(size=gradient.size)
            some = rng.choice(gradient.size, min(gradient.size, 30), replace=False)
            special = SMALL if has_sums else SPECIAL
            with np.errstate(over="ignore"):
                gradient[some] = np.resize(special, len(some)).astype(gradient.dtype)
        tensors[1].put()
        numbers = [group.inputs(reference.t + 1) for group in reference._groups]
        on_device = torch.tensor(numbers, dtype=torch.float64, device=device)
        if program.measured_scalars:  # they are made on the device, and stay there
            call.prepare_on_device(on_device)
        else:
            call.prepare(numbers)
        measure_together([call])
        call.run()
        reference.step({"first": gradients[:cut], "second": gradients[cut:]})
        for column in (tensors[0], *tensors[2:]):
            for got, expected in zip(column.got(), column.arrays, strict=True):
                assert_same(got, expected, program)
                if has_sums:
                    expected[...] = got  # the next step begins from equal state
        if program.measured_scalars:
            assert_same_scalars(on_device, reference)


def assert_same(got, expected, program):
    if len(program.passes) > 1:
        tolerance.assert_close_sums(got, expected, program.name)
    elif any(not node.op.exact for node in program.body):
        tolerance.assert_close_step(got, expected, program.name)
    else:
        # NumPy knows no nan of bfloat16; widening loses nothing.
        wide = [x.astype(np.float64) for x in (got, expected)]
        np.testing.assert_array_equal(*wide, program.name)


def assert_same_scalars(inputs, reference):
    """What the device has left in its numbers; the reference goes on from there."""
    first = len(reference.rule.schema.numbers)
    for row, group in zip(inputs.tolist(), reference._groups, strict=True):
        got = tuple(row[first : first + len(group.scalars)])
        for one, another in zip(got, group.scalars, strict=True):
            tolerance.assert_close_sums(one, another, reference.rule.name)
        group.scalars = got


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_has_the_bits_of_the_plain_rule(rule, name, device):
    sizes = SIZES if rule is rules.adam else (7, 1025)
    compare(rule, dict.fromkeys(rule.program().tensors, FORMATS[name]), device, 3, sizes)


MIXES = [
    ("float32", "bfloat16", "float32"),
    ("bfloat16", "bfloat16", "float32"),
    ("bfloat16", "float32", "bfloat16"),
    ("float16", "float16", "float32"),
    ("float32", "float32", "float64"),
    ("bfloat16", "float64", "float16"),
    ("float16", "float64", "bfloat16"),
    ("float64", "float16", "float32"),
]


@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_formats_may_be_mixed(mix, device):
    w, dw, state = (FORMATS[name] for name in mix)
    compare(rules.adam, {"w": w, "dw": dw, "m": state, "v": state}, device)


OPERATIONS = {
    "sqrt": lambda x, y: ro.sqrt(x),
    "abs": lambda x, y: ro.abs(x),
    "neg": lambda x, y: -x,
    "sign": lambda x, y: ro.sign(x),
    "maximum": ro.maximum,
    "minimum": ro.minimum,
    "div": lambda x, y: x / y,
    "where": lambda x, y: ro.where((x < y) & ~(x == 0) | (y >= 1) & (y != 2), x, y),
    "compare": lambda x, y: ro.where((x <= y) & (x > -1), 1.5, y),
    "exp": lambda x, y: ro.exp(x),
    "log": lambda x, y: ro.log(x),
    "tanh": lambda x, y: ro.tanh(x),
    "arctan2": ro.arctan2,
    "cbrt": lambda x, y: ro.cbrt(x),
    "power": ro.power,
}
# Where Triton's exp and log are a unit off in float64, what is made of them is off by more.
WIDER = {"tanh": 8, "arctan2": 8, "cbrt": 8, "power": 32}


@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_that_of_numpy(operation, name, device):
    """On every pair of special values, and on random ones of every size."""
    form = FORMATS[name]
    function = OPERATIONS[operation]
    rule = ro.rule(lambda w, dw: function(w, dw))
    rng = np.random.default_rng(1)
    special = np.array([*SPECIAL, 1.0, -1.0, 2.0, 0.5, 0.049, -0.051])
    x, y = (z.reshape(-1) for z in np.meshgrid(special, special))
    sizes = 10.0 ** rng.integers(-30, 30, 2000) * rng.normal(size=2000)
    with np.errstate(over="ignore"):
        w = np.concatenate([x, sizes]).astype(form.dtype)
        dw = np.concatenate([y, rng.permutation(sizes)]).astype(form.dtype)
    with np.errstate(all="ignore"):
        expected = rule(w, dw)[0]

    weights, gradient = Tensors([w], device), Tensors([dw], device)
    weights.put()
    gradient.put()
    program = rule.program()
    call = gpu.call(Batch(program, dict.fromkeys(program.tensors, form), [len(w)], [0]), device)
    call.place(0, weights.addresses)
    call.place(1, gradient.addresses)
    call.prepare([(1,)])
    call.run()

    allowed = 0 if ops.OPS.get(operation, ops.ADD).exact else tolerance.ULP[operation]
    allowed = max(allowed, WIDER.get(operation, 0) if form is FLOAT64 else 0)
    assert np.max(tolerance.ulps_apart(weights.got()[0], expected)) <= allowed


@ro.rule
def mixed(w, dw, t, *, a=0.5, b=2.0):
    """Conditions on a number of the step, beside conditions on elements."""
    both = ro.where((t > 1) & (dw > 0) | (b > a) & (w != 0), w - dw, ro.maximum(a, dw))
    return ro.where(t > 2, both * ro.minimum(b, w), both + a)


def test_a_condition_on_a_number_of_the_step_is_one_for_each_element(device):
    compare(mixed, dict.fromkeys(mixed.program().tensors, FLOAT32), device, 4, (7, 1025))


@ro.rule(initial={"product": 1.0})
def scheduled(w, dw, product: ro.Scalar, t, *, learning_rate=0.1, beta=0.97, decay=4e-3):
    """Everything that may happen to a number of the step."""
    product = product * beta * (1 - 0.5 * 0.96 ** (t * decay))
    rate = ro.where((t % 3 == 1) & (t // 4 != 2), ro.maximum(learning_rate, t), -(beta**t))
    sign = (-1.0) ** t * ro.sign(beta - 0.5) * ro.sqrt(ro.abs(beta))
    w = w - rate * dw / (1 - product) + sign * ro.exp(-t) * ro.minimum(t, ro.log(t + 1))
    w = ro.where(t > 2, w, w * ro.cbrt(beta) * ro.tanh(beta) * 0**decay)
    return w, product


@pytest.mark.parametrize("rule", [*rules.ALL, scheduled], ids=lambda rule: rule.name)
def test_the_numbers_of_a_step_may_be_computed_on_the_device(rule, device):
    """As precisely as Python does: 1 - beta**t has no digits to lose."""
    program = rule.program()
    host = host_function(program)
    values = [float(rule.hyperparameters[name]) for name in rule.schema.numbers]
    starts = [rule.schema.initial.get(name, 0.0) for name in rule.scalars]
    scalars = [values[rule.schema.numbers.index(s)] if isinstance(s, str) else s for s in starts]
    tensors = dict.fromkeys(program.tensors, FLOAT32)
    call = gpu.call(Batch(program, tensors, [0, 0], [0, 1]), device)
    for t in (1, 2, 3, 9, 100, 54_321, 10_000_000):
        rows = [[*values, *scalars, t], [*values, *scalars, t + 1]]
        inputs = torch.tensor(rows, dtype=torch.float64, device=device)
        call.prepare_on_device(inputs)
        measure_together([call])
        call.run()
        for row in (0, 1):
            found = []
            new = host(lambda _, __, *x: found.append(x), None, *values, *scalars, t + row)  # noqa: B023
            expected = np.array([float(x) for x in found[0]])
            got = call._numbers[row].cpu().numpy()[: len(expected)]
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=0)
            written = inputs[row].cpu().numpy()[len(values) : len(values) + len(scalars)]
            is_known = ~np.isnan(new)  # the rest has to be measured
            np.testing.assert_allclose(written[is_known], np.array(new)[is_known], rtol=1e-12)


def adam_call(device, lengths, rows=None):
    program = rules.adam.program()
    formats = dict.fromkeys(program.tensors, FLOAT32)
    rows = rows or [0] * len(lengths)
    tensors = [[torch.ones(n, device=device) for n in lengths] for _ in range(4)]
    call = gpu.call(Batch(program, formats, lengths, rows), device)
    for place, column in enumerate(tensors):
        call.place(place, [x.data_ptr() for x in column])
    return call, tensors


INPUTS = (0.1, 0.9, 0.999, 1e-8, 1)


def test_the_table_is_uploaded_again_only_when_an_address_has_changed(device):
    call, tensors = adam_call(device, [5, 3000])
    for _ in range(3):
        call.prepare([INPUTS])
        call.place(1, [x.data_ptr() for x in tensors[1]])
        call.run()
    assert call.uploads == 1

    other = torch.zeros(3000, device=device)
    call.place(1, [tensors[1][0].data_ptr(), other.data_ptr()])
    call.prepare([INPUTS])
    call.run()
    assert call.uploads == 2


def test_only_a_row_whose_addresses_are_all_aligned_is_said_to_be(device):
    """The widest loads of a GPU fail on any other; the interpreter would not notice."""
    call, tensors = adam_call(device, [2048] * 3)
    odd = torch.ones(2049, device=device)[1:]
    call.place(1, [tensors[1][0].data_ptr(), odd.data_ptr(), tensors[1][2].data_ptr()])
    call.prepare([INPUTS])
    call.run()

    assert call._table.on_device()[:, emitter.ALIGNED].tolist() == [1, 0, 1]


def test_a_thousand_small_tensors_are_one_launch(device, monkeypatch):
    call, tensors = adam_call(device, [10] * 1000)
    launches = []
    real = call._launch
    monkeypatch.setattr(call, "_launch", lambda *table: (launches.append(1), real(*table)))
    call.prepare([INPUTS])
    call.run()

    assert len(launches) == 1
    one = tensors[0][0]
    assert torch.all(one < 1)
    assert all(torch.equal(x, one) for x in tensors[0])


def test_blocks_of_more_than_two_to_the_31_elements_are_told_apart():
    """Without such a tensor: the map and the offsets are 64 bits wide."""
    blocks = gpu._block_map([3 << 30, 5])
    assert len(blocks) == (3 << 20) + 1
    assert int(blocks[-2]) == (3 << 20) - 1
    assert int(blocks[-1]) == 1 << 32


def test_nothing_is_launched_where_there_is_nothing(device):
    call, _ = adam_call(device, [0, 0])
    call.prepare([INPUTS])
    call.run()


def test_numbers_that_cannot_be_are_refused(device):
    call, _ = adam_call(device, [5])
    with pytest.raises(HyperparameterError, match="cannot be computed"):
        call.prepare([(0.1, 1.0, 0.999, "no number", 1)])


def test_another_kind_of_device_is_named():
    program = rules.adam.program()
    batch = Batch(program, dict.fromkeys(program.tensors, format_of("float32", "w")), [1], [0])
    with pytest.raises(EngineError, match="meta"):
        gpu.call(batch, torch.device("meta"))


def test_threads_may_step_at_once(device):
    """Triton's interpreter has one state for all of them."""
    calls = [adam_call(device, [3000, 7]) for _ in range(4)]

    def steps(call):
        for t in range(1, 6):
            call.prepare([(*INPUTS[:-1], t)])
            call.run()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(steps, [call for call, _ in calls]))
    for _, tensors in calls:
        for column, other in zip(tensors, calls[0][1], strict=True):
            assert all(torch.equal(x, y) for x, y in zip(column, other, strict=True))


def test_triton_may_be_set_to_interpret_everything():
    """CPU tensors as ever; but it would read the addresses of a GPU as if they were its own."""
    code = """
import numpy as np, torch
from ruleonce import rules
from ruleonce.emit import triton as emitter
from ruleonce.engines import gpu, triton_source
from ruleonce.engines.batch import Batch
from ruleonce.formats import BFLOAT16
program = rules.sgd.program()
formats = dict.fromkeys(program.tensors, BFLOAT16)
w, dw = torch.ones(3, dtype=torch.bfloat16), torch.full((3,), 0.3, dtype=torch.bfloat16)
call = gpu.call(Batch(program, formats, [3], [0]), torch.device("cpu"))
call.place(0, [w.data_ptr()])
call.place(1, [dw.data_ptr()])
call.prepare([(0.1, 1)][:1])
call.run()
print(w.tolist())
try:
    source = gpu.source(program, tuple(formats.items()))
    triton_source.load(source, emitter.kernel_name(program), interpreted=False)
except Exception as error:
    print(type(error).__name__, error)
"""
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    steps, error = done.stdout.strip().split("\n")
    assert steps == "[0.96875, 0.96875, 0.96875]"
    assert error.startswith("EngineError TRITON_INTERPRET is set")
