"""The model provider, compute server 0: embeds protected inputs and runs its half of a search."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.features import ProtectedBatch
from protocol.mapping import RowForm
from protocol.messages import Embeddings, GallerySeed, MaskedGallery, ProtectedFeatures, SeedGrant
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER
from protocol.plan import Batch, RunPlan
from protocol.roles import Observation
from protocol.search.dealer import (
    Prepared,
    ProviderGallery,
    SearchTerms,
    provider_prepare,
    provider_search,
)
from protocol.search.material import gallery_mask, search_shape
from protocol.sharing.additive import expand_share
from protocol.sharing.prg import CorrelationSource, Seed
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["Embedder", "ModelProvider"]


class Embedder(Protocol):
    """A recognition network as the provider runs it."""

    dimension: int

    def embed(self, batch: ProtectedBatch) -> npt.NDArray[np.float32]:
        """Return one embedding [B,d] per protected input, not normalised."""
        ...


class ModelProvider:
    """Holds the network, M0 and D; learns protected inputs and their embeddings."""

    def __init__(self, plan: RunPlan, embedder: Embedder, form: RowForm) -> None:
        self._plan = plan
        self._embedder = embedder
        self._form = form
        self._ring = Ring(plan.ring_bits)
        self._terms = SearchTerms(plan.threshold, plan.open_scores)
        self._probes: list[npt.NDArray[np.int32]] = []
        self._embeddings: list[npt.NDArray[np.float32]] = []

    async def run(self, channel: Channel) -> Observation:
        """Play the role; observed: quantised probes [P,D], probe embeddings [P,d]."""
        grant = await channel.receive(DEALER, SeedGrant, At("setup", "setup"))
        source = CorrelationSource(Seed(grant.seed.array().tobytes()))
        gallery = await self._enrol(channel, source)
        prepared: deque[Prepared] = deque()
        pending = deque(self._plan.searches)
        for batch in self._plan.searches:
            while pending and len(prepared) < self._plan.pool:
                shape = search_shape(self._plan, pending.popleft())
                prepared.append(await provider_prepare(channel, source, shape, gallery))
            probes = await self._probe(channel, batch)
            await provider_search(channel, prepared.popleft(), gallery, probes, self._terms)
        return self._observed()

    async def _enrol(self, channel: Channel, source: CorrelationSource) -> ProviderGallery:
        """Serve all enrolments; keep M0 = A0 + D and D."""
        plan = self._plan
        size = (plan.rows, plan.dimension)
        share, opened = np.empty(size, self._ring.dtype), np.empty(size, self._ring.dtype)
        start = 0
        for batch in plan.enrolments:
            rows = slice(start, start + batch.size)
            opened[rows], mask = await self._enrol_batch(channel, source, batch)
            share[rows] = opened[rows] + mask
            start += batch.size
        return ProviderGallery(share, opened)

    async def _enrol_batch(
        self, channel: Channel, source: CorrelationSource, batch: Batch
    ) -> tuple[RingArray, RingArray]:
        """Embed for the client, then open D of its rows; return D and A0."""
        at = At(batch.session, "enrol")
        embeddings = await self._embed(channel, at, batch.size)
        await channel.send(CLIENT, Embeddings(values=Tensor.of(embeddings)), at)
        message = await channel.receive(CLIENT, GallerySeed, at)
        size = (batch.size, self._plan.dimension)
        seed = Seed(message.seed.array().tobytes())
        rows = expand_share(seed, "gallery-rows", size, self._ring)
        half = await channel.receive(GALLERY_HOLDER, MaskedGallery, at)
        other = half.values.array()
        if other.shape != size or other.dtype != self._ring.dtype:
            text = f"sent masked rows {other.shape} {other.dtype} where {size} was agreed"
            raise PeerMisbehaviourError(text, where=f"{GALLERY_HOLDER}, {batch.session}")
        mask = gallery_mask(source, batch.session, *size, self._ring)
        return rows - mask + other, mask

    async def _probe(self, channel: Channel, batch: Batch) -> RingArray:
        """Receive protected probes, embed and quantise them."""
        embeddings = await self._embed(channel, At(batch.session, "online"), batch.size)
        probes = self._form.map_probe(_unit(embeddings))
        self._embeddings.append(embeddings)
        self._probes.append(probes)
        return self._ring.encode(probes)

    async def _embed(self, channel: Channel, at: At, pictures: int) -> npt.NDArray[np.float32]:
        message = await channel.receive(CLIENT, ProtectedFeatures, at)
        batch = ProtectedBatch(message.frequency.array(), message.colour.array())
        if len(batch.frequency) != pictures:
            text = f"sent {len(batch.frequency)} inputs where {pictures} were agreed"
            raise PeerMisbehaviourError(text, where=f"{CLIENT}, {at.session}")
        return self._embedder.embed(batch)

    def _observed(self) -> Observation:
        if not self._probes:
            return {}
        return {
            "probes": np.concatenate(self._probes),
            "probe_embeddings": np.concatenate(self._embeddings),
        }


def _unit(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    values = embeddings.astype(np.float64)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(norms, np.finfo(np.float64).tiny))
