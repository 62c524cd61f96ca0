"""Random bits for formats that round by chance: counted, so nothing has to be kept of them.

They are a hash of the seed, the name of the tensor, the step and the element's place in its tensor,
as it lies in memory. So they are the same on every engine, however many threads share a step. Two
tensors of one parameter have different ones, such as its m and its v; the elements at one place of
two parameters have the same.
"""

from zlib import crc32

from ..language.bits import INDEX, wrapped
from ..language.graph import Graph
from ..language.symbol import Symbol
from .functions import integer


def random_bits(graph: Graph, tensor: str, seed: int) -> Symbol:
    """32 of them for each element of a tensor, others at each step.

    seed   its lower 32 bits count

    All but the last hash is one number of the step. Places beyond 2**32 begin again.
    """
    place = Symbol(graph, graph.input(INDEX, "element", "integer"))
    t = integer(Symbol(graph, graph.input("t", "step")))
    name = Symbol(graph, graph.constant(wrapped(crc32(tensor.encode())), "integer"))
    start = Symbol(graph, graph.constant(wrapped(seed), "integer"))
    return _hashed(place ^ _hashed(t + _hashed(name + _hashed(start))))


def _hashed(x: Symbol) -> Symbol:
    """A permutation of the numbers of 32 bits in which each bit that goes in turns every bit that
    comes out with a probability of nearly a half.

    C. Wellons, Hash Function Prospector (github.com/skeeto/hash-prospector): the form of lowbias32
    with the constants [16 21f0aaad 15 d35a2d97 15], whose exact bias is given as 0.108.
    """
    x = (x ^ (x >> 16)) * 0x21F0AAAD
    x = (x ^ (x >> 15)) * 0xD35A2D97
    return x ^ (x >> 15)
