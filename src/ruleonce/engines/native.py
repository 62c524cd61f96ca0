"""LLVM IR to native code, in memory, through llvmlite."""

import ctypes
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any  # llvmlite has no type information

from ..errors import MissingLibraryError
from . import UNFORKABLE
from .libm import addresses

try:
    import llvmlite.binding as llvm
except ImportError as missing:
    raise MissingLibraryError(
        "the cpu engine needs llvmlite, which is not installed here:\n"
        "  pip install llvmlite\n"
        "Everything else works without it; engine='reference' is the slow, plain choice."
    ) from missing

_KEPT = 256  # kernels; each holds about 100 kB


@dataclass(frozen=True)
class Native:
    """A compiled kernel, called with the address of a job (see emit.llvm).

    source     the IR that it was compiled from, before optimization
    call       runs it with the GIL released, for large work
    call_held  runs it with the GIL held: for small work, releasing it costs more than the work
    """

    source: str
    call: Any
    call_held: Any
    _engine: Any  # owns the machine code


def compile_ir(source: str, name: str) -> Native:
    """Compile `source`; equal source is compiled once for the whole process."""
    with UNFORKABLE:
        return _compile(source, name)


@lru_cache(maxsize=_KEPT)
def _compile(source: str, name: str) -> Native:
    engine = _loaded(source)
    address = engine.get_function_address(name)
    return Native(
        source=source,
        call=ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address),
        call_held=ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(address),
        _engine=engine,
    )


@lru_cache(maxsize=_KEPT)
def _loaded(source: str) -> Any:
    machine = _machine()
    module = _optimized(source, machine)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def assembly(source: str) -> str:
    """The assembly of this machine for `source`."""
    with UNFORKABLE:
        machine = _machine()
        text: str = machine.emit_assembly(_optimized(source, machine))
        return text


def processor() -> tuple[str, tuple[str, ...]]:
    """The processor as LLVM calls it, and the features that it has."""
    _initialized()
    return llvm.get_host_cpu_name(), tuple(
        sorted(name for name, has in llvm.get_host_cpu_features().items() if has)
    )


@cache
def fused() -> int:
    """The bits of a vector that this processor multiplies and adds in one instruction.

    0 where there is no such instruction, and on ARM: what it gains there was not measured.
    """
    with UNFORKABLE:
        has = llvm.get_host_cpu_features()
    if has.get("avx512f"):
        return 512
    return 256 if has.get("avx2") and has.get("fma") else 0


@cache
def vbmi() -> bool:
    """Whether this processor is an x86 with AVX-512 VBMI: Ice Lake, Zen 4 and later ones."""
    with UNFORKABLE:
        has = llvm.get_host_cpu_features()
    return all(has.get(name) for name in ("avx512vbmi", "avx512vl"))


def _optimized(source: str, machine: Any) -> Any:
    module = llvm.parse_assembly(source)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return module


def _machine() -> Any:
    # A new one each time: the execution engine takes it over and frees it.
    _initialized()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


@cache
def _initialized() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in addresses():
        llvm.add_symbol(name, address)
