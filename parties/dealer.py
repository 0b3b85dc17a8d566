"""The dealer: makes correlated randomness, sees no share, no masked probe, no opened value."""

from __future__ import annotations

import numpy as np

from protocol.channel import At, Channel
from protocol.messages import SeedGrant
from protocol.parties import GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan
from protocol.roles import Observation
from protocol.search.dealer import answer_material_request
from protocol.search.material import gallery_mask, search_shape
from protocol.sharing.prg import CorrelationSource, RandomBytes, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["Dealer"]


class Dealer:
    """Grants one seed to each server, then answers one material request per search."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._random_bytes = random_bytes

    async def run(self, channel: Channel) -> Observation:
        """Play the role; there is nothing to observe."""
        provider = await self._grant(channel, MODEL_PROVIDER)
        holder = await self._grant(channel, GALLERY_HOLDER)
        mask = self._gallery_mask(provider, holder)
        for batch in self._plan.searches:
            shape = search_shape(self._plan, batch)
            await answer_material_request(channel, provider, holder, mask, shape)
        return {}

    async def _grant(self, channel: Channel, server: Party) -> CorrelationSource:
        seed = Seed.fresh(self._random_bytes)
        tensor = Tensor.of(np.frombuffer(seed.reveal(), dtype=np.uint8))
        await channel.send(server, SeedGrant(seed=tensor), At("setup", "setup"))
        return CorrelationSource(seed)

    def _gallery_mask(self, provider: CorrelationSource, holder: CorrelationSource) -> RingArray:
        """Expand A = A0 + A1 for all rows; the dealer needs it for every product A b."""
        plan = self._plan
        mask = np.empty((plan.rows, plan.dimension), dtype=self._ring.dtype)
        start = 0
        for batch in plan.enrolments:
            size = (batch.session, batch.size, plan.dimension, self._ring)
            rows = slice(start, start + batch.size)
            mask[rows] = gallery_mask(provider, *size) + gallery_mask(holder, *size)
            start += batch.size
        return mask
