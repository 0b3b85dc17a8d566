"""The model provider: embeds protected inputs and runs its part of every search."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.features import ProtectedBatch
from protocol.mapping import RowForm
from protocol.messages import Embeddings, ProtectedFeatures
from protocol.parties import CLIENT, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.roles import Observation
from protocol.search.protocols import protocol_named
from protocol.search.sides import serve
from protocol.sharing.prg import RandomBytes
from protocol.sharing.ring import Ring, RingArray
from protocol.tensors import Tensor

__all__ = ["Embedder", "ModelProvider"]


class Embedder(Protocol):
    """A recognition network as the provider runs it."""

    dimension: int

    def complaint(self, batch: ProtectedBatch) -> str | None:
        """Say why an upload cannot be embedded, by shape, type or value; None if it can."""
        ...

    def embed(self, batch: ProtectedBatch) -> npt.NDArray[np.float32]:
        """Return one embedding [B,d] per protected input, not normalised."""
        ...


class ModelProvider:
    """Holds the network and one gallery share; learns protected inputs and their embeddings."""

    def __init__(
        self, plan: RunPlan, embedder: Embedder, form: RowForm, random_bytes: RandomBytes
    ) -> None:
        self._plan = plan
        self._embedder = embedder
        self._form = form
        self._ring = Ring(plan.ring_bits)
        self.side = protocol_named(plan.protocol).servers[MODEL_PROVIDER](plan, random_bytes)
        self._probes: list[npt.NDArray[np.int32]] = []
        self._embeddings: list[npt.NDArray[np.float32]] = []

    async def run(self, channel: Channel) -> Observation:
        """Play the role; observed: quantised probes [P,D], probe embeddings [P,d]."""
        await serve(channel, self._plan, self.side, embed_rows=self._embed_rows, probes=self._probe)
        return {**self.side.observed(), **self._observed()}

    async def _embed_rows(self, channel: Channel, step: Step) -> None:
        """Return the embeddings of enrolment pictures to the client they belong to."""
        at = At(step.session, "enrol")
        embeddings = await self._embed(channel, at, step.size)
        await channel.send(CLIENT, Embeddings(values=Tensor.of(embeddings)), at)

    async def _probe(self, channel: Channel, step: Step) -> RingArray:
        """Receive protected probes, embed and quantise them."""
        embeddings = await self._embed(channel, At(step.session, "online"), step.size)
        probes = self._form.map_probe(_unit(embeddings))
        self._embeddings.append(embeddings)
        self._probes.append(probes)
        return self._ring.encode(probes)

    async def _embed(self, channel: Channel, at: At, pictures: int) -> npt.NDArray[np.float32]:
        message = await channel.receive(CLIENT, ProtectedFeatures, at)
        batch = ProtectedBatch(message.frequency.array(), message.colour.array())
        where = f"{CLIENT}, {at.session}"
        if batch.frequency.ndim == 0 or len(batch.frequency) != pictures:
            text = f"sent inputs {batch.frequency.shape} where {pictures} were agreed"
            raise PeerMisbehaviourError(text, where=where)
        complaint = self._embedder.complaint(batch)
        if complaint is not None:
            raise PeerMisbehaviourError(f"sent {complaint}", where=where)
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
