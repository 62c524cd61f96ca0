"""How many elements an instruction of LLVM IR takes: one, or a vector of them."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lanes:
    """A number of elements; what is written for one is written for any number of them.

    vbmi   whether they lie in registers of an x86 with AVX-512 VBMI
    """

    count: int = 1
    vbmi: bool = False

    @property
    def places(self) -> range:
        """The number of each lane."""
        return range(self.count)

    def of(self, scalar: str) -> str:
        """The type of so many numbers of a type."""
        return scalar if self.count == 1 else f"<{self.count} x {scalar}>"

    def all(self, scalar: str, literal: str) -> str:
        """A constant, the same in each lane."""
        return literal if self.count == 1 else f"splat ({scalar} {literal})"

    def suffix(self, letter: str, bits: int) -> str:
        """How the name of an intrinsic function for a type ends, such as f32 or v16f32."""
        return f"{letter}{bits}" if self.count == 1 else f"v{self.count}{letter}{bits}"

    def spread(self, name: str, scalar: str) -> Iterator[str]:
        """Lines that put %name into each lane of %name.all."""
        vector, places = self.of(scalar), self.of("i32")
        yield f"%{name}.lane = insertelement {vector} poison, {scalar} %{name}, i64 0"
        yield (
            f"%{name}.all = shufflevector {vector} %{name}.lane, {vector} poison, "
            f"{places} zeroinitializer"
        )


ONE = Lanes()
