"""The dealer: makes correlated randomness, sees no share, no masked probe, no opened value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.gallery import SlotTable
from protocol.messages import DeleteRows, MaterialRequest, SeedGrant
from protocol.parties import CLIENT, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step
from protocol.search.dealer.material import (
    gallery_mask,
    probe_masks,
    product_shares,
    search_pieces,
)
from protocol.search.pool import Pool, material_session
from protocol.search.scores import score_shares
from protocol.search.shape import input_check, search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.pieces import corrections
from protocol.search.two_party.transfer import shipped_parts
from protocol.sharing.prg import CorrelationSource, RandomBytes, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["MaterialDealer"]


class MaterialDealer:
    """Knows both seeds and A; answers requests for material, several searches at a time."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._random_bytes = random_bytes
        self._table = SlotTable()
        self._mask = np.empty((plan.most_rows, plan.dimension), dtype=self._ring.dtype)
        self._pool: Pool[None] = Pool(plan)
        self._provider: CorrelationSource
        self._holder: CorrelationSource

    async def setup(self, channel: Channel) -> None:
        """Grant each server a seed of its own."""
        self._provider = await self._grant(channel, MODEL_PROVIDER)
        self._holder = await self._grant(channel, GALLERY_HOLDER)

    async def change(self, channel: Channel, step: Step) -> None:
        """Follow the gallery's masks: A = A0 + A1 of new, changed or refreshed rows."""
        if step.kind == "delete":
            await channel.receive(CLIENT, DeleteRows, At(step.session, "enrol"))
            for source, target in self._table.delete(step.rows):
                self._mask[target] = self._mask[source]
            return
        size = (step.session, step.size, self._plan.dimension, self._ring)
        slots = self._table.apply(step)
        mask = gallery_mask(self._provider, *size)
        mask += gallery_mask(self._holder, *size)
        self._mask[slots] = mask
        if self._plan.check_inputs and step.kind != "refresh":
            pieces = input_check(self._plan, step.size).pieces()
            parts = corrections(self._provider, self._holder, step.session, pieces)
            at = At(step.session, "offline")
            await channel.send(GALLERY_HOLDER, shipped_parts(parts), at)

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
        if (request.searches, request.probes, request.rows) != (len(due), probes, len(self._table)):
            text = "asked for material of another size than the public plan"
            raise PeerMisbehaviourError(text, where=f"{MODEL_PROVIDER}, {at.session}")
        products = self._products(due)
        start = 0
        for step in due:
            await self._ship(channel, step, products[start : start + step.size])
            start += step.size

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Take no part in a search."""
        del channel, probes
        self._pool.take(step.session)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}

    async def _grant(self, channel: Channel, server: Party) -> CorrelationSource:
        seed = Seed.fresh(self._random_bytes)
        tensor = Tensor.of(np.frombuffer(seed.reveal(), dtype=np.uint8))
        await channel.send(server, SeedGrant(seed=tensor), At("setup", "setup"))
        return CorrelationSource(seed)

    def _products(self, due: Sequence[Step]) -> RingArray:
        """Return A b of every probe of several searches."""
        rows = len(self._table)
        masks = [probe_masks(self._provider, search_shape(self._plan, step, rows)) for step in due]
        claims = None
        if self._plan.task == "verify":
            claims = self._table.slots([row for step in due for row in step.rows])
        return score_shares(self._mask[:rows], np.concatenate(masks), claims)

    async def _ship(self, channel: Channel, step: Step, products: RingArray) -> None:
        """Ship c1 = A b - c0 and the pieces' corrections of one search to server 1."""
        shape = search_shape(self._plan, step, len(self._table))
        own = products - product_shares(self._provider, shape)
        parts = corrections(self._provider, self._holder, step.session, search_pieces(shape))
        at = At(step.session, "offline")
        await channel.send(GALLERY_HOLDER, shipped_parts((own, *parts)), at)
        self._pool.put(step.session, None)
