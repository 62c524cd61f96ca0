"""The host part of a program, ready to call."""

from functools import lru_cache

from ..emit import python
from ..language.program import Program


@lru_cache(maxsize=256)
def host_function(program: Program) -> python.HostFunction:
    """The function that packs the numbers of `program.host` and gives the new scalar state."""
    return python.load(python.emit(program))
