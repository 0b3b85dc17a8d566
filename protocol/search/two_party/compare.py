"""Compare: XOR shares of [v < 0] for additively shared ring elements v.

The evaluators open x = v + r and compare the public x with the shared bits of r. See
`protocol.search.comparison` for the circuit. Who learns what: both evaluators see x and masked AND
operands, all uniform; the helper knows r and sees no x. Rounds: 1 + layers of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocol.search.comparison import (
    Circuit,
    and_operands,
    circuit,
    joined,
    leaves,
    secret_planes,
)
from protocol.search.two_party.evaluator import Evaluator
from protocol.search.two_party.pieces import WORD_BYTES, WORD_TYPE, Drawer, Opening, Part, PartShape
from protocol.sharing.kernels import Planes, bit_planes, words_for
from protocol.sharing.ring import Ring, RingArray

__all__ = ["Compare", "CompareMaterial", "negative"]


class CompareMaterial(NamedTuple):
    """Shares of masks r [n], of the planes that depend on r, of AND masks and their products."""

    mask: RingArray
    bits: Planes
    and_masks: Planes
    and_products: Planes


class Compare(NamedTuple):
    """The sign of `values` shared values of a ring; `radix` bits per digit."""

    name: str
    values: int
    ring: Ring
    radix: int

    @property
    def circuit(self) -> Circuit:
        """The comparison circuit of this ring."""
        return circuit(self.ring.bits, self.radix)

    @property
    def words(self) -> int:
        """Words of one bit plane."""
        return words_for(self.values)

    @property
    def part_shapes(self) -> tuple[PartShape, ...]:
        """The planes that depend on r, then the products of AND masks."""
        planes = self.circuit.secret_planes + self.circuit.products
        return (PartShape((planes, self.words), WORD_TYPE),)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Every value under a mask, then the masked operands of each layer."""
        plane_bytes = WORD_BYTES * self.words
        layers = range(len(self.circuit.layers))
        return (
            Opening("MaskedScores", self.values * self.ring.bytes),
            *(Opening("MaskedBits", self.circuit.layer_operands(i) * plane_bytes) for i in layers),
        )

    def first(self, draw: Drawer) -> CompareMaterial:
        """Return the first evaluator's material, all of it uniform."""
        return CompareMaterial(
            self._mask(draw),
            draw.planes("bits", self.circuit.secret_planes, self.words),
            self._and_masks(draw),
            draw.planes("and-products", self.circuit.products, self.words),
        )

    def second(self, draw: Drawer, parts: Sequence[Part]) -> CompareMaterial:
        """Return the second evaluator's material."""
        secret = self.circuit.secret_planes
        planes = parts[0]
        return CompareMaterial(
            self._mask(draw), planes[:secret], self._and_masks(draw), planes[secret:]
        )

    def corrections(self, first: Drawer, second: Drawer) -> tuple[Part, ...]:
        """Return the second evaluator's shares of the secret planes and AND products."""
        one = self.first(first)
        bits = secret_planes(one.mask + self._mask(second), self.circuit)
        gates = _mask_products(one.and_masks ^ self._and_masks(second), self.circuit)
        return (np.concatenate([bits ^ one.bits, gates ^ one.and_products]),)

    def _mask(self, draw: Drawer) -> RingArray:
        return draw.ring("mask", (self.values,), self.ring)

    def _and_masks(self, draw: Drawer) -> Planes:
        return draw.planes("and-masks", self.circuit.operands, self.words)


async def negative(
    evaluator: Evaluator, piece: Compare, values: RingArray
) -> npt.NDArray[np.uint64]:
    """Return this evaluator's share of the plane of [v < 0].

    Args:
        evaluator: this side of the computation.
        piece: the public size.
        values: flat shares of v.
    """
    material: CompareMaterial = evaluator.material.take(piece.name)
    x = await evaluator.open_ring(values + material.mask)
    opened = bit_planes(x, piece.ring.bits)
    sign = await _borrow(evaluator, piece.circuit, opened, material)
    sign ^= material.bits[-1]
    if evaluator.first:
        sign ^= opened[piece.ring.bits - 1]
    return sign


async def _borrow(
    evaluator: Evaluator, shape: Circuit, opened: Planes, material: CompareMaterial
) -> npt.NDArray[np.uint64]:
    """Return this evaluator's share of [x_low < r_low] for every value."""
    first = evaluator.first
    nodes = leaves(opened, material.bits, shape, first=first)
    operand = product = 0
    for index, layer in enumerate(shape.layers):
        stop = operand + shape.layer_operands(index)
        masks = material.and_masks[operand:stop]
        gates = sum(join.products for join in layer)
        operands = await evaluator.open_bits(and_operands(nodes, layer) ^ masks)
        products = material.and_products[product : product + gates]
        nodes = joined(nodes, layer, operands, masks, products, first=first)
        operand, product = stop, product + gates
    borrow: npt.NDArray[np.uint64] = nodes[0][0]
    return borrow


def _mask_products(masks: Planes, shape: Circuit) -> Planes:
    """Multiply the AND masks: per join, eq_high's mask with each other operand's mask."""
    rows = []
    operand = 0
    for join in (join for layer in shape.layers for join in layer):
        rows += [masks[operand] & masks[operand + 1 + gate] for gate in range(join.products)]
        operand += join.operands
    return np.stack(rows)
