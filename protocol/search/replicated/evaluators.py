"""Servers 1 and 2 of the replicated protocol, which evaluate the answer between them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from protocol.channel import At, Channel
from protocol.messages import (
    GallerySeed,
    GalleryShares,
    MaskedGallery,
    MaskedProbes,
    MaskedProducts,
    SearchReady,
)
from protocol.parties import AUXILIARY_SERVER, CLIENT, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.received import checked
from protocol.search.replicated.material import (
    HolderMaterial,
    probe_share,
    row_offset,
    score_mask,
)
from protocol.search.seeds import SETUP, expanded_rows, grant_seed, granted_seed
from protocol.search.shape import input_check
from protocol.search.two_party.outputs import SCORE_ROUND, search_pieces
from protocol.search.two_party.pieces import Material, Piece, first_material
from protocol.search.two_party.server import EvaluatingServer, Shares
from protocol.search.two_party.transfer import receive_material
from protocol.sharing.prg import CorrelationSource, RandomBytes, SeedChain
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["Auxiliary", "Holder"]

T = TypeVar("T")


class _RowHolder(EvaluatingServer[T]):
    """Keeps H, as the other one does; learns the number of rows and of queries."""

    def __init__(self, plan: RunPlan) -> None:
        super().__init__(plan)
        (self._share,) = self._rows.matrices
        self._seeds: SeedChain

    @abstractmethod
    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Take the seeds that are shared with the two other servers."""

    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Take from one's share what server 0 adds to its own, from a fresh seed; renew seeds."""
        at = At(step.session, "offline")
        await self.setup(channel, at)
        seed = await channel.receive(MODEL_PROVIDER, GallerySeed, at)
        size, ring = self._rows.size(step), self._rows.ring
        self._share[self._rows.apply(step)] -= expanded_rows(seed, size, ring, MODEL_PROVIDER)


class Holder(_RowHolder[HolderMaterial]):
    """Server 1: keeps H and knows q1, so that its score share is complete before the search."""

    peer = AUXILIARY_SERVER
    first = True

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        super().__init__(plan)
        self._random_bytes = random_bytes

    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Draw the evaluators' seed of zeros and receive server 0's seed."""
        self._zeros = await grant_seed(channel, AUXILIARY_SERVER, self._random_bytes, at)
        self._seeds = await granted_seed(channel, MODEL_PROVIDER, at)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Expand the material of the searches that are due and compute H q1 of all of them.

        No communication but the word to the client.
        """
        due = self._pool.due(upcoming)
        sources = [self._seeds.session(step.session) for step in due]
        probes = [
            probe_share(source, self._rows.shape(step))
            for source, step in zip(sources, due, strict=True)
        ]
        products = self._rows.products_by_search(self._share, probes, due)
        for source, share, (step, product) in zip(sources, probes, products, strict=True):
            shape = self._rows.shape(step)
            pieces = first_material(source, step.session, search_pieces(shape))
            scores = product + score_mask(source, shape)
            self._pool.put(step.session, HolderMaterial(pieces, Shares(share, scores)))
            await channel.send(CLIENT, SearchReady(), At(step.session, "offline"))

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Evaluate the answer; learns nothing: every opened value is uniform."""
        del probes  # this server has none
        pieces, shares = self._pool.take(step.session)
        await self._evaluate(channel, step, pieces, shares)

    async def _store(self, channel: Channel, step: Step) -> None:
        """Keep H = H1 - s of new or changed rows and send it to server 2, uniform to it.

        n D ring elements, once per row. A check proves the rows that the client shared: G0 + H1.
        """
        at = At(step.session, "enrol")
        message = await channel.receive(CLIENT, GalleryShares, at)
        size, ring = self._rows.size(step), self._rows.ring
        rows = checked(message.values, size, ring.dtype, CLIENT)
        source = self._seeds.session(step.session)
        other = rows - row_offset(source, step, size, ring)
        await channel.send(AUXILIARY_SERVER, MaskedGallery(values=Tensor.of(other)), at)
        self._share[self._rows.apply(step)] = other
        if self._plan.check_inputs:
            pieces = input_check(self._plan, step.size).pieces()
            material = first_material(source, step.session, pieces)
            await self._check_rows(channel, step, material, rows)


class Auxiliary(_RowHolder[Material]):
    """Server 2: keeps H and is sent q0 and server 0's masked product."""

    peer = GALLERY_HOLDER
    first = False

    async def setup(self, channel: Channel, at: At = SETUP) -> None:
        """Receive server 0's seed, and the seed of zeros from the other evaluator."""
        self._seeds = await granted_seed(channel, MODEL_PROVIDER, at)
        self._zeros = await granted_seed(channel, GALLERY_HOLDER, at)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Receive server 0's corrections of the searches that are due."""
        for step in self._pool.due(upcoming):
            source = self._seeds.session(step.session)
            pieces = search_pieces(self._rows.shape(step))
            material = await self._received(channel, step, source, pieces)
            self._pool.put(step.session, material)
            await channel.send(CLIENT, SearchReady(), At(step.session, "offline"))

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Compute H q0, add server 0's masked product, evaluate the answer.

        Learns nothing: q0, the masked product and every opened value are uniform.
        """
        del probes  # this server has none
        pieces = self._pool.take(step.session)
        at, shape = At(step.session, "online", SCORE_ROUND), self._rows.shape(step)
        message = await channel.receive(MODEL_PROVIDER, MaskedProbes, at)
        other = checked(message.values, self._rows.size(step), self._share.dtype, MODEL_PROVIDER)
        scores = self._rows.products(self._share, other, step)
        product = await channel.receive(MODEL_PROVIDER, MaskedProducts, at)
        scores += checked(product.values, shape.pairs, self._share.dtype, MODEL_PROVIDER)
        await self._evaluate(channel, step, pieces, Shares(other, scores))

    async def _store(self, channel: Channel, step: Step) -> None:
        """Keep H of new or changed rows; to check them, expand G0, which goes with H1."""
        at, size, ring = At(step.session, "enrol"), self._rows.size(step), self._rows.ring
        message = await channel.receive(GALLERY_HOLDER, MaskedGallery, at)
        rows = checked(message.values, size, ring.dtype, GALLERY_HOLDER)
        self._share[self._rows.apply(step)] = rows
        source = self._seeds.session(step.session)
        if self._plan.check_inputs:
            seed = await channel.receive(MODEL_PROVIDER, GallerySeed, at)
            pieces = input_check(self._plan, step.size).pieces()
            material = await self._received(channel, step, source, pieces)
            rows = expanded_rows(seed, size, ring, MODEL_PROVIDER)
            await self._check_rows(channel, step, material, rows)

    async def _received(
        self, channel: Channel, step: Step, source: CorrelationSource, pieces: Sequence[Piece]
    ) -> Material:
        """Complete one's material with what server 0 ships."""
        return await receive_material(channel, MODEL_PROVIDER, source, step.session, pieces)
