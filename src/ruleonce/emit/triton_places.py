"""Where the numbers of a block of the launch lie in its tensors.

Without formats, elements are a row of BLOCK. Where a program has blocks of its own, elements are a
table, a row for each of these blocks, and the numbers of blocks are a column: so what an element
has and what its block has meet without a word. Of numbers that share a byte, two by two, the bytes
are loaded and stored, each once: a table of half as many columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..formats import Format
from ..language.program import Program

Formats = Mapping[str, Format]


@dataclass(frozen=True)
class Place:
    """The numbers of one tensor that a program of the launch has.

    offsets   the name of their places in the tensor
    shape     of the numbers
    mask      the name of what says which of the places are there; "" where all are
    numbered  the same of the numbers, where a place has two
    """

    offsets: str
    shape: str
    mask: str = ""
    numbered: str = ""

    @property
    def masked(self) -> str:
        """What a load or a store is told of it."""
        return f", mask={self.mask}" if self.mask else ""


class Places:
    """Those of a program.

    elements     where there is a number for each element
    pairs        where two of these share a byte
    blocks       where there is one for each block
    dimensions   of elements
    """

    def __init__(self, program: Program, formats: Formats, *, is_whole: bool) -> None:
        size = program.block
        mask, pair_mask, block_mask = (
            ("", "", "") if is_whole else ("mask", "pair_mask", "block_mask")
        )
        shape = f"(BLOCK // {size}, {size})" if size else "(BLOCK,)"
        self.elements = Place("offsets", shape, mask)
        self.pairs = Place("pair_offsets", shape, pair_mask, mask)
        self.blocks = Place("block_offsets", f"(BLOCK // {size}, 1)" if size else "", block_mask)
        self.dimensions = 2 if size else 1
        self._of_blocks = program.of_blocks
        self._formats = formats

    def of(self, tensor: str) -> Place:
        """Where the numbers of a tensor lie."""
        if self._formats[tensor].per_item > 1:
            return self.pairs
        return self.blocks if tensor in self._of_blocks else self.elements

    def rate(self, tensor: str) -> str:
        """How often its numbers change; what changes less often fills their place."""
        return "block" if tensor in self._of_blocks else "element"


def offsets(program: Program, formats: Formats) -> Iterator[str]:
    """Lines that say where numbers lie, from the entry of the program of the launch."""
    size = program.block
    yield "start = (entry & 0xFFFFFFFF) * BLOCK"
    if size:
        yield f"block_offsets = (start // {size} + tl.arange(0, BLOCK // {size}))[:, None]"
        yield f"offsets = block_offsets * {size} + tl.arange(0, {size})[None, :]"
        if _has_pairs(formats):
            half = size // 2
            yield f"pair_offsets = block_offsets * {half} + tl.arange(0, {half})[None, :]"
    else:
        yield "offsets = start + tl.arange(0, BLOCK)"


def masks(program: Program, formats: Formats) -> Iterator[str]:
    """Lines that say which of them are there."""
    yield "mask = offsets < length"
    if program.block:
        yield f"block_mask = block_offsets * {program.block} < length"
    if _has_pairs(formats):
        yield "pair_mask = pair_offsets * 2 < length"


def _has_pairs(formats: Formats) -> bool:
    return any(form.per_item > 1 for form in formats.values())
