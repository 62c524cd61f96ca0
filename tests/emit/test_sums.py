"""Programs of several passes as LLVM IR and as Triton source: complete, stable, and as fast as the
memory.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

import ruleonce as ro
from ruleonce.emit import llvm, llvm_sums
from ruleonce.emit import triton as emitter
from ruleonce.engines import native, triton_source
from ruleonce.formats import (
    FORMATS,
    Storage,
    bfloat16_8,
    computed_in,
    int8,
    stored_program,
    uint8_sqrt,
)
from ruleonce.language.monitor import monitored

GOLDEN = Path(__file__).parents[1] / "golden"
NVIDIA, AMD = GPUTarget("cuda", 90, 32), GPUTarget("hip", "gfx942", 64)


@ro.rule
def unit(w, dw, *, learning_rate=0.1):
    """A step of one length in each tensor."""
    return w - learning_rate * dw / ro.norm(dw)


@ro.rule
def everything(w, dw, m, most: ro.Scalar, t, *, learning_rate=0.1, limit=1.0):
    """Every kind of sum, of tensors and of all of them, and what is made of them."""
    length = ro.sqrt(ro.total(ro.dot(dw, dw)))
    is_long = (length > limit) & (ro.norm(dw) > 0) | (t == 1)
    dw = dw * ro.where(is_long, limit / length, 1.0)
    m = m + dw - ro.mean(dw)
    spread = ro.abs(ro.sum(ro.where(m > w, 1.0, 0.0)) / ro.size(m) - ro.norm(m) ** 2)
    w = w - learning_rate * ro.maximum(spread, 0.1) * m / ro.cbrt(ro.sum(ro.exp(m)))
    return w, m, ro.maximum(most, ro.total(ro.log(spread + 1) ** 1.5))


@ro.rule
def taken(w, dw, sums, partial, *, block=0.1, first=0.2, count=0.3, range_sum=0.4, number=0.5):
    """Names that the code of sums has uses for."""
    row = ro.sum(dw * block)
    some = ro.total(ro.sum(partial) * first)
    known = ro.norm(sums) * count + number
    return w - row * some, sums + known * range_sum, partial + dw


def parts(rule, name="float32", reports=False, **others):
    program = monitored(rule.program()) if reports else rule.program()
    storages = {tensor: x for tensor, x in others.items() if isinstance(x, Storage)}
    program = stored_program(program, storages) if storages else program
    formats = dict.fromkeys(program.tensors, FORMATS[name])
    for tensor, form in others.items():
        formats |= form.forms(tensor) if tensor in storages else {tensor: FORMATS[form]}
    return program, formats, computed_in(formats.values())


# LLVM


def test_a_rule_of_two_passes_is_emitted_as_it_was_reviewed(request):
    """Run `pytest --update-golden`, then read the difference."""
    for emit, ending in ((llvm.emit, "ll"), (emitter.emit, "triton")):
        file = GOLDEN / f"unit.float32.{ending}"
        if request.config.getoption("--update-golden"):
            file.write_text(emit(*parts(unit)))

        assert emit(*parts(unit)) == file.read_text()


def code_of(function, assembly):
    """The lines of a function of an assembly."""
    return re.search(rf"^_?{function}:(.*?)^\s*ret", assembly, re.DOTALL | re.MULTILINE)[1]


PACKED = {  # additions of several float64 at once, and one at a time
    "x86_64": (r"\bv?addpd\b", r"\bv?addsd\b"),
    "aarch64": (r"\bfadd\s+v\d+\.2d", r"\bfadd\s+d\d+"),
}


def packed_additions(assembly, function):
    import platform

    several, _ = PACKED[platform.machine().lower().replace("amd64", "x86_64")]
    return len(re.findall(several, code_of(function, assembly)))


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16"])
def test_the_loop_that_adds_up_is_vectorized(name):
    assembly = native.assembly(llvm.emit(*parts(unit, name)))

    assert packed_additions(assembly, "unit_pass0") >= 4  # several sums at once hide their latency


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_a_step_that_reports_is_vectorized(name):
    """Writes and four sums in one loop."""
    assembly = native.assembly(llvm.emit(*parts(ro.adam, name, reports=True)))

    assert packed_additions(assembly, "adam") >= 4
    assert re.search(r"\bv?sqrtp[sd]\b|\bfsqrt\s+v", code_of("adam", assembly))


@pytest.mark.parametrize("rule", [unit, everything], ids=lambda rule: rule.name)
def test_the_additions_of_sums_are_all_that_may_be_rearranged(rule):
    program, formats, computed = parts(rule, reports=True)
    text = llvm.emit(program, formats, computed)

    free = [line for line in text.split("\n") if " reassoc " in line]
    assert len(free) == program.sum_count
    assert all(re.match(r"  %range\.sum\d+\.next = fadd reassoc ", line) for line in free)
    for flag in ("fast", "contract", "arcp", "nnan", "ninf", "nsz", "afn", "fmuladd"):
        assert f" {flag} " not in text
    machine = native.assembly(text)
    assert "vfmadd" not in machine
    assert "fmla" not in machine


def test_a_pass_reads_and_writes_no_more_than_it_has_to():
    """The weights and the state are not even loaded by a pass that sums up the gradient."""
    text = llvm.emit(*parts(everything))
    first = text.split("@everything_pass0.range")[1].split("\n}\n")[0]

    assert "%dw = load float" in first
    assert "%w = load" not in first
    assert "%m = load" not in first
    stores = [line for line in first.split("\n") if line.startswith("  store ")]
    assert stores
    assert all(re.match(r"  store double %range\.sum", line) for line in stores)


@ro.rule
def counting(w, dw, count: ro.Scalar, weight: ro.Scalar):
    """Two sums of choices, only one of which is a count."""
    weight = ro.total(ro.sum(ro.where(dw > 0, 1.0, 0.1)))
    return w, ro.total(ro.sum(ro.where(dw > 0, 1.0, 0.0))), weight


def test_a_count_is_added_up_in_float32_and_all_else_in_float64():
    """It is exact in float32 as long as a block has fewer elements than that has whole numbers."""
    for name, kinds in (("float32", ["double", "float"]), ("float64", ["double", "double"])):
        text = llvm.emit(*parts(counting, name))
        assert sorted(re.findall(r"fadd reassoc (\w+)", text)) == kinds
    assert llvm_sums.BLOCK < 2**24

    dw = np.random.default_rng(0).normal(size=300_001).astype(np.float32)
    optimizer = ro.Optimizer(counting, np.zeros_like(dw), engine="cpu")
    optimizer.step(dw)
    assert optimizer.state["count"] == np.count_nonzero(dw > 0)


def test_equal_programs_give_equal_text():
    """The compiled kernels are kept by their text."""
    other = ro.rule(unit.function)

    assert llvm.emit(*parts(unit)) == llvm.emit(*parts(other))
    assert emitter.emit(*parts(unit)) == emitter.emit(*parts(other))


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_names_that_the_code_uses_too_are_free(engine):
    tensors = [np.arange(1.0, 5001.0) / 5000, np.array([3.0, 4.0])]
    optimizer = ro.Optimizer(taken, tensors, engine=engine)
    gradients = [np.full(5000, 0.5), np.array([1.0, -0.5])]
    for _ in range(2):
        optimizer.step(gradients)

    # partial is the sum of the gradients of 2 steps, sums what was added: 0.5 * 0.4 at first, then
    # as much again and 0.3 * 0.4 of its own norm.
    for w, sums, partial, dw in zip(
        tensors, optimizer.state["sums"], optimizer.state["partial"], gradients, strict=True
    ):
        np.testing.assert_array_equal(partial, 2 * dw)
        np.testing.assert_allclose(sums, 0.4 + 0.12 * 0.2 * np.sqrt(w.size), rtol=1e-12)
    np.testing.assert_allclose(tensors[1], [3 - 0.05 * 500.1, 4 - 0.05 * 500.1], rtol=1e-12)


# Triton


def compiled(rule, target, name="float32", reports=False, **others):
    """The kernel of each pass, and that which adds up blocks, compiled for a GPU, which need not be
    there.
    """
    program, formats, computed = parts(rule, name, reports, **others)
    kernels = triton_source.load(
        emitter.emit(program, formats, computed),
        emitter.kernel_name(program),
        interpreted=False,
        before=tuple(map(emitter.kernel_name, program.passes[:-1])),
    )
    found = []
    for one, kernel in zip(program.passes, kernels.passes, strict=True):
        types = {"table": "*i64", "blocks": "*i64", "numbers": "*fp64"}
        types |= {"partial": "*fp64"} if one.sums else {}
        aligned = {(place,): [["tt.divisibility", 16]] for place in range(len(types))}
        block = {(len(types),): 1024}
        source = ASTSource(kernel, {**types, "BLOCK": "constexpr"}, block, aligned)
        found.append(assembly_of(source, target, 4))
    types = {"partial": "*fp64", "spans": "*i64", "sums": "*fp64"}
    types |= dict.fromkeys(("FIRST", "COUNT", "BLOCK"), "constexpr")
    numbers = {(3,): 0, (4,): program.sum_count, (5,): 256}
    found.append(assembly_of(ASTSource(kernels.sums, types, numbers), target, 1))
    return found


def assembly_of(source, target, warps):
    options = {"num_warps": warps, "enable_fp_fusion": False}
    form = "ptx" if target is NVIDIA else "amdgcn"
    return triton.compile(source, target=target, options=options).asm[form]


@pytest.mark.parametrize("target", [NVIDIA, AMD], ids=["nvidia", "amd"])
@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16"])
def test_every_pass_compiles_for_a_gpu(target, name):
    assert len(compiled(unit, target, name)) == 3
    assert (
        len(compiled(everything, target, name, m="float32")) == len(everything.program().passes) + 1
    )


@pytest.mark.parametrize("target", [NVIDIA, AMD], ids=["nvidia", "amd"])
def test_sums_over_what_is_stored_in_blocks_compile_for_a_gpu(target):
    """Where nothing is written, and beside codes that are."""
    stored = {"w": bfloat16_8(), "m": int8(), "v": uint8_sqrt()}

    assert len(compiled(ro.rules.lamb, target, reports=True, **stored)) == 3


@pytest.mark.parametrize("target", [NVIDIA, AMD], ids=["nvidia", "amd"])
def test_names_and_reports_compile_for_a_gpu(target):
    assert len(compiled(taken, target)) == 3
    assert len(compiled(ro.adam, target, reports=True)) == 2
    assert len(compiled(everything, target, reports=True)) == 5


def test_on_nvidia_sums_are_made_in_float64_and_nothing_is_contracted():
    first, last, blocks = compiled(unit, NVIDIA)

    for adds in (first, blocks):
        assert "add.rn.f64" in adds or "add.f64" in adds
        assert "add.f32" not in adds
    for assembly in (first, last, blocks):
        for wrong in ("fma.rn", "div.full", "div.approx", "sqrt.approx", "rcp.approx", ".ftz"):
            assert wrong not in assembly, wrong


@pytest.mark.parametrize(("name", "loads"), [("float32", 2), ("bfloat16", 1), ("float64", 4)])
def test_on_nvidia_a_pass_that_adds_up_reads_16_bytes_at_a_time(name, loads):
    """1024 elements on 128 threads: 8 elements of one tensor each, and nothing written but sums."""
    first, _, _ = compiled(unit, NVIDIA, name)

    assert len(re.findall(r"ld\.global\.v[24]\.b(32|64)", first)) == loads
    assert not re.search(r"st\.global\.v[24]", first)
    assert "st.global" in first
    assert "atom" not in first  # the order of additions would change from run to run
