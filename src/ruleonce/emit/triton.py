"""A program as Triton source: one launch for all tensors of equal formats.

Each program of the launch does one block of one tensor. Which one stands in `blocks`: the row of
the table in the upper 32 bits, the block in the lower. A row of the table is 64-bit integers:

    length, row of the numbers, whether all addresses are multiples of 16, address of each tensor

`numbers` holds the numbers of the step, float64, a row for each set of parameters that share them;
they are rounded once to the precision of the kernel. A full block of aligned tensors is read and
written whole; only a tensor's last block, or a tensor that is not aligned, takes the path with a
mask (without that, bfloat16 ran at half the bandwidth of an H100).

Where tensors are stored in blocks, a block of the launch is so many whole ones of these, and has
all that their numbers are made from: see triton_places. The addresses of what has one number for a
block may be any.

A pass that adds up leaves the sums of each block, float64, in `partial`, a row for each program of
the launch; the kernel `<rule>_sums` makes of them those of each tensor. Within a block, and from
block to block, the order of the additions is always the same.

Another kernel, `<rule>_numbers`, computes the numbers on the device, from the same graph, for what
may not be read back: a learning rate in a tensor, a count of steps in a CUDA graph.
"""

from collections.abc import Iterator, Mapping, Sequence
from keyword import iskeyword

from ..formats import FLOAT64, Format
from ..language import bits
from ..language.graph import Node, in_order
from ..language.program import Pass, Program
from .names import identifier, node_names
from .triton_bits import ASKS_FOR
from .triton_bits import functions as functions_of_bits
from .triton_functions import FUNCTIONS
from .triton_memory import helpers, load, store, stored_as
from .triton_operations import constant, operation
from .triton_places import Places, masks, offsets

Formats = Mapping[str, Format]

# Columns of the table in front of the addresses.
LENGTH, NUMBERS, ALIGNED, FIRST = 0, 1, 2, 3

# What the kernels call their own.
_TAKEN = {
    "tl", "triton", "table", "blocks", "numbers", "inputs", "row", "entry", "length", "start",
    "offsets", "mask", "block_offsets", "block_mask", "pair_offsets", "pair_mask", "host",
    "partial", "BLOCK", "INTERPRETED", "interpreter_semantic",
}  # fmt: skip
_TAKEN_ENDS = ("_address", "_at", "_result", "_elements", "_summand")


def emit(program: Program, formats: Formats, computed: Format) -> str:
    """The source of both kernels, a module; see above."""
    in_body, in_numbers = ({x.op for x in nodes} for nodes in (program.body, _host_nodes(program)))
    used = in_body | in_numbers
    read = {tensor: formats[tensor] for tensor in program.read}
    stored = {tensor: formats[tensor] for tensor in program.written}
    kept = ", ".join(f"{tensor} {formats[tensor].name}" for tensor in program.tensors)
    header = f'"""{program.name}: {kept}; computed in {computed.name}."""\n\n'
    parts = [
        *dict.fromkeys(text for op, texts in FUNCTIONS.items() if op in used for text in texts),
        *dict.fromkeys(
            (*functions_of_bits(in_body, computed), *functions_of_bits(in_numbers, FLOAT64))
        ),
        *helpers(read, stored, computed),
        *(
            "\n".join(lines) + "\n"
            for one in program.passes
            for lines in (_elements(one, computed), _kernel(one, formats, computed))
        ),
        "\n".join(_numbers(program)) + "\n",
        *([_SUMS.format(name=kernel_name(program))] if program.sum_count else []),
    ]
    opening = f"{header}import triton\nimport triton.language as tl\n"
    if any("INTERPRETED" in part for part in parts):
        opening += "\nINTERPRETED = tl.constexpr(False)  # the engine sets it\n"
    return "\n\n".join([opening, *parts])


def kernel_name(source: Program | Pass) -> str:
    """What the kernel of a step or of a pass is called; that of its numbers is `<this>_numbers`."""
    return _safe(source.name)


def _safe(name: str) -> str:
    """A name for the author's value that is none of the kernels' own; another for another name."""
    plain = identifier(name)
    bare = plain.rstrip("_")  # row is row_ here, and row_ is row__
    is_taken = bare in _TAKEN or bare.endswith(_TAKEN_ENDS) or iskeyword(bare)
    return f"{plain}_" if is_taken else plain


def _names(source: Program | Pass, nodes: Sequence[Node]) -> dict[Node, str]:
    return {node: _safe(name) for node, name in node_names(source, tuple(nodes)).items()}


def _elements(one: Pass, computed: Format) -> Iterator[str]:
    """The function of one element: the formula, once for both paths."""
    names = _names(one, (*one.host, *one.body))
    arguments = [*_arguments(one, names), *_asked_for(one)]
    yield "@triton.jit"
    yield f"def {kernel_name(one)}_elements({', '.join(arguments)}):"
    for node in one.body:
        operands = [_operand(arg, names, computed) for arg in node.args]
        yield f"    {names[node]} = {operation(node, operands, computed)}"
    results = [_operand(node, names, computed) for node in one.written.values()]
    results += [_summand(node, names, computed) for node in one.sums]
    yield f"    return {', '.join(results) or '0'}"


def _arguments(one: Pass, names: Mapping[Node, str]) -> list[str]:
    place = [_safe(bits.INDEX)] if one.counts else []
    return [*map(_safe, one.read), *place, *(names[node] for node in one.host)]


def _asked_for(one: Pass) -> list[str]:
    """What operations ask for of the kernel, beside values."""
    used = {node.op for node in one.body}
    return list(dict.fromkeys(name for op, name in ASKS_FOR.items() if op in used))


def _summand(node: Node, names: Mapping[Node, str], computed: Format) -> str:
    """What an element adds to a sum."""
    operands = [_operand(arg, names, computed) for arg in node.args]
    return " * ".join(x if computed is FLOAT64 else f"({x}).to(tl.float64)" for x in operands)


def _kernel(one: Pass, formats: Formats, computed: Format) -> Iterator[str]:
    name = kernel_name(one)
    names = _names(one, (*one.host, *one.body))
    places = Places(one.program, formats, is_whole=True)
    sums = "partial, " if one.sums else ""
    yield "@triton.jit"
    yield f"def {name}(table, blocks, numbers, {sums}BLOCK: tl.constexpr):"
    yield "    entry = tl.load(blocks + tl.program_id(0))"
    yield f"    row = table + (entry >> 32) * {FIRST + len(one.tensors)}"
    yield "    length = tl.load(row)"
    yield f"    host = numbers + tl.load(row + {NUMBERS}) * {max(1, one.program.number_count)}"
    for index, node in enumerate(one.host, start=one.first_number):
        loaded = f"tl.load(host + {index})"
        yield f"    {names[node]} = {_from_host(loaded, node, computed, places)}"
    for index, tensor in enumerate(one.tensors):
        if _is_used(tensor, one):
            yield f"    {_safe(tensor)}_address = tl.load(row + {FIRST + index})"
    for line in offsets(one.program, formats):
        yield f"    {line}"
    if one.counts:
        yield f"    {_safe(bits.INDEX)} = offsets.to(tl.int32)"
    yield f"    if (tl.load(row + {ALIGNED}) != 0) & (start + BLOCK <= length):"
    yield from _path(one, formats, computed, names, is_whole=True)
    yield "    else:"
    for line in masks(one.program, formats):
        yield f"        {line}"
    yield from _path(one, formats, computed, names, is_whole=False)


def _path(
    one: Pass,
    formats: Formats,
    computed: Format,
    names: Mapping[Node, str],
    *,
    is_whole: bool,
) -> Iterator[str]:
    """Load, compute and store one block.

    The pointers are made in each path: a hint belongs to what made a pointer, and it is true of
    aligned tensors only.
    """
    for tensor in one.tensors:
        if _is_used(tensor, one):
            pointer = f"tl.pointer_type(tl.{stored_as(formats[tensor])})"
            made = f"{_safe(tensor)}_address.to({pointer})"
            is_hinted = is_whole and tensor not in one.program.of_blocks
            hinted = f"tl.multiple_of({made}, 16)" if is_hinted else made
            yield f"        {_safe(tensor)}_at = {hinted}"
    places = Places(one.program, formats, is_whole=is_whole)
    for tensor in one.read:
        loaded = load(_safe(tensor), formats[tensor], computed, places.of(tensor))
        yield f"        {_safe(tensor)} = {loaded}"
    arguments = _arguments(one, names)
    arguments += ["None" if is_whole and x == "mask" else x for x in _asked_for(one)]
    results = [f"{_safe(tensor)}_result" for tensor in one.written]
    summands = [f"x{place}_summand" for place in range(len(one.sums))]
    if not results and not summands:
        yield "        pass"
        return
    call = f"{kernel_name(one)}_elements({', '.join(arguments)})"
    yield f"        {', '.join([*results, *summands])} = {call}"
    for tensor, result in zip(one.written, results, strict=True):
        # A result that does not depend on an element is one number: it fills the block.
        node, place = one.written[tensor], places.of(tensor)
        value = f"tl.broadcast_to({result}, {place.shape})"
        value = result if node.rate == places.rate(tensor) else value
        is_exact = bits.is_bfloat16(node)
        for line in store(
            _safe(tensor), value, formats[tensor], computed, place, is_exact=is_exact
        ):
            yield f"        {line}"
    for number, summand in enumerate(summands, start=one.first_sum):
        value = f"tl.broadcast_to({summand}, {places.elements.shape})"
        value = value if is_whole else f"tl.where(mask, {value}, 0.0)"
        for _ in range(places.dimensions):
            value = f"tl.reduce({value}, 0, tl.standard._sum_combine)"
        at = f"partial + tl.program_id(0) * {one.program.sum_count} + {number}"
        yield f"        tl.store({at}, {value})"


def _is_used(tensor: str, one: Pass) -> bool:
    return tensor in one.read or tensor in one.written


def _from_host(loaded: str, node: Node, computed: Format, places: Places) -> str:
    if node.kind == "truth":  # for each element: the interpreter has no `&` of one and many
        return f"tl.broadcast_to({loaded}, {places.elements.shape}) != 0.0"
    if node.kind == "integer":
        return f"{loaded}.to(tl.int32)"
    return loaded if computed is FLOAT64 else f"{loaded}.to(tl.{computed.name})"


def _operand(node: Node, names: Mapping[Node, str], computed: Format) -> str:
    if node in names:
        return names[node]
    return _safe(node.name) if node.name is not None else constant(node, computed)


def _host_nodes(program: Program) -> tuple[Node, ...]:
    known = (x for name, x in program.scalars.items() if name not in program.measured_scalars)
    return in_order((*known, *program.host))


def _numbers(program: Program) -> Iterator[str]:
    """The kernel that computes the numbers of a step on the device: a program a row."""
    nodes = _host_nodes(program)
    names = _names(program, nodes)
    yield "@triton.jit"
    yield f"def {kernel_name(program)}_numbers(inputs, numbers):"
    yield f"    row = inputs + tl.program_id(0) * {len(program.step_inputs)}"
    yield f"    host = numbers + tl.program_id(0) * {max(1, len(program.host))}"
    for index, name in enumerate(program.step_inputs):
        yield f"    {_safe(name)} = tl.load(row + {index})"
    for node in nodes:
        if node.op is not None:
            operands = [_operand(arg, names, FLOAT64) for arg in node.args]
            yield f"    {names[node]} = {operation(node, operands, FLOAT64)}"
    for index, node in enumerate(program.host):
        value = _operand(node, names, FLOAT64)
        cast = "" if node.kind == "number" else ".to(tl.float64)"
        yield f"    tl.store(host + {index}, {value}{cast})"
    places = {name: index for index, name in enumerate(program.step_inputs)}
    for name, node in program.scalars.items():
        if name in program.measured_scalars:
            continue
        yield f"    tl.store(row + {places[name]}, {_operand(node, names, FLOAT64)})"


# A program for each tensor and each sum of a pass: `spans` says where the blocks of a tensor begin,
# and how many they are.
_SUMS = """\
@triton.jit
def {name}_sums(
    partial, spans, sums, FIRST: tl.constexpr, COUNT: tl.constexpr, BLOCK: tl.constexpr
):
    tensor = tl.program_id(0)
    place = FIRST + tl.program_id(1)
    first = tl.load(spans + tensor * 2)
    count = tl.load(spans + tensor * 2 + 1)
    found = tl.full((BLOCK,), 0.0, tl.float64)
    for start in range(0, count, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        at = partial + (first + offsets) * COUNT + place
        found += tl.load(at, mask=offsets < count, other=0.0)
    tl.store(sums + tensor * COUNT + place, tl.reduce(found, 0, tl.standard._sum_combine))
"""
