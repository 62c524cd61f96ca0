"""The Triton source of a program: complete, stable, and compiled as it is meant for real GPUs."""

import re
from pathlib import Path

import pytest
import triton
from formats.test_storage import odd
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

import ruleonce as ro
from ruleonce import rules
from ruleonce.emit import triton as emitter
from ruleonce.emit import triton_bits, triton_operations
from ruleonce.engines import triton_source
from ruleonce.formats import (
    FLOAT32,
    FLOAT64,
    FORMATS,
    bfloat16_8,
    bfloat16_stochastic,
    computed_in,
    float8_e4m3,
    int4,
    int8,
    stored_program,
    uint4_sqrt,
    uint8_sqrt,
)
from ruleonce.language import bits, ops

GOLDEN = Path(__file__).parents[1] / "golden"
NVIDIA, AMD = GPUTarget("cuda", 90, 32), GPUTarget("hip", "gfx942", 64)


def source(rule, name="float32", **others):
    program = rule.program()
    formats = dict.fromkeys(program.tensors, FORMATS[name])
    formats |= {tensor: FORMATS[form] for tensor, form in others.items()}
    return emitter.emit(program, formats, computed_in(formats.values()))


def stored_source(storages, computed=FLOAT32):
    """The source of Adam over tensors in these formats."""
    program = stored_program(ro.adam.program(), storages)
    formats = dict.fromkeys(program.tensors, computed)
    for tensor, storage in storages.items():
        formats |= storage.forms(tensor)
    return emitter.emit(program, formats, computed)


EIGHT_BITS = {"m": int8(), "v": uint8_sqrt(), "w": bfloat16_8()}


def both(rule, target, name="float32", **others):
    """Both kernels, compiled for a GPU, which need not be there."""
    return made(source(rule, name, **others), emitter.kernel_name(rule.program()), target)


def made(text, name, target):
    """The kernels of a source, compiled."""
    kernels = triton_source.load(text, name, interpreted=False)
    options = {"num_warps": 4, "enable_fp_fusion": False}
    step = ASTSource(
        kernels.step,
        {"table": "*i64", "blocks": "*i64", "numbers": "*fp64", "BLOCK": "constexpr"},
        {(3,): 1024},
        {(place,): [["tt.divisibility", 16]] for place in range(3)},
    )
    numbers = ASTSource(kernels.numbers, {"inputs": "*fp64", "numbers": "*fp64"})
    return [triton.compile(what, target=target, options=options) for what in (step, numbers)]


def compiled(rule, target, name="float32", **others):
    """The assembly of both kernels."""
    form = "ptx" if target is NVIDIA else "amdgcn"
    return [made.asm[form] for made in both(rule, target, name, **others)]


def test_every_operation_is_spelled():
    """Those of the step too: their numbers may be computed on the device."""
    on_tensors = {op for op in ops.OPS.values() if op.gives_one or op.whole}
    assert set(ops.OPS.values()) - on_tensors == set(triton_operations.SPELLING)
    assert set(bits.OPS.values()) == set(triton_bits.SPELLING_OF_BITS)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_adam_is_emitted_as_it_was_reviewed(name, request):
    """Run `pytest --update-golden`, then read the difference."""
    file = GOLDEN / f"adam.{name}.triton"
    if request.config.getoption("--update-golden"):
        file.write_text(source(ro.adam, name))

    assert source(ro.adam, name) == file.read_text()


def test_adam_in_8_bits_is_emitted_as_it_was_reviewed(request):
    file = GOLDEN / "adam.8bit.triton"
    if request.config.getoption("--update-golden"):
        file.write_text(stored_source(EIGHT_BITS))

    assert stored_source(EIGHT_BITS) == file.read_text()


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16"])
def test_on_nvidia_every_operation_is_correctly_rounded_and_none_is_contracted(name):
    assembly, _ = compiled(ro.adam, NVIDIA, name)
    width = "f64" if name == "float64" else "f32"

    assert f"div.rn.{width}" in assembly
    assert f"sqrt.rn.{width}" in assembly
    for wrong in ("fma.rn", "div.full", "div.approx", "sqrt.approx", "rcp.approx", ".ftz"):
        assert wrong not in assembly, wrong


@pytest.mark.parametrize(("name", "loads"), [("float32", 8), ("bfloat16", 4), ("float64", 16)])
def test_on_nvidia_a_full_block_is_read_and_written_16_bytes_at_a_time(name, loads):
    """1024 elements on 128 threads: 8 elements of 4 tensors each, 3 of them written."""
    assembly, _ = compiled(ro.adam, NVIDIA, name)

    assert len(re.findall(r"ld\.global\.v[24]\.b(32|64)", assembly)) == loads
    assert len(re.findall(r"st\.global\.v[24]\.b(32|64)", assembly)) == loads * 3 // 4


STORED = {
    "1": {"m": int8(1), "w": bfloat16_8()},
    "32": {"m": int8(32), "v": uint8_sqrt(32)},
    "128": EIGHT_BITS,
    "1024": {"m": float8_e4m3(1024)},
    "4 bits": {"m": int4(), "v": uint4_sqrt()},
    "4 bits, 2": {"m": int4(2), "w": bfloat16_stochastic()},
    "random": dict.fromkeys("wmv", bfloat16_stochastic()),
}


@pytest.mark.parametrize("block", STORED)
def test_on_nvidia_what_is_stored_in_blocks_is_correctly_rounded_too(block):
    """An element has one root, and no product and sum in one but those that are meant to be."""
    assembly = made(stored_source(STORED[block]), "adam", NVIDIA)[0].asm["ptx"]
    body = stored_program(ro.adam.program(), STORED[block]).body
    fused = sum(node.op is bits.MULTIPLY_ADD for node in body)

    assert sum(node.op is ops.SQRT for node in body) == 1
    assert assembly.count("fma.rn.f32") == fused * assembly.count("sqrt.rn.f32")
    for wrong in ("div.full", "div.approx", "sqrt.approx", "rcp.approx", ".ftz"):
        assert wrong not in assembly, wrong


def test_on_nvidia_codes_of_a_full_block_are_read_and_written_8_bytes_at_a_time():
    """1024 elements on 128 threads: 8 of each tensor. Codes and error bits have a byte each, the
    weights 2, the gradient 4; that is not written.
    """
    assembly = made(stored_source(EIGHT_BITS), "adam", NVIDIA)[0].asm["ptx"]

    assert len(re.findall(r"ld\.global\.v2\.b32", assembly)) == 3
    assert len(re.findall(r"ld\.global\.v4\.b32", assembly)) == 1 + 2
    assert len(re.findall(r"st\.global\.v2\.b32", assembly)) == 3
    assert len(re.findall(r"st\.global\.v4\.b32", assembly)) == 1


def test_on_nvidia_codes_of_4_bits_are_read_and_written_4_bytes_at_a_time():
    """8 numbers a thread, and none of them changes hands on the way between bytes and formulas. One
    by one are the bytes of the path with a mask alone: 4 a thread of each of 2 tensors.
    """
    step, _ = made(stored_source(STORED["4 bits"]), "adam", NVIDIA)
    assembly = step.asm["ptx"]
    assert len(re.findall(r"ld\.global\.b8", assembly)) == 2 * 4
    assert len(re.findall(r"st\.global\.b8", assembly)) == 2 * 4

    whole, masked = re.split(r"^    } else {", step.asm["ttgir"], maxsplit=1, flags=re.MULTILINE)
    assert len(re.findall(r"tt\.(join|split)", whole)) == 4
    assert not re.findall(r"convert_layout.*tensor<8x64x", whole)
    assert len(re.findall(r"tt\.(join|split)", masked)) == 4


@pytest.mark.parametrize("computed", [FLOAT32, FLOAT64], ids=lambda form: form.name)
def test_what_is_stored_in_blocks_compiles_for_amd(computed):
    assembly = made(stored_source(EIGHT_BITS, computed), "adam", AMD)[0].asm["amdgcn"]

    assert "global_load_dwordx2" in assembly
    assert "global_store_dwordx2" in assembly


@pytest.mark.parametrize("target", [NVIDIA, AMD], ids=["nvidia", "amd"])
@pytest.mark.parametrize("computed", [FLOAT32, FLOAT64], ids=lambda form: form.name)
def test_every_operation_of_storage_compiles(target, computed):
    storages = {"m": odd(64), "v": uint4_sqrt(64), "w": bfloat16_stochastic()}
    assert all(made(stored_source(storages, computed), "adam", target))


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16"])
def test_it_compiles_for_amd(name):
    assembly, numbers = compiled(ro.adam, AMD, name)

    assert "global_load_dwordx4" in assembly or name == "bfloat16"
    assert "s_endpgm" in numbers


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_compiles_for_nvidia(rule):
    for assembly in compiled(rule, NVIDIA):
        assert ".visible .entry" in assembly


@ro.rule
def everything(w, dw, m, t, *, learning_rate=0.1, table=0.5):
    """Every operation, and a hyperparameter that is called as an argument of the kernel."""
    m = ro.tanh(dw) + ro.cbrt(m) + ro.exp(dw) + ro.log(m) + ro.power(ro.abs(dw), m)
    m = ro.where((t % 3 == 1) & (t // 2 != 4), m, ro.sign(m) * ro.minimum(m, table))
    m = ro.where((dw != 0) | (dw == 1) & (dw >= 1) & (dw <= 2), ro.maximum(-m, 1.0), m)
    w = w - learning_rate * ro.sqrt(m) / (1 - table**t)
    return w, m


@pytest.mark.parametrize("target", [NVIDIA, AMD], ids=["nvidia", "amd"])
@pytest.mark.parametrize("formats", [{}, {"w": "bfloat16", "m": "float64"}], ids=["one", "mixed"])
def test_every_operation_compiles(target, formats):
    assert all(compiled(everything, target, **formats))


def test_constants_are_rounded_once_and_may_be_infinite():
    rule = ro.rule(lambda w, dw: w - ro.maximum(dw, float("-inf")) * 0.1)
    program = rule.program()
    formats = dict.fromkeys(program.tensors, FLOAT32)

    text = emitter.emit(program, formats, FLOAT32)
    assert "tl.full((), 0.10000000149011612, tl.float32)" in text
    assert "tl.full((), -8388608, tl.int32).to(tl.float32, bitcast=True)" in text
    wide = emitter.emit(program, dict.fromkeys(program.tensors, FLOAT64), FLOAT64)
    assert "tl.full((), 0.1, tl.float64)" in wide


def test_a_tensor_is_said_to_be_aligned_only_where_it_is():
    """A hint belongs to what makes the pointer: made once for both paths, it would be said of
    tensors that are not aligned.
    """
    step, _ = both(ro.adam, NVIDIA)
    pointers = [line for line in step.asm["ttir"].split("\n") if "tt.int_to_ptr" in line]

    assert sum("tt.divisibility" in line for line in pointers) == 4
    assert len(pointers) == 8


def test_nothing_is_said_of_where_the_numbers_of_blocks_lie():
    step, _ = made(stored_source(EIGHT_BITS), "adam", NVIDIA)
    pointers = [line for line in step.asm["ttir"].split("\n") if "tt.int_to_ptr" in line]

    assert len(pointers) == 2 * 7
    assert sum("tt.divisibility" in line for line in pointers) == 5


def test_a_gpu_rounds_to_bfloat16_itself():
    assembly, _ = compiled(ro.adam, NVIDIA, "bfloat16")

    assert re.search(r"cvt\.rn\.bf16(x2)?\.f32", assembly)
    assert not re.search(r"cvt\.r[zpm]\.bf16", assembly)


def test_constants_of_the_functions_keep_all_their_bits():
    """Triton takes a literal for a float32 where it may."""
    _, numbers = compiled(ro.adam, NVIDIA)

    assert re.search("0d3FE62E42FEE00000", numbers, re.IGNORECASE)  # ln 2, its first part


@ro.rule
def taken(w, dw, w_at, t, *, row=0.1, row_=0.2, w_new=0.3, w_result=0.4, taken_elements=1.0):
    """Names that the kernels have uses for."""
    w_at_ = t * t
    w = w - row * dw - row_ * w_at - dw / w_new - w_at / w_result - w / w_at_
    return w, w_at * taken_elements


@ro.rule
def builtin(w, dw, m, *, range=0.1, float=0.2, print=0.3, interpreter_semantic=0.4):  # noqa: A002
    """Names that Triton or Python have uses for."""
    m = m - dw * interpreter_semantic
    return w - range * m - float * dw * print, m


@pytest.mark.parametrize(
    "rule", [taken, builtin, ro.rule(lambda w, dw: w - dw)], ids=lambda rule: rule.name
)
def test_any_name_of_python_compiles(rule):
    assert all(compiled(rule, NVIDIA))
