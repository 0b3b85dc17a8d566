"""Server 0 of the replicated protocol: the model provider, which also makes all material."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.channel import At, Channel
from protocol.errors import LocalProtocolError
from protocol.messages import GallerySeed, MaskedProbes, MaskedProducts, SearchReady
from protocol.parties import AUXILIARY_SERVER, CLIENT, GALLERY_HOLDER
from protocol.plan import RunPlan, Step
from protocol.search.replicated.material import (
    EVALUATORS,
    ProviderMaterial,
    probe_share,
    row_offset,
    score_mask,
)
from protocol.search.seeds import SETUP, expanded_rows, grant_seed, seed_tensor
from protocol.search.server import GalleryServer
from protocol.search.shape import input_check
from protocol.search.two_party.outputs import SCORE_ROUND, search_pieces
from protocol.search.two_party.transfer import Sources, ship_material
from protocol.sharing.additive import GALLERY_ROWS, expand_share
from protocol.sharing.prg import RandomBytes, Seed, SeedChain
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["Provider"]


class Provider(GalleryServer[ProviderMaterial]):
    """Keeps K; knows every mask and sees no message that is under one."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        super().__init__(plan)
        self._random_bytes = random_bytes
        (self._share,) = self._rows.matrices
        self._holder: SeedChain
        self._auxiliary: SeedChain

    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Grant each other server a seed of its own."""
        self._holder = await grant_seed(channel, GALLERY_HOLDER, self._random_bytes, at)
        self._auxiliary = await grant_seed(channel, AUXILIARY_SERVER, self._random_bytes, at)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Ship server 2 the corrections of the searches that are due.

        One message per search to server 2, one to the client. Nobody learns more than sizes: what
        is shipped is uniform to server 2.
        """
        for step in self._pool.due(upcoming):
            shape, sources = self._rows.shape(step), self._sources(step)
            holder, _ = sources
            material = ProviderMaterial(probe_share(holder, shape), score_mask(holder, shape))
            pieces = search_pieces(shape)
            await ship_material(channel, AUXILIARY_SERVER, sources, step.session, pieces)
            self._pool.put(step.session, material)
            await channel.send(CLIENT, SearchReady(), At(step.session, "offline"))

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Send server 2 the probes' share q0, then the masked product K q - mask.

        One round; B D and B N ring elements, both uniform to server 2. Receives nothing.
        """
        material = self._pool.take(step.session)
        if probes is None or probes.shape != material.probe_share.shape:
            text = "probes do not fit the prepared material"
            raise LocalProtocolError(text, where=step.session)
        other = probes - material.probe_share
        online = At(step.session, "online", SCORE_ROUND)
        await channel.send(AUXILIARY_SERVER, MaskedProbes(values=Tensor.of(other)), online)
        scores = self._rows.products(self._share, probes, step) - material.mask
        await channel.send(AUXILIARY_SERVER, MaskedProducts(values=Tensor.of(scores)), online)

    async def _store(self, channel: Channel, step: Step) -> None:
        """Expand K = G0 + s of new or changed rows.

        To have them checked, server 2 is sent the client's seed: G0 beside H = G - G0 - s is
        uniform to it.
        """
        at = At(step.session, "enrol")
        message = await channel.receive(CLIENT, GallerySeed, at)
        size, ring = self._rows.size(step), self._rows.ring
        rows = expanded_rows(message, size, ring, CLIENT)
        sources = self._sources(step)
        rows += row_offset(sources[0], step, size, ring)
        self._share[self._rows.apply(step)] = rows
        if self._plan.check_inputs:
            await channel.send(AUXILIARY_SERVER, message, at)
            pieces = input_check(self._plan, step.size).pieces()
            await ship_material(channel, AUXILIARY_SERVER, sources, step.session, pieces)

    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Move rows to fresh shares: one new seed to both other servers, whatever the rows.

        32 bytes to each, and as many for a seed in place of the one that is shared with each. All
        are drawn now, so shares and seeds stolen before are worth nothing beside shares stolen
        after.
        """
        at = At(step.session, "offline")
        await self.setup(channel, at)
        seed = Seed.fresh(self._random_bytes)
        for server in EVALUATORS:
            message = GallerySeed(seed=seed_tensor(seed), rows=step.size)
            await channel.send(server, message, at)
        change = expand_share(seed, GALLERY_ROWS, self._rows.size(step), self._rows.ring)
        self._share[self._rows.apply(step)] += change

    def _sources(self, step: Step) -> Sources:
        """Return the sources of a session that are shared with servers 1 and 2."""
        return self._holder.session(step.session), self._auxiliary.session(step.session)
