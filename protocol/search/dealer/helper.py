"""The dealer: makes correlated randomness, sees no share, no masked probe, no opened value."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import MaterialRequest
from protocol.parties import GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.dealer.material import gallery_mask, probe_masks, product_shares
from protocol.search.pool import material_session
from protocol.search.seeds import SETUP, grant_seed
from protocol.search.server import GalleryServer
from protocol.search.shape import input_check
from protocol.search.two_party.outputs import search_pieces
from protocol.search.two_party.transfer import Sources, ship_material
from protocol.sharing.prg import RandomBytes, SeedChain
from protocol.sharing.ring import RingArray

__all__ = ["MaterialDealer"]


class MaterialDealer(GalleryServer[None]):
    """Knows both seeds and A; answers requests for material, several searches at a time."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        super().__init__(plan)
        self._random_bytes = random_bytes
        (self._mask,) = self._rows.matrices
        self._provider: SeedChain
        self._holder: SeedChain

    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Grant each server a seed of its own."""
        self._provider = await grant_seed(channel, MODEL_PROVIDER, self._random_bytes, at)
        self._holder = await grant_seed(channel, GALLERY_HOLDER, self._random_bytes, at)

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
        sources = [self._sources(step) for step in due]
        masks = [
            probe_masks(provider, self._rows.shape(step))
            for step, (provider, _) in zip(due, sources, strict=True)
        ]
        products = self._rows.products_by_search(self._mask, masks, due)
        for both, (step, product) in zip(sources, products, strict=True):
            await self._ship(channel, step, both, product)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Take no part in a search."""
        del channel, probes
        self._pool.take(step.session)

    async def _store(self, channel: Channel, step: Step) -> None:
        """Follow the gallery's masks, and ship material to check the rows if the plan says so."""
        sources = self._sources(step)
        self._follow(step, sources)
        if self._plan.check_inputs:
            pieces = input_check(self._plan, step.size).pieces()
            await ship_material(channel, GALLERY_HOLDER, sources, step.session, pieces)

    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Grant fresh seeds, and follow the gallery's masks."""
        await self.setup(channel, At(step.session, "offline"))
        self._follow(step, self._sources(step))

    def _sources(self, step: Step) -> Sources:
        """Return both servers' sources of a session."""
        return self._provider.session(step.session), self._holder.session(step.session)

    def _follow(self, step: Step, sources: Sources) -> None:
        """Set A of new, changed or refreshed rows."""
        _, holder = sources
        mask = gallery_mask(holder, step.session, *self._rows.size(step), self._rows.ring)
        self._mask[self._rows.apply(step)] = mask

    async def _ship(
        self, channel: Channel, step: Step, sources: Sources, products: RingArray
    ) -> None:
        """Ship c1 = A b - c0 and the pieces' corrections of one search to server 1."""
        shape = self._rows.shape(step)
        own = products - product_shares(sources[0], shape)
        pieces = search_pieces(shape)
        await ship_material(channel, GALLERY_HOLDER, sources, step.session, pieces, (own,))
        self._pool.put(step.session, None)
