"""Conjoin: the AND of pairs of XOR-shared bits, with one Beaver triple on bits each.

Who learns what: both masked operands are uniform; the helper knows the masks only. One round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.pieces import WORD_BYTES, WORD_TYPE, Drawer, Opening, Part, PartShape
from protocol.sharing.kernels import Planes, words_for

__all__ = ["Conjoin", "ConjoinMaterial", "conjoined"]


class ConjoinMaterial(NamedTuple):
    """Shares of masks [2,W] and of their product [W]."""

    masks: Planes
    product: npt.NDArray[np.uint64]


class Conjoin(NamedTuple):
    """`values` AND gates."""

    name: str
    values: int

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """The products of the masks."""
        return (PartShape((words_for(self.values),), WORD_TYPE),)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Both masked operands."""
        return (Opening("MaskedBits", 2 * WORD_BYTES * words_for(self.values)),)

    def first(self, draw: Drawer) -> ConjoinMaterial:
        """Return the first evaluator's material, all of it uniform."""
        product: npt.NDArray[np.uint64] = draw.planes("product", 1, words_for(self.values))[0]
        return ConjoinMaterial(self._masks(draw), product)

    def second(self, draw: Drawer, parts: Sequence[Part]) -> ConjoinMaterial:
        """Return the second evaluator's material."""
        return ConjoinMaterial(self._masks(draw), parts[0].astype(np.uint64, copy=False))

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Return the second evaluator's share of the products."""
        one = self.first(first)
        masks = one.masks ^ self._masks(second)
        return ((masks[0] & masks[1]) ^ one.product,)

    def _masks(self, draw: Drawer) -> Planes:
        return draw.planes("masks", 2, words_for(self.values))


async def conjoined(
    evaluator: Evaluator,
    piece: Conjoin,
    left: npt.NDArray[np.uint64],
    right: npt.NDArray[np.uint64],
) -> npt.NDArray[np.uint64]:
    """Return this evaluator's share of the plane of left AND right."""
    material: ConjoinMaterial = evaluator.material.take(piece.name)
    opened = await evaluator.open_bits(np.stack([left, right]) ^ material.masks)
    masks = material.masks
    value = material.product ^ (opened[0] & masks[1]) ^ (opened[1] & masks[0])
    result: npt.NDArray[np.uint64] = value ^ (opened[0] & opened[1]) if evaluator.first else value
    return result
