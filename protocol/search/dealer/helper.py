"""The dealer: makes correlated randomness, sees no share, no masked probe, no opened value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import MaterialRequest
from protocol.parties import GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.dealer.material import gallery_mask, probe_masks, product_shares
from protocol.search.pool import Pool, material_session
from protocol.search.seeds import grant_seed
from protocol.search.shape import input_check
from protocol.search.shared_rows import SharedRows
from protocol.search.sides import Answers
from protocol.search.two_party.outputs import search_pieces
from protocol.search.two_party.transfer import ship_material
from protocol.sharing.prg import CorrelationSource, RandomBytes
from protocol.sharing.ring import RingArray

__all__ = ["MaterialDealer"]


class MaterialDealer:
    """Knows both seeds and A; answers requests for material, several searches at a time."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._random_bytes = random_bytes
        self._rows = SharedRows(plan)
        (self._mask,) = self._rows.matrices
        self._pool: Pool[None] = Pool(plan)
        self._provider: CorrelationSource
        self._holder: CorrelationSource

    async def setup(self, channel: Channel) -> None:
        """Grant each server a seed of its own."""
        self._provider = await grant_seed(channel, MODEL_PROVIDER, self._random_bytes)
        self._holder = await grant_seed(channel, GALLERY_HOLDER, self._random_bytes)

    async def change(self, channel: Channel, step: Step) -> None:
        """Follow the gallery's masks: A = A0 + A1 of new, changed or refreshed rows."""
        if step.kind == "delete":
            await self._rows.delete(channel, step)
            return
        size = (step.session, *self._rows.size(step), self._rows.ring)
        slots = self._rows.apply(step)
        mask = gallery_mask(self._provider, *size)
        mask += gallery_mask(self._holder, *size)
        self._mask[slots] = mask
        if self._plan.check_inputs and step.kind != "refresh":
            sources, pieces = (
                (self._provider, self._holder),
                input_check(self._plan, step.size).pieces(),
            )
            await ship_material(channel, GALLERY_HOLDER, sources, step.session, pieces)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Wait for the request that is due and ship server 1's corrections, search by search.

        The products A b of all searches of a request are one matrix product.
        """
        due = self._pool.due(upcoming)
        if not due:
            return
        at = At(material_session(due), "offline")
        request = await channel.receive(MODEL_PROVIDER, MaterialRequest, at)
        probes = sum(step.size for step in due)
        if (request.searches, request.probes, request.rows) != (len(due), probes, len(self._rows)):
            text = "asked for material of another size than the public plan"
            raise PeerMisbehaviourError(text, where=f"{MODEL_PROVIDER}, {at.session}")
        masks = [probe_masks(self._provider, self._rows.shape(step)) for step in due]
        for step, products in self._rows.products_by_search(self._mask, masks, due):
            await self._ship(channel, step, products)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Take no part in a search."""
        del channel, probes
        self._pool.take(step.session)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}

    async def _ship(self, channel: Channel, step: Step, products: RingArray) -> None:
        """Ship c1 = A b - c0 and the pieces' corrections of one search to server 1."""
        shape = self._rows.shape(step)
        own = products - product_shares(self._provider, shape)
        sources, pieces = (self._provider, self._holder), search_pieces(shape)
        await ship_material(channel, GALLERY_HOLDER, sources, step.session, pieces, (own,))
        self._pool.put(step.session, None)
