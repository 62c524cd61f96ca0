"""From what a state is stored as to its values, and back, by a kernel: a conversion is a rule too.

So the bits are those of a step, on each device, and nothing is copied on the way.
"""

from collections.abc import Sequence

from torch import Tensor

from ..engines.batch import Batch
from ..errors import EngineError
from ..formats import Storage, stored_program, stored_tensors
from ..language.rule import rule
from .calls import call_of, engine_of
from .layout import FORMATS


@rule
def carried(w, dw, values):  # type: ignore[no-untyped-def]  # noqa: ARG001  (symbols)
    """The weights become these values."""
    return values, values


def convert(
    sources: Sequence[Tensor],
    source: Storage | None,
    targets: Sequence[Tensor],
    target: Storage | None,
) -> None:
    """Write to the target's parts what the source's hold; None stands for one plain tensor.

    All are dense and in this process; one of source and target is plain.
    """
    first = targets[0]
    length = (sources if source is None else targets)[0].numel()
    if not length:
        return
    engine = engine_of(first)
    if engine == "tensors":
        raise EngineError(
            f"state that is stored in parts is decoded by a kernel, and there is none for tensors "
            f"on {first.device}. Load it on the CPU or on a GPU with Triton."
        )
    w, dw, values = carried.schema.tensors
    storages: dict[str, Storage] = {}
    if target is not None:
        storages[w] = target
    if source is not None:
        storages[values] = source
    program = stored_program(carried.program(), storages)
    forms = {name: form for x, how in storages.items() for name, form in how.forms(x).items()}
    plain = {w: first.dtype, dw: first.dtype, values: sources[0].dtype}
    wide = (sources if target is not None else targets)[0].dtype
    formats = {
        name: forms[name] if name in forms else FORMATS[wide if name == dw else plain[name]]
        for name in stored_tensors(carried.schema.tensors, storages)
    }
    call = call_of(engine, Batch(program, formats, [length], [0]), first.device)
    # The gradient is not read.
    for place, tensor in enumerate([first, first, *targets[1:], *sources]):
        call.place(place, [tensor.data_ptr()])
    call.prepare([tuple(0.0 for _ in program.step_inputs)])
    call.run()
