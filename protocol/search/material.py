"""Single-use material of one search: what the dealer makes and what each server expands.

Everything uniform comes from the servers' seeds; only what depends on both (products with the
gallery mask, bits of r, products of AND masks) is shipped, to server 1 alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from protocol.plan import Batch, RunPlan
from protocol.search.comparison import Circuit, circuit, secret_planes
from protocol.sharing.kernels import Planes, ring_product, words_for
from protocol.sharing.prg import CorrelationSource
from protocol.sharing.ring import Ring, RingArray

__all__ = [
    "Corrections",
    "SearchShape",
    "ServerMaterial",
    "deal",
    "gallery_mask",
    "holder_material",
    "provider_material",
    "search_shape",
]


class SearchShape(NamedTuple):
    """Public sizes of one search: its session, ring, probes, rows, dimension and circuit."""

    session: str
    ring: Ring
    probes: int
    rows: int
    dimension: int
    circuit: Circuit

    @property
    def entries(self) -> int:
        """Comparisons of this search."""
        return self.probes * self.rows

    @property
    def words(self) -> int:
        """Words of one bit plane."""
        return words_for(self.entries)

    @property
    def pairs(self) -> tuple[int, int]:
        """Shape of a score matrix."""
        return (self.probes, self.rows)


def search_shape(plan: RunPlan, batch: Batch) -> SearchShape:
    """Return the public sizes of one search of a plan."""
    ring = Ring(plan.ring_bits)
    comparison = circuit(plan.ring_bits, plan.radix)
    return SearchShape(batch.session, ring, batch.size, plan.rows, plan.dimension, comparison)


class Corrections(NamedTuple):
    """What the dealer ships to server 1: product shares [B,N], planes [secret + products, W]."""

    products: RingArray
    planes: Planes


class ServerMaterial(NamedTuple):
    """One server's single-use material for one search."""

    products: RingArray
    mask: RingArray
    bits: Planes
    and_masks: Planes
    and_products: Planes


def gallery_mask(
    source: CorrelationSource, session: str, rows: int, dimension: int, ring: Ring
) -> RingArray:
    """Expand one server's part of the mask A of newly enrolled rows, [rows, dimension]."""
    return source.draw(f"{session}/gallery-mask", (rows, dimension), ring.dtype)


def provider_material(
    source: CorrelationSource, shape: SearchShape
) -> tuple[RingArray, ServerMaterial]:
    """Expand server 0's probe masks b [B,D] and its material: no communication at all."""
    masks = _probe_masks(source, shape)
    products = _words(source, shape, "products-0", shape.circuit.products)
    return masks, ServerMaterial(
        source.draw(f"{shape.session}/gallery-products", shape.pairs, shape.ring.dtype),
        _score_mask(source, shape),
        _words(source, shape, "bits-0", shape.circuit.secret_planes),
        _words(source, shape, "and-masks", shape.circuit.operands),
        products,
    )


def holder_material(
    source: CorrelationSource, shape: SearchShape, corrections: Corrections
) -> ServerMaterial:
    """Expand server 1's material and complete it with the dealer's corrections."""
    secret = shape.circuit.secret_planes
    return ServerMaterial(
        corrections.products,
        _score_mask(source, shape),
        corrections.planes[:secret],
        _words(source, shape, "and-masks", shape.circuit.operands),
        corrections.planes[secret:],
    )


def deal(
    provider: CorrelationSource, holder: CorrelationSource, mask: RingArray, shape: SearchShape
) -> Corrections:
    """Make the corrections of one search from both servers' seeds and the gallery mask A [N,D].

    The dealer learns the sizes only: it never sees D, e, x or an opened operand.
    """
    probe_masks, first = provider_material(provider, shape)
    second_mask = _score_mask(holder, shape)
    second_and = _words(holder, shape, "and-masks", shape.circuit.operands)
    bits = secret_planes((first.mask + second_mask).reshape(-1), shape.circuit)
    gates = _mask_products(first.and_masks ^ second_and, shape.circuit)
    return Corrections(
        ring_product(mask, probe_masks) - first.products,
        np.concatenate([bits ^ first.bits, gates ^ first.and_products]),
    )


def _mask_products(masks: Planes, circuit: Circuit) -> Planes:
    """Multiply the AND masks: per join, eq_high's mask with each other operand's mask."""
    rows = []
    operand = 0
    for join in (join for layer in circuit.layers for join in layer):
        rows += [masks[operand] & masks[operand + 1 + gate] for gate in range(join.products)]
        operand += join.operands
    return np.stack(rows)


def _probe_masks(source: CorrelationSource, shape: SearchShape) -> RingArray:
    size = (shape.probes, shape.dimension)
    return source.draw(f"{shape.session}/probe-masks", size, shape.ring.dtype)


def _score_mask(source: CorrelationSource, shape: SearchShape) -> RingArray:
    return source.draw(f"{shape.session}/score-mask", shape.pairs, shape.ring.dtype)


def _words(source: CorrelationSource, shape: SearchShape, name: str, planes: int) -> Planes:
    return source.draw(f"{shape.session}/{name}", (planes, shape.words), np.dtype("<u8"))
