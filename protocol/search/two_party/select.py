"""Select: XOR-shared bits c, each multiplied with shared values u, possibly of several rings.

With random beta, alpha and shares of beta alpha, the evaluators open e = c xor beta and
f = u - alpha and take c u = f c + e alpha + (1 - 2e) beta alpha, where
c = e + (1 - 2e) beta is linear in shares.
Who learns what: e and f are uniform; the helper knows beta and alpha and sees neither. One round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.inject import lifted
from protocol.search.two_party.pieces import WORD_BYTES, Drawer, Opening, Part, PartShape
from protocol.sharing.kernels import unpack_bits, words_for
from protocol.sharing.ring import Ring, RingArray

__all__ = ["Select", "SelectMaterial", "selected"]


class SelectMaterial(NamedTuple):
    """Shares of random bits, plane [W] and lifted [n]; per ring, of masks and of bit times mask."""

    bits: npt.NDArray[np.uint64]
    lifted: RingArray
    masks: tuple[RingArray, ...]
    products: tuple[RingArray, ...]


class Select(NamedTuple):
    """`values` selections, each of one value in every ring of `rings`."""

    name: str
    values: int
    rings: tuple[Ring, ...]

    @property
    def widest(self) -> Ring:
        """The ring the selection bit is lifted to; its residues serve the narrower ones."""
        return max(self.rings, key=lambda ring: ring.bits)

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """The lifted bits, then the product of bit and mask per ring."""
        return tuple(PartShape((self.values,), r.dtype) for r in (self.widest, *self.rings))

    @property
    def openings(self) -> tuple[Opening, ...]:
        """The masked bits and every masked value."""
        values_bytes = self.values * sum(ring.bytes for ring in self.rings)
        return (Opening("MaskedChoices", WORD_BYTES * words_for(self.values) + values_bytes),)

    def first(self, draw: Drawer) -> SelectMaterial:
        """Return the first evaluator's material, all of it uniform."""
        products = self._per_ring(draw, "product")
        lift = draw.ring("lifted", (self.values,), self.widest)
        return SelectMaterial(self._bits(draw), lift, self._per_ring(draw, "mask"), products)

    def second(self, draw: Drawer, parts: Sequence[Part]) -> SelectMaterial:
        """Return the second evaluator's material."""
        masks = self._per_ring(draw, "mask")
        return SelectMaterial(self._bits(draw), parts[0], masks, tuple(parts[1:]))

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Return the second evaluator's shares of lifted bits and products."""
        one = self.first(first)
        bits = unpack_bits(one.bits ^ self._bits(second), self.values)
        masks = zip(self.rings, one.masks, self._per_ring(second, "mask"), strict=True)
        products = [bits.astype(ring.dtype) * (mine + theirs) for ring, mine, theirs in masks]
        lift = bits.astype(self.widest.dtype) - one.lifted
        return (lift, *(p - own for p, own in zip(products, one.products, strict=True)))

    def _bits(self, draw: Drawer) -> npt.NDArray[np.uint64]:
        plane: npt.NDArray[np.uint64] = draw.planes("bit", 1, words_for(self.values))[0]
        return plane

    def _per_ring(self, draw: Drawer, name: str) -> tuple[RingArray, ...]:
        return tuple(
            draw.ring(f"{name}-{index}", (self.values,), ring)
            for index, ring in enumerate(self.rings)
        )


async def selected(
    evaluator: Evaluator,
    piece: Select,
    plane: npt.NDArray[np.uint64],
    values: Sequence[RingArray],
) -> list[RingArray]:
    """Return this evaluator's shares of c u, one array [n] per ring.

    Args:
        evaluator: this side of the computation.
        piece: the public size.
        plane: shares of the selection bits.
        values: flat shares of u, one array per ring of the piece.
    """
    material: SelectMaterial = evaluator.material.take(piece.name)
    masked = [value - mask for value, mask in zip(values, material.masks, strict=True)]
    opened, differences = await evaluator.open_choices(plane ^ material.bits, masked)
    bits = unpack_bits(opened, piece.values)
    chosen = lifted(bits, material.lifted, first=evaluator.first)
    results = []
    for f, alpha, product in zip(differences, material.masks, material.products, strict=True):
        signed = np.where(bits, alpha - product, product)
        results.append(f * chosen.astype(f.dtype) + signed)
    return results
