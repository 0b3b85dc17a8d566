"""What the dealer's seeds stand for: gallery masks, probe masks, product shares, pieces."""

from __future__ import annotations

from typing import NamedTuple

from protocol.search.shape import SearchShape
from protocol.search.two_party.pieces import Material
from protocol.sharing.prg import CorrelationSource
from protocol.sharing.ring import Ring, RingArray

__all__ = [
    "HolderMaterial",
    "ProviderMaterial",
    "gallery_mask",
    "probe_masks",
    "product_shares",
]


class ProviderMaterial(NamedTuple):
    """Server 0's material of one search: masks b [B,D], constant c0 [B,N], pieces."""

    masks: RingArray
    constant: RingArray
    pieces: Material


class HolderMaterial(NamedTuple):
    """Server 1's material of one search: constant c1 [B,N], pieces."""

    constant: RingArray
    pieces: Material


def gallery_mask(
    source: CorrelationSource, session: str, rows: int, dimension: int, ring: Ring
) -> RingArray:
    """Expand the mask A of new, changed or refreshed rows, [rows, D]; server 1's share of them."""
    return source.draw(f"{session}/gallery-mask", (rows, dimension), ring.dtype)


def probe_masks(source: CorrelationSource, shape: SearchShape) -> RingArray:
    """Expand server 0's probe masks b [B,D]."""
    size = (shape.probes, shape.dimension)
    return source.draw(f"{shape.session}/probe-masks", size, shape.ring.dtype)


def product_shares(source: CorrelationSource, shape: SearchShape) -> RingArray:
    """Expand server 0's shares c0 [B,N] of A b."""
    return source.draw(f"{shape.session}/gallery-products", shape.pairs, shape.ring.dtype)
