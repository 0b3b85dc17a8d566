"""The gallery holder, compute server 1: one share of every row, half of every search."""

from __future__ import annotations

from collections import deque

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import GalleryShares, MaskedGallery, SeedGrant
from protocol.parties import CLIENT, DEALER, MODEL_PROVIDER
from protocol.plan import Batch, RunPlan
from protocol.roles import Observation
from protocol.search.dealer import Prepared, SearchTerms, holder_prepare, holder_search
from protocol.search.material import gallery_mask, search_shape
from protocol.sharing.prg import CorrelationSource, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["GalleryHolder"]


class GalleryHolder:
    """Keeps M1 = A1 and answers searches; learns the number of rows and of queries."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._terms = SearchTerms(plan.threshold, plan.open_scores)

    async def run(self, channel: Channel) -> Observation:
        """Play the role; there is nothing to observe."""
        grant = await channel.receive(DEALER, SeedGrant, At("setup", "setup"))
        source = CorrelationSource(Seed(grant.seed.array().tobytes()))
        share = await self._enrol(channel, source)
        prepared: deque[Prepared] = deque()
        pending = deque(self._plan.searches)
        for _ in self._plan.searches:
            while pending and len(prepared) < self._plan.pool:
                shape = search_shape(self._plan, pending.popleft())
                prepared.append(await holder_prepare(channel, source, shape))
            await holder_search(channel, prepared.popleft(), share, self._terms)
        return {}

    async def _enrol(self, channel: Channel, source: CorrelationSource) -> RingArray:
        """Receive share 1 of all rows and open D = G - A towards server 0."""
        plan = self._plan
        share = np.empty((plan.rows, plan.dimension), dtype=self._ring.dtype)
        start = 0
        for batch in plan.enrolments:
            rows = slice(start, start + batch.size)
            share[rows] = await self._enrol_batch(channel, source, batch)
            start += batch.size
        return share

    async def _enrol_batch(
        self, channel: Channel, source: CorrelationSource, batch: Batch
    ) -> RingArray:
        at = At(batch.session, "enrol")
        message = await channel.receive(CLIENT, GalleryShares, at)
        rows = message.values.array()
        size = (batch.size, self._plan.dimension)
        if rows.shape != size or rows.dtype != self._ring.dtype:
            text = f"sent gallery shares {rows.shape} {rows.dtype} where {size} was agreed"
            raise PeerMisbehaviourError(text, where=f"{CLIENT}, {batch.session}")
        mask = gallery_mask(source, batch.session, *size, self._ring)
        half = MaskedGallery(values=Tensor.of(rows - mask))
        await channel.send(MODEL_PROVIDER, half, at)
        return mask
