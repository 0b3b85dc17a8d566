"""Square: additive shares of the squared norms of additively shared vectors, at O(d) cost.

With random alpha and shares of its squared norm, the evaluators open f = v - alpha and take
|v|^2 = |f|^2 + 2 <f, alpha> + |alpha|^2. Who learns what: f is uniform. One round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.pieces import Drawer, Opening, Part, PartShape
from protocol.sharing.ring import Ring, RingArray

__all__ = ["Square", "SquareMaterial", "squared_norms"]


class SquareMaterial(NamedTuple):
    """Shares of mask vectors [R,d] and of their squared norms [R]."""

    masks: RingArray
    norms: RingArray


class Square(NamedTuple):
    """`vectors` vectors of `length` entries in a ring."""

    name: str
    vectors: int
    length: int
    ring: Ring

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """The squared norms of the masks."""
        return (PartShape((self.vectors,), self.ring.dtype),)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Every masked entry."""
        return (Opening("MaskedScores", self.vectors * self.length * self.ring.bytes),)

    def first(self, draw: Drawer) -> SquareMaterial:
        """Return the first evaluator's material, all of it uniform."""
        return SquareMaterial(self._masks(draw), draw.ring("norms", (self.vectors,), self.ring))

    def second(self, draw: Drawer, parts: Sequence[Part]) -> SquareMaterial:
        """Return the second evaluator's material."""
        return SquareMaterial(self._masks(draw), parts[0])

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Return the second evaluator's share of the norms."""
        one = self.first(first)
        return (_norms(one.masks + self._masks(second)) - one.norms,)

    def _masks(self, draw: Drawer) -> RingArray:
        return draw.ring("masks", (self.vectors, self.length), self.ring)


async def squared_norms(evaluator: Evaluator, piece: Square, vectors: RingArray) -> RingArray:
    """Return this evaluator's shares [R] of the squared norms of shared vectors [R,d]."""
    material: SquareMaterial = evaluator.material.take(piece.name)
    f = await evaluator.open_ring(vectors - material.masks)
    two = f.dtype.type(2)
    cross = (f * material.masks).sum(axis=1, dtype=f.dtype)
    share: RingArray = material.norms + two * cross
    return share + _norms(f) if evaluator.first else share


def _norms(vectors: RingArray) -> RingArray:
    norms: RingArray = (vectors * vectors).sum(axis=1, dtype=vectors.dtype)
    return norms
