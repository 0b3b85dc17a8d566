"""Sharings of zero between the two evaluators, from a seed that no helper has.

The helper knows every mask of the computation, so a share of an answer, taken alone, would tell
it more than the answer if it pooled its view with the client that gets both shares. A fresh
sharing of zero makes the shares uniform again to everyone but the evaluators. No communication.
"""

from __future__ import annotations

from protocol.search.two_party.pieces import Part
from protocol.sharing.prg import CorrelationSource

__all__ = ["ZeroShares"]


class ZeroShares:
    """One evaluator's end; each label once."""

    def __init__(self, source: CorrelationSource, *, first: bool) -> None:
        self._source = source
        self._first = first

    def add_to(self, share: Part, label: str) -> Part:
        """Return an additive share re-randomised."""
        zero = self._source.draw(label, share.shape, share.dtype)
        blinded: Part = share + zero if self._first else share - zero
        return blinded

    def xor_to(self, share: Part, label: str) -> Part:
        """Return an XOR share re-randomised."""
        blinded: Part = share ^ self._source.draw(label, share.shape, share.dtype)
        return blinded
