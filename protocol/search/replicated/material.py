"""What the servers' pairwise seeds stand for, and how rows are shared and moved."""

from __future__ import annotations

from typing import Final, NamedTuple

from protocol.parties import AUXILIARY_SERVER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import Step
from protocol.search.shape import SearchShape
from protocol.search.two_party.pieces import Material
from protocol.search.two_party.server import Shares
from protocol.sharing.prg import CorrelationSource
from protocol.sharing.ring import Ring, RingArray

__all__ = [
    "EVALUATORS",
    "SERVERS",
    "HolderMaterial",
    "ProviderMaterial",
    "probe_share",
    "row_change",
    "row_offset",
    "score_mask",
]

SERVERS: Final[tuple[Party, ...]] = (MODEL_PROVIDER, GALLERY_HOLDER, AUXILIARY_SERVER)
EVALUATORS: Final[tuple[Party, Party]] = (GALLERY_HOLDER, AUXILIARY_SERVER)


class ProviderMaterial(NamedTuple):
    """Server 0's material of one search: q1 [B,D] and G0 q1 less the score mask, [B,N]."""

    probe_share: RingArray
    constant: RingArray


class HolderMaterial(NamedTuple):
    """Server 1's material of one search: pieces, and its shares q1 and H1 q1 + mask."""

    pieces: Material
    shares: Shares


def row_offset(
    source: CorrelationSource, step: Step, size: tuple[int, int], ring: Ring
) -> RingArray:
    """Expand s [n,D], the part of new or changed rows that servers 0 and 1 both know."""
    return source.draw(f"{step.session}/row-offset", size, ring.dtype)


def row_change(
    source: CorrelationSource, step: Step, size: tuple[int, int], ring: Ring
) -> RingArray:
    """Expand what a refresh adds to server 0's share of a sharing and takes from the other."""
    return source.draw(f"{step.session}/row-change", size, ring.dtype)


def probe_share(source: CorrelationSource, shape: SearchShape) -> RingArray:
    """Expand q1 [B,D], known to servers 0 and 1."""
    size = (shape.probes, shape.dimension)
    return source.draw(f"{shape.session}/probe-share", size, shape.ring.dtype)


def score_mask(source: CorrelationSource, shape: SearchShape) -> RingArray:
    """Expand the mask [B,N] of server 0's score share, known to servers 0 and 1."""
    return source.draw(f"{shape.session}/score-mask", shape.pairs, shape.ring.dtype)
