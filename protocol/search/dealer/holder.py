"""Server 1 of the dealer protocol: the gallery holder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.channel import At, Channel
from protocol.gallery import SlotTable
from protocol.messages import (
    DeleteRows,
    GalleryShares,
    MaskedGallery,
    MaskedProbes,
    QueryCorrections,
    SearchReady,
    SeedGrant,
)
from protocol.parties import CLIENT, DEALER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.dealer.material import HolderMaterial, gallery_mask, search_pieces
from protocol.search.dealer.provider import PROBE_ROUND
from protocol.search.pool import Pool
from protocol.search.scores import score_shares
from protocol.search.shape import SearchShape, input_check, search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.evaluator import Evaluator, checked
from protocol.search.two_party.input_check import check_inputs
from protocol.search.two_party.outputs import answer, send_scores
from protocol.search.two_party.pieces import PartShape, part_shapes, second_material
from protocol.search.two_party.transfer import received_parts
from protocol.sharing.prg import CorrelationSource, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["Holder"]


class Holder:
    """Keeps M1 = A1; learns the number of rows and of queries."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._table = SlotTable()
        self._share = np.empty((plan.most_rows, plan.dimension), dtype=self._ring.dtype)
        self._pool: Pool[HolderMaterial] = Pool(plan)
        self._source: CorrelationSource

    async def setup(self, channel: Channel) -> None:
        """Receive the dealer's seed."""
        grant = await channel.receive(DEALER, SeedGrant, At("setup", "setup"))
        self._source = CorrelationSource(Seed(grant.seed.array().tobytes()))

    async def change(self, channel: Channel, step: Step) -> None:
        """Open D of new or changed rows towards server 0, refresh masks, or drop rows."""
        if step.kind == "delete":
            await channel.receive(CLIENT, DeleteRows, At(step.session, "enrol"))
            for source, target in self._table.delete(step.rows):
                self._share[target] = self._share[source]
        elif step.kind == "refresh":
            slots = self._table.apply(step)
            await self._mask(channel, step, slots, self._share[slots])
        else:
            message = await channel.receive(CLIENT, GalleryShares, At(step.session, "enrol"))
            size = (step.size, self._plan.dimension)
            rows = checked(message.values, size, self._ring.dtype, CLIENT)
            slots = self._table.apply(step)
            await self._mask(channel, step, slots, rows)
            if self._plan.check_inputs:
                await self._check(channel, step, self._share[slots])

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Receive the dealer's corrections of the searches that are due."""
        for step in self._pool.due(upcoming):
            shape, offline = self._shape(step), At(step.session, "offline")
            message = await channel.receive(DEALER, QueryCorrections, offline)
            pieces = search_pieces(shape)
            wanted = (PartShape(shape.pairs, self._ring.dtype), *part_shapes(pieces))
            products, *parts = received_parts(message, wanted, DEALER)
            material = second_material(self._source, step.session, pieces, parts)
            self._pool.put(step.session, HolderMaterial(products, material))
            await channel.send(CLIENT, SearchReady(), offline)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Compute score shares from the masked probes, evaluate the answer.

        Learns nothing beyond sizes: e and every opened value are uniform.
        """
        del probes  # this server has none
        shape, material = self._shape(step), self._pool.take(step.session)
        online = At(step.session, "online", PROBE_ROUND)
        message = await channel.receive(MODEL_PROVIDER, MaskedProbes, online)
        size = (shape.probes, shape.dimension)
        masked = checked(message.values, size, self._ring.dtype, MODEL_PROVIDER)
        claims = self._table.slots(step.rows) if self._plan.task == "verify" else None
        scores = score_shares(self._share[: len(self._table)], masked, claims)
        scores += material.constant
        evaluator = Evaluator(
            channel, MODEL_PROVIDER, step.session, material.pieces, first=False, round_=PROBE_ROUND
        )
        if shape.check is not None:
            await check_inputs(evaluator, shape.check, np.zeros_like(masked), MODEL_PROVIDER)
        await answer(evaluator, shape, scores)
        if self._plan.open_scores:
            await send_scores(channel, shape, scores)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}

    async def _mask(
        self,
        channel: Channel,
        step: Step,
        slots: np.ndarray[tuple[int], np.dtype[np.int64]],
        rows: RingArray,
    ) -> None:
        """Replace one's share by a fresh mask A1 and send server 0 the difference."""
        mask = gallery_mask(self._source, step.session, len(rows), rows.shape[1], self._ring)
        at = At(step.session, "offline" if step.kind == "refresh" else "enrol")
        await channel.send(MODEL_PROVIDER, MaskedGallery(values=Tensor.of(rows - mask)), at)
        self._share[slots] = mask

    async def _check(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Prove with server 0 that the client's rows are within bounds."""
        check = input_check(self._plan, step.size)
        pieces = check.pieces()
        at = At(step.session, "offline")
        message = await channel.receive(DEALER, QueryCorrections, at)
        parts = received_parts(message, part_shapes(pieces), DEALER)
        material = second_material(self._source, step.session, pieces, parts)
        evaluator = Evaluator(
            channel, MODEL_PROVIDER, step.session, material, first=False, round_=0, phase="enrol"
        )
        await check_inputs(evaluator, check, rows, CLIENT)

    def _shape(self, step: Step) -> SearchShape:
        return search_shape(self._plan, step, len(self._table))
