"""Inject: XOR-shared bits become additive shares in a ring.

With a random bit beta known in both forms, the evaluators open e = c xor beta and take
c = e + (1 - 2e) beta. Who learns what: e is uniform; the helper knows beta, sees no e. One round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.pieces import WORD_BYTES, Drawer, Opening, Part, PartShape
from protocol.sharing.kernels import unpack_bits, words_for
from protocol.sharing.ring import Ring, RingArray

__all__ = ["Inject", "InjectMaterial", "injected", "lifted"]


class InjectMaterial(NamedTuple):
    """Shares of random bits: as a plane [W] and lifted to the ring [n]."""

    bits: npt.NDArray[np.uint64]
    lifted: RingArray


class Inject(NamedTuple):
    """`values` XOR-shared bits and the ring they are lifted to."""

    name: str
    values: int
    ring: Ring

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """The lifted bits."""
        return (PartShape((self.values,), self.ring.dtype),)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """The masked bits."""
        return (Opening("MaskedBits", WORD_BYTES * words_for(self.values)),)

    def first(self, draw: Drawer) -> InjectMaterial:
        """Return the first evaluator's material, all of it uniform."""
        return InjectMaterial(self._bits(draw), draw.ring("lifted", (self.values,), self.ring))

    def second(self, draw: Drawer, parts: Sequence[Part]) -> InjectMaterial:
        """Return the second evaluator's material."""
        return InjectMaterial(self._bits(draw), parts[0])

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Return the second evaluator's share of the lifted bits."""
        one = self.first(first)
        bits = unpack_bits(one.bits ^ self._bits(second), self.values)
        return (bits.astype(self.ring.dtype) - one.lifted,)

    def _bits(self, draw: Drawer) -> npt.NDArray[np.uint64]:
        plane: npt.NDArray[np.uint64] = draw.planes("bit", 1, words_for(self.values))[0]
        return plane


async def injected(evaluator: Evaluator, piece: Inject, plane: npt.NDArray[np.uint64]) -> RingArray:
    """Return this evaluator's additive shares [n] of the bits it holds XOR shares of."""
    material: InjectMaterial = evaluator.material.take(piece.name)
    opened = await evaluator.open_bits((plane ^ material.bits)[None])
    bits = unpack_bits(opened[0], piece.values)
    return lifted(bits, material.lifted, first=evaluator.first)


def lifted(bits: npt.NDArray[np.bool_], mask: RingArray, *, first: bool) -> RingArray:
    """Return shares of c = e + (1 - 2e) beta from public e and shares of beta."""
    result: RingArray = np.where(bits, np.zeros_like(mask) - mask, mask)
    return result + bits.astype(mask.dtype) if first else result
