"""A vector of numbers of which the last may lie behind the end of a tensor.

What is masked is not read and not written. The numbers go through memory of a whole vector, which
LLVM makes a register of, so that they are widened and rounded as all others are (llvm_memory).
"""

from collections.abc import Iterable, Iterator

from ..formats import Format
from .llvm_lanes import Lanes
from .llvm_memory import STORED_AS, load, store

_SUFFIXES = {"double": "f64", "float": "f32", "half": "f16"}


def scratch(name: str, form: Format, lanes: Lanes) -> str:
    """The line that makes the memory for what is loaded into %<name> or stored as `name`."""
    return f"%{name}.at = alloca {lanes.of(STORED_AS[form])}, align {_align(form, lanes)}"


def load_some(
    name: str, tensor: str, form: Format, computed: Format, lanes: Lanes, *, at: str, mask: str
) -> Iterator[str]:
    """Lines that leave the numbers of %<tensor>.at from `at` on in %<name>; 0 where masked."""
    kept, whole = STORED_AS[form], lanes.of(STORED_AS[form])
    yield f"%{name}.from = getelementptr {kept}, ptr %{tensor}.at, i64 {at}"
    yield (
        f"%{name}.some = call {whole} @llvm.masked.load.{_suffix(kept, lanes)}.p0(ptr %{name}.from,"
        f" i32 {form.itemsize}, {lanes.of('i1')} {mask}, {whole} zeroinitializer)"
    )
    yield f"store {whole} %{name}.some, ptr %{name}.at, align {_align(form, lanes)}"
    yield from load(name, form, computed, lanes, "0")


def store_some(
    name: str,
    tensor: str,
    value: str,
    form: Format,
    computed: Format,
    lanes: Lanes,
    *,
    at: str,
    mask: str,
) -> Iterator[str]:
    """Lines that write numbers to %<tensor>.at from `at` on."""
    kept, whole = STORED_AS[form], lanes.of(STORED_AS[form])
    yield from store(name, value, form, computed, lanes, "0")
    yield f"%{name}.some = load {whole}, ptr %{name}.at, align {_align(form, lanes)}"
    yield f"%{name}.to = getelementptr {kept}, ptr %{tensor}.at, i64 {at}"
    yield (
        f"call void @llvm.masked.store.{_suffix(kept, lanes)}.p0({whole} %{name}.some, "
        f"ptr %{name}.to, i32 {form.itemsize}, {lanes.of('i1')} {mask})"
    )


def declarations(forms: Iterable[Format], lanes: Lanes) -> Iterator[str]:
    """What the lines call, for these formats."""
    truths = lanes.of("i1")
    for kept in sorted({STORED_AS[form] for form in forms}):
        whole, suffix = lanes.of(kept), _suffix(kept, lanes)
        yield f"declare {whole} @llvm.masked.load.{suffix}.p0(ptr, i32, {truths}, {whole})"
        yield f"declare void @llvm.masked.store.{suffix}.p0({whole}, ptr, i32, {truths})"


def _align(form: Format, lanes: Lanes) -> int:
    return form.itemsize * lanes.count


def _suffix(kept: str, lanes: Lanes) -> str:
    """How the name of an intrinsic function for numbers in memory ends."""
    return f"v{lanes.count}{_SUFFIXES.get(kept, kept)}"
