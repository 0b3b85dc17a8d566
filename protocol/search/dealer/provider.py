"""Server 0 of the dealer protocol: the model provider."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.channel import At, Channel
from protocol.errors import LocalProtocolError
from protocol.messages import (
    GallerySeed,
    MaskedGallery,
    MaskedProbes,
    MaterialRequest,
    SearchReady,
)
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER
from protocol.plan import RunPlan, Step
from protocol.received import checked
from protocol.search.dealer.material import (
    ProviderMaterial,
    probe_masks,
    product_shares,
)
from protocol.search.pool import material_session
from protocol.search.seeds import SETUP, expanded_rows, grant_seed, granted_seed
from protocol.search.shape import input_check
from protocol.search.two_party.outputs import SCORE_ROUND, search_pieces
from protocol.search.two_party.pieces import first_material
from protocol.search.two_party.server import EvaluatingServer, Shares
from protocol.sharing.prg import RandomBytes, SeedChain
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["Provider"]


class Provider(EvaluatingServer[ProviderMaterial]):
    """Keeps M = G - A of every row; masks probes and evaluates first."""

    peer = GALLERY_HOLDER
    first = True

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        super().__init__(plan)
        self._random_bytes = random_bytes
        (self._share,) = self._rows.matrices
        self._seeds: SeedChain

    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Draw the evaluators' seed of zeros and receive the dealer's seed."""
        self._zeros = await grant_seed(channel, GALLERY_HOLDER, self._random_bytes, at)
        self._seeds = await granted_seed(channel, DEALER, at)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Ask the dealer for the material of the searches that are due, and expand one's own.

        Sends one control message to the dealer for all of them and one per search to the client.
        The dealer learns the sizes.
        """
        due = self._pool.due(upcoming)
        if due:
            probes = sum(step.size for step in due)
            request = MaterialRequest(searches=len(due), probes=probes, rows=len(self._rows))
            await channel.send(DEALER, request, At(material_session(due), "offline"))
        for step in due:
            self._pool.put(step.session, self._material(step))
            await channel.send(CLIENT, SearchReady(), At(step.session, "offline"))

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Mask the probes, compute score shares, evaluate the answer.

        Learns nothing beyond sizes: every opened value is uniform.
        """
        material = self._pool.take(step.session)
        if probes is None or probes.shape != material.masks.shape:
            text = "probes do not fit the prepared material"
            raise LocalProtocolError(text, where=step.session)
        masked = probes - material.masks
        online = At(step.session, "online", SCORE_ROUND)
        await channel.send(GALLERY_HOLDER, MaskedProbes(values=Tensor.of(masked)), online)
        scores = self._rows.products(self._share, probes, step) + material.constant
        await self._evaluate(channel, step, material.pieces, Shares(probes, scores))

    async def _store(self, channel: Channel, step: Step) -> None:
        """Receive one's share of new or changed rows and open G - A."""
        at = At(step.session, "enrol")
        message = await channel.receive(CLIENT, GallerySeed, at)
        source = self._seeds.session(step.session)
        size, ring = self._rows.size(step), self._rows.ring
        rows = expanded_rows(message, size, ring, CLIENT)
        half = await channel.receive(GALLERY_HOLDER, MaskedGallery, at)
        rows += checked(half.values, size, ring.dtype, GALLERY_HOLDER)
        self._share[self._rows.apply(step)] = rows
        if self._plan.check_inputs:
            pieces = input_check(self._plan, step.size).pieces()
            material = first_material(source, step.session, pieces)
            await self._check_rows(channel, step, material, rows)

    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Move rows to fresh masks, M' = M + (A - A'), and all seeds to fresh ones."""
        at = At(step.session, "offline")
        await self.setup(channel, at)
        self._seeds.session(step.session)  # the other end takes masks from its own chain here
        message = await channel.receive(GALLERY_HOLDER, MaskedGallery, at)
        size, ring = self._rows.size(step), self._rows.ring
        change = checked(message.values, size, ring.dtype, GALLERY_HOLDER)
        self._share[self._rows.apply(step)] += change

    def _material(self, step: Step) -> ProviderMaterial:
        """Expand server 0's material: no communication at all."""
        shape = self._rows.shape(step)
        source = self._seeds.session(step.session)
        masks = probe_masks(source, shape)
        constant = product_shares(source, shape)
        pieces = first_material(source, step.session, search_pieces(shape))
        return ProviderMaterial(masks, constant, pieces)
