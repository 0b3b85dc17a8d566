"""Server 1 of the dealer protocol: the gallery holder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.messages import (
    GalleryShares,
    MaskedGallery,
    MaskedProbes,
    SearchReady,
)
from protocol.parties import CLIENT, DEALER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.received import checked
from protocol.search.dealer.material import HolderMaterial, gallery_mask
from protocol.search.seeds import SETUP, granted_seed
from protocol.search.shape import input_check
from protocol.search.two_party.outputs import SCORE_ROUND, search_pieces
from protocol.search.two_party.pieces import PartShape, part_shapes, second_material
from protocol.search.two_party.server import EvaluatingServer, Shares
from protocol.search.two_party.transfer import receive_material, receive_parts
from protocol.sharing.prg import CorrelationSource, SeedChain
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["Holder"]


class Holder(EvaluatingServer[HolderMaterial]):
    """Keeps the mask A; learns the number of rows and of queries."""

    peer = MODEL_PROVIDER
    first = False

    def __init__(self, plan: RunPlan) -> None:
        super().__init__(plan)
        (self._share,) = self._rows.matrices
        self._seeds: SeedChain

    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Receive the dealer's seed, and the seed of zeros from the other evaluator."""
        self._seeds = await granted_seed(channel, DEALER, at)
        self._zeros = await granted_seed(channel, MODEL_PROVIDER, at)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Receive the dealer's corrections of the searches that are due."""
        for step in self._pool.due(upcoming):
            shape, offline = self._rows.shape(step), At(step.session, "offline")
            pieces = search_pieces(shape)
            wanted = (PartShape(shape.pairs, self._share.dtype), *part_shapes(pieces))
            products, *parts = await receive_parts(channel, DEALER, step.session, wanted)
            source = self._seeds.session(step.session)
            material = second_material(source, step.session, pieces, parts)
            self._pool.put(step.session, HolderMaterial(products, material))
            await channel.send(CLIENT, SearchReady(), offline)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Compute score shares from the masked probes, evaluate the answer.

        Learns nothing beyond sizes: e and every opened value are uniform.
        """
        del probes  # this server has none
        material = self._pool.take(step.session)
        online = At(step.session, "online", SCORE_ROUND)
        message = await channel.receive(MODEL_PROVIDER, MaskedProbes, online)
        size, dtype = self._rows.size(step), self._share.dtype
        masked = checked(message.values, size, dtype, MODEL_PROVIDER)
        scores = self._rows.products(self._share, masked, step) + material.constant
        await self._evaluate(channel, step, material.pieces, Shares(np.zeros_like(masked), scores))

    async def _store(self, channel: Channel, step: Step) -> None:
        """Open G - A of new or changed rows to server 0; check the rows if the plan says so."""
        message = await channel.receive(CLIENT, GalleryShares, At(step.session, "enrol"))
        rows = checked(message.values, self._rows.size(step), self._share.dtype, CLIENT)
        source, slots = self._seeds.session(step.session), self._rows.apply(step)
        await self._mask(channel, step, source, slots, rows)
        if self._plan.check_inputs:
            pieces = input_check(self._plan, step.size).pieces()
            material = await receive_material(channel, DEALER, source, step.session, pieces)
            await self._check_rows(channel, step, material, self._share[slots])

    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Replace one's share of rows by masks from a fresh seed; send server 0 the difference."""
        await self.setup(channel, At(step.session, "offline"))
        source, slots = self._seeds.session(step.session), self._rows.apply(step)
        await self._mask(channel, step, source, slots, self._share[slots])

    async def _mask(
        self,
        channel: Channel,
        step: Step,
        source: CorrelationSource,
        slots: npt.NDArray[np.int64],
        rows: RingArray,
    ) -> None:
        """Replace one's share by a fresh mask A and send server 0 the difference."""
        mask = gallery_mask(source, step.session, *self._rows.size(step), self._rows.ring)
        at = At(step.session, "offline" if step.kind == "refresh" else "enrol")
        await channel.send(MODEL_PROVIDER, MaskedGallery(values=Tensor.of(rows - mask)), at)
        self._share[slots] = mask
