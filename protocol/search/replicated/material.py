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
    "row_offset",
    "score_mask",
]

SERVERS: Final[tuple[Party, ...]] = (MODEL_PROVIDER, GALLERY_HOLDER, AUXILIARY_SERVER)
EVALUATORS: Final[tuple[Party, Party]] = (GALLERY_HOLDER, AUXILIARY_SERVER)


class ProviderMaterial(NamedTuple):
    """Server 0's material of one search: q1 [B,D] and the mask of its product [B,N]."""

    probe_share: RingArray
    mask: RingArray


class HolderMaterial(NamedTuple):
    """Server 1's material of one search: pieces, and its shares q1 and H q1 + mask."""

    pieces: Material
    shares: Shares


def row_offset(
    source: CorrelationSource, step: Step, size: tuple[int, int], ring: Ring
) -> RingArray:
    """Expand s [n,D], which moves new or changed rows from the client's sharing to K + H."""
    return source.draw(f"{step.session}/row-offset", size, ring.dtype)


def probe_share(source: CorrelationSource, shape: SearchShape) -> RingArray:
    """Expand q1 [B,D], known to servers 0 and 1."""
    size = (shape.probes, shape.dimension)
    return source.draw(f"{shape.session}/probe-share", size, shape.ring.dtype)


def score_mask(source: CorrelationSource, shape: SearchShape) -> RingArray:
    """Expand the mask [B,N] of server 0's score share, known to servers 0 and 1."""
    return source.draw(f"{shape.session}/score-mask", shape.pairs, shape.ring.dtype)
