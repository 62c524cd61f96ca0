"""Cards of rules that take a tensor of two dimensions as a matrix: Muon.

They are not among `ruleonce.rules`, since no kernel of ours multiplies matrices, and a tensor of
another number of dimensions is refused. See docs/matrices.md.
"""

from .muon import muon as muon

__all__ = ["muon"]
