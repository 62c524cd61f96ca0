"""The LLVM IR of a program: complete, stable, readable, and free of rearrangement."""

import re
from pathlib import Path

import pytest

import ruleonce as ro
from ruleonce.emit import llvm, names
from ruleonce.engines import compiled, native
from ruleonce.engines.native import assembly
from ruleonce.formats import (
    FLOAT32,
    FORMATS,
    computed_in,
    int8,
    masters,
    stored_program,
    uint8_sqrt,
)
from ruleonce.language import ops

GOLDEN = Path(__file__).parents[1] / "golden"


def ir(rule, name="float32", fused=0):
    form = FORMATS[name]
    program = rule.program()
    return llvm.emit(program, dict.fromkeys(program.tensors, form), computed_in([form]), fused)


def test_every_operation_of_the_device_is_spelled():
    """A new operation cannot be forgotten in one language."""
    assert set(ops.DEVICE_OPS) == set(llvm.SPELLING)


@pytest.mark.parametrize(
    ("name", "fused"), [("float32", 0), ("float16", 0), ("bfloat16", 0), ("float32", 512)]
)
def test_adam_is_emitted_as_it_was_reviewed(name, fused, request):
    """Run `pytest --update-golden`, then read the difference."""
    file = GOLDEN / f"adam.{name}{'.vectors' if fused else ''}.ll"
    if request.config.getoption("--update-golden"):
        file.write_text(ir(ro.adam, name, fused))

    assert ir(ro.adam, name, fused) == file.read_text()


@pytest.mark.parametrize("fused", [0, 512])
@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_no_operation_may_be_rearranged_or_contracted(rule, fused):
    text = ir(rule, fused=fused)
    # The one exception: how the elements of a sum are added up. See emit/llvm_sums.py.
    others = re.sub(r"fadd reassoc double %range\.sum\d+, %range\.summand\d+", "", text)

    for flag in ("fast", "reassoc", "contract", "arcp", "nnan", "ninf", "nsz", "afn", "fmuladd"):
        assert f" {flag} " not in others
    fused_in = fused_results(text)
    allowed = (*QUOTIENT, *(f"{half}.next" for half in (0, 1)))  # of a sum: exact in float64
    assert all(result.endswith(allowed) for result in fused_in)
    if not fused_in:
        machine = assembly(text)
        assert "vfmadd" not in machine
        assert "fmla" not in machine


QUOTIENT = ("missing", "near", "rest", "product")


def fused_results(text):
    """What multiplications and additions in one are called."""
    lines = [line for line in text.split("\n") if "call" in line and "@llvm.fma" in line]
    return [line.split()[0] for line in lines]


def test_multiplications_are_fused_for_quotients_alone():
    """See emit/llvm_division.py; what makes 1 / c ready takes one, a quotient takes three."""
    expected = [f"%{q}.{part}" for q in ("mt", "vt") for part in QUOTIENT]

    assert sorted(fused_results(ir(ro.adam, fused=512))) == sorted(expected)


def test_divisions_are_multiplications_only_where_that_pays():
    by_step = ro.rule(lambda w, dw, t: w - dw / t)
    others = [
        ro.rule(lambda w, dw, t: w - t / dw),
        ro.rule(lambda w, dw, t: w * dw / dw),
        ro.rule(lambda w, dw, t: w * t - dw / 4),
        ro.rule(lambda w, dw, t: w - ro.exp(dw) / t),
    ]

    assert fused_results(ir(by_step, "float32", 512))
    assert fused_results(ir(by_step, "float64", 256))
    assert fused_results(ir(ro.rule(lambda w, dw: w - dw / 3), "float32", 512))
    for name, fused in [("float32", 256), ("float64", 128)]:
        assert not fused_results(ir(by_step, name, fused))
    for rule in others:
        assert not fused_results(ir(rule, "float32", 512))


@pytest.mark.parametrize("name", FORMATS)
def test_a_loop_over_vectors_asks_for_what_lies_ahead(name):
    """For each tensor that is read. A function of C takes one element, and has no such loop."""
    text = ir(ro.adam, name, 512)
    calls_of_c = ir(ro.rule(lambda w, dw: w - ro.exp(dw)), fused=512)

    assert text.count("call void @llvm.prefetch") == 4
    assert ".vectors(" not in calls_of_c


def test_what_only_reads_goes_through_a_block_in_four_streams():
    norm = ro.rule(lambda w, dw: w - dw / ro.norm(dw))
    both = ro.rule(lambda w, dw: w - dw / ro.dot(w, dw))

    assert ir(norm, fused=512).count("%dw.s3.at = ") == 1
    assert ir(both, fused=512).count("%dw.s1.at = ") == 1
    assert "%dw.s2.at" not in ir(both, fused=512)


def test_the_engine_takes_the_vectors_that_the_processor_has():
    _, features = native.processor()
    program = ro.adam.program()
    formats = dict.fromkeys(program.tensors, FLOAT32)

    source = compiled.emitted(program, tuple(formats.items()))

    assert source == llvm.emit(program, formats, FLOAT32, native.fused())
    assert (".vectors(" in source) == ("avx512f" in features or "fma" in features)


def test_the_loop_is_vectorized():
    text = assembly(ir(ro.adam))

    assert any(
        f"{packed}" in text for packed in ("vsqrtps\t%zmm", "vsqrtps\t%ymm", "sqrtps", ".4s")
    )


@pytest.mark.parametrize(
    "name", ["i", "end", "row", "loop", "host", "table", "entry", "job", "w_new"]
)
def test_any_argument_name_of_python_can_be_emitted(name):
    text = (
        f"lambda w, dw, {name}, *, β1=0.5, class_=0.1: (w - β1 * dw - class_ * {name}, {name} + dw)"
    )
    made = ro.rule(eval(text))  # noqa: S307
    import numpy as np

    w, expected = np.ones(3), np.ones(3)
    ro.Optimizer(made, w, engine="cpu").step(np.ones(3))
    ro.Optimizer(made, expected, engine="reference").step(np.ones(3))

    assert w.tolist() == expected.tolist() == [0.5, 0.5, 0.5]


def test_names_are_the_authors_where_there_are_any():
    program = ro.adam.program()
    found = names.node_names(program, program.body)

    assert {"m_new", "v_new", "w_new", "mt", "vt"} <= set(found.values())
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("adam", "adam"), ("<lambda>", "lambda"), ("β", "u03b2"), ("_x", "x_x"), ("a b", "au0020b")],
)
def test_identifiers_are_plain(name, plain):
    assert names.identifier(name) == plain


def test_a_constant_is_rounded_to_the_precision_of_the_kernel():
    program = ro.rule(lambda w, dw: w - 0.1 * dw).program()
    formats = dict.fromkeys(program.tensors, FLOAT32)

    assert "0x3FB99999A0000000" in llvm.emit(program, formats, FLOAT32)  # float32(0.1)


NARROW = {"w": masters.bfloat16_8(), "m": int8(), "v": uint8_sqrt()}


def ir_of_narrow(storages, fused, *, vbmi):
    program = stored_program(ro.adam.program(), storages)
    formats = dict.fromkeys(program.tensors, FLOAT32)
    for name, storage in storages.items():
        formats |= storage.forms(name)
    return llvm.emit(program, formats, FLOAT32, fused, vbmi=vbmi)


@pytest.mark.parametrize("vbmi", [False, True])
@pytest.mark.parametrize("fused", [256, 512])
@pytest.mark.parametrize("names", ["w", "wmv"])
def test_what_is_narrow_is_written_by_whole_vectors(names, fused, vbmi):
    """Codes and error bits of four vectors of 32 bits at once, bfloat16 of two."""
    text = ir_of_narrow({name: NARROW[name] for name in names}, fused, vbmi=vbmi)
    stored = set(re.findall(r"store (<\d+ x i(?:8|16)>)", text))

    assert stored == {f"<{fused // 8} x i8>", f"<{fused // 16} x i16>"}
    assert assembly(text)


@pytest.mark.skipif(not native.vbmi(), reason="the processor is no x86 with AVX-512 VBMI")
def test_one_instruction_of_one_operation_narrows_a_vector_with_vbmi():
    """LLVM is kept from others, which Intel takes apart. In 4 vectors of a loop: 4 of bfloat16 are
    widened, and 4 of each tensor narrowed.
    """
    text = assembly(ir_of_narrow({"w": NARROW["w"]}, 512, vbmi=True))
    loop = text[text.index("adam.vectors:") :].partition("func_end")[0]

    assert loop.count("vpermb") == 4 + 4 + 4
    assert not re.search("vpermt2|vpermi2|vpermw|vpmovd|vpmovw|vpack", loop)


@pytest.mark.parametrize(("block", "count"), [(32, 4), (128, 4), (256, 4), (512, 2)])
@pytest.mark.parametrize("fused", [256, 512])
def test_the_numbers_of_several_blocks_are_computed_together(fused, block, count):
    storages = {"m": int8(block), "v": uint8_sqrt(block)}
    text = ir_of_narrow(storages, fused, vbmi=False)
    vectors = text[: text.index("define internal void")]

    assert vectors.count(f"call void @llvm.masked.store.v{count}f32") == len(storages)
    assert vectors.count(f"call <{count} x float> @llvm.masked.load") == len(storages)
    reciprocals = re.findall(r"fdiv <(\d+) x float> splat", vectors)
    assert reciprocals == [str(count)] * len(storages)
