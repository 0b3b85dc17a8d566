"""Server 0 of the dealer protocol: the model provider."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import LocalProtocolError
from protocol.gallery import SlotTable
from protocol.messages import (
    DeleteRows,
    GallerySeed,
    MaskedGallery,
    MaskedProbes,
    MaterialRequest,
    SearchReady,
    SeedGrant,
)
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.dealer.material import (
    ProviderMaterial,
    gallery_mask,
    probe_masks,
    product_shares,
    search_pieces,
)
from protocol.search.pool import Pool, material_session
from protocol.search.scores import score_shares
from protocol.search.shape import SearchShape, input_check, search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.evaluator import Evaluator, checked
from protocol.search.two_party.input_check import check_inputs
from protocol.search.two_party.outputs import answer, send_scores
from protocol.search.two_party.pieces import first_material
from protocol.sharing.additive import expand_share
from protocol.sharing.prg import CorrelationSource, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["PROBE_ROUND", "Provider"]

PROBE_ROUND = 1


class Provider:
    """Keeps M0 = A0 + D and the opened D of every row; masks probes and evaluates first."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._table = SlotTable()
        self._share = np.empty((plan.most_rows, plan.dimension), dtype=self._ring.dtype)
        self._opened = np.empty_like(self._share)
        self._pool: Pool[ProviderMaterial] = Pool(plan)
        self._source: CorrelationSource

    async def setup(self, channel: Channel) -> None:
        """Receive the dealer's seed."""
        grant = await channel.receive(DEALER, SeedGrant, At("setup", "setup"))
        self._source = CorrelationSource(Seed(grant.seed.array().tobytes()))

    async def change(self, channel: Channel, step: Step) -> None:
        """Open D of new or changed rows, move rows to fresh masks, or drop rows."""
        if step.kind == "delete":
            await channel.receive(CLIENT, DeleteRows, At(step.session, "enrol"))
            for source, target in self._table.delete(step.rows):
                self._share[target] = self._share[source]
                self._opened[target] = self._opened[source]
        elif step.kind == "refresh":
            await self._refresh(channel, step)
        else:
            await self._store(channel, step)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Ask the dealer for the material of the searches that are due, and expand one's own.

        Sends one control message to the dealer for all of them and one per search to the client.
        The dealer learns the sizes.
        """
        due = self._pool.due(upcoming)
        if due:
            probes = sum(step.size for step in due)
            request = MaterialRequest(searches=len(due), probes=probes, rows=len(self._table))
            await channel.send(DEALER, request, At(material_session(due), "offline"))
        for step in due:
            self._pool.put(step.session, self._material(step))
            await channel.send(CLIENT, SearchReady(), At(step.session, "offline"))

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Mask the probes, compute score shares, evaluate the answer.

        Learns nothing beyond sizes: every opened value is uniform.
        """
        shape, material = self._shape(step), self._pool.take(step.session)
        if probes is None or probes.shape != material.masks.shape:
            text = "probes do not fit the prepared material"
            raise LocalProtocolError(text, where=step.session)
        masked = probes - material.masks
        online = At(step.session, "online", PROBE_ROUND)
        await channel.send(GALLERY_HOLDER, MaskedProbes(values=Tensor.of(masked)), online)
        scores = score_shares(self._live(self._share), masked, self._claims(step))
        scores += material.constant
        evaluator = Evaluator(
            channel, GALLERY_HOLDER, step.session, material.pieces, first=True, round_=PROBE_ROUND
        )
        if shape.check is not None:
            await check_inputs(evaluator, shape.check, probes, MODEL_PROVIDER)
        await answer(evaluator, shape, scores)
        if self._plan.open_scores:
            await send_scores(channel, shape, scores)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}

    async def _store(self, channel: Channel, step: Step) -> None:
        """Receive one's share of new or changed rows and open their D."""
        at = At(step.session, "enrol")
        message = await channel.receive(CLIENT, GallerySeed, at)
        size = (step.size, self._plan.dimension)
        rows = expand_share(Seed(message.seed.array().tobytes()), "gallery-rows", size, self._ring)
        mask = gallery_mask(self._source, step.session, *size, self._ring)
        half = await channel.receive(GALLERY_HOLDER, MaskedGallery, at)
        rows -= mask
        rows += checked(half.values, size, self._ring.dtype, GALLERY_HOLDER)
        slots = self._table.apply(step)
        self._opened[slots] = rows
        rows += mask
        self._share[slots] = rows
        if self._plan.check_inputs:
            await self._check(channel, step, rows)

    async def _check(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Prove with server 1 that the client's rows are within bounds."""
        check = input_check(self._plan, step.size)
        material = first_material(self._source, step.session, check.pieces())
        evaluator = Evaluator(
            channel, GALLERY_HOLDER, step.session, material, first=True, round_=0, phase="enrol"
        )
        await check_inputs(evaluator, check, rows, CLIENT)

    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Move rows to fresh masks: D' = D + (A0 - A0') + (A1 - A1')."""
        slots = self._table.apply(step)
        size = (step.size, self._plan.dimension)
        mask = gallery_mask(self._source, step.session, *size, self._ring)
        message = await channel.receive(GALLERY_HOLDER, MaskedGallery, At(step.session, "offline"))
        change = checked(message.values, size, self._ring.dtype, GALLERY_HOLDER)
        self._opened[slots] = self._share[slots] - mask + change
        self._share[slots] = self._opened[slots] + mask

    def _material(self, step: Step) -> ProviderMaterial:
        """Expand server 0's material: no communication at all."""
        shape = self._shape(step)
        masks = probe_masks(self._source, shape)
        constant = score_shares(self._live(self._opened), masks, self._claims(step))
        constant += product_shares(self._source, shape)
        pieces = first_material(self._source, step.session, search_pieces(shape))
        return ProviderMaterial(masks, constant, pieces)

    def _shape(self, step: Step) -> SearchShape:
        return search_shape(self._plan, step, len(self._table))

    def _claims(self, step: Step) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
        return self._table.slots(step.rows) if self._plan.task == "verify" else None

    def _live(self, matrix: RingArray) -> RingArray:
        return matrix[: len(self._table)]
