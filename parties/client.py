"""The client: turns pictures into protected inputs, owns mapping keys, combines decisions."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.features import ProtectedBatch
from protocol.mapping import KeyRing, MappingKey, RowForm
from protocol.messages import (
    DecisionShares,
    Embeddings,
    GallerySeed,
    GalleryShares,
    ProtectedFeatures,
    ScoreShares,
    SearchReady,
)
from protocol.parties import GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import Batch, RunPlan
from protocol.roles import Observation
from protocol.search.dealer import combine_decisions, combine_scores
from protocol.search.material import search_shape
from protocol.sharing.additive import split
from protocol.sharing.prg import RandomBytes
from protocol.sharing.ring import Ring
from protocol.tensors import Tensor

__all__ = ["Client", "PictureSource", "Protector"]

SERVERS: tuple[Party, Party] = (MODEL_PROVIDER, GALLERY_HOLDER)


class PictureSource(Protocol):
    """The client's own pictures, in the order of the plan."""

    def load(self, start: int, count: int) -> npt.NDArray[Any]:
        """Return pictures `start … start + count`, [count,112,112,3] uint8."""
        ...


class Protector(Protocol):
    """The client's picture-to-protected-input step."""

    def protect(self, pictures: npt.NDArray[Any]) -> ProtectedBatch:
        """Return what may leave the client."""
        ...


class Client:
    """Enrols its gallery pictures, then asks about its probes; learns the match bitmap."""

    def __init__(
        self,
        plan: RunPlan,
        protector: Protector,
        form: RowForm,
        gallery: PictureSource,
        probes: PictureSource,
        random_bytes: RandomBytes,
        keys: KeyRing | None = None,
    ) -> None:
        self._plan = plan
        self._ring = Ring(plan.ring_bits)
        self._protector = protector
        self._form = form
        self._gallery = gallery
        self._probes = probes
        self._random_bytes = random_bytes
        self._keys = keys
        self._rows: list[npt.NDArray[np.int32]] = []
        self._embeddings: list[npt.NDArray[np.float32]] = []

    async def run(self, channel: Channel) -> Observation:
        """Play the role.

        Observed: quantised rows [N,D], enrolment embeddings [N,d], match [P,N] and, where scores
        are opened, scores [P,N].
        """
        start = 0
        for batch in self._plan.enrolments:
            await self._enrol(channel, batch, self._gallery.load(start, batch.size), start)
            start += batch.size
        found: dict[str, list[npt.NDArray[Any]]] = {"match": [], "scores": []}
        start = 0
        for batch in self._plan.searches:
            await self._wait_ready(channel, batch)
            await self._search(channel, batch, self._probes.load(start, batch.size), found)
            start += batch.size
        return self._observed(found)

    async def _enrol(
        self, channel: Channel, batch: Batch, pictures: npt.NDArray[Any], start: int
    ) -> None:
        """Embed through the provider, map under fresh keys, share the rows between servers."""
        at = At(batch.session, "enrol")
        await self._send_features(channel, pictures, at)
        message = await channel.receive(MODEL_PROVIDER, Embeddings, at)
        embeddings = message.values.array()
        rows = self._map_rows(embeddings, start)
        seed, share = split(self._ring.encode(rows), "gallery-rows", self._random_bytes)
        seed_tensor = Tensor.of(np.frombuffer(seed.reveal(), dtype=np.uint8))
        granted = GallerySeed(seed=seed_tensor, rows=batch.size)
        await channel.send(MODEL_PROVIDER, granted, at)
        await channel.send(GALLERY_HOLDER, GalleryShares(values=Tensor.of(share)), at)
        self._embeddings.append(embeddings)
        self._rows.append(rows)

    def _map_rows(self, embeddings: npt.NDArray[np.float32], start: int) -> npt.NDArray[np.int32]:
        """Turn embeddings into gallery rows, each under its own fresh key if there is a key ring.

        Raises:
            PeerMisbehaviourError: the provider returned an embedding that cannot be a template.
        """
        values = embeddings.astype(np.float64)
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        if not (np.isfinite(values).all() and (norms > 0).all()):
            raise PeerMisbehaviourError("returned an unusable embedding", where=MODEL_PROVIDER)
        units = values / norms
        rows = [self._form.map_row(unit, self._key(start + i)) for i, unit in enumerate(units)]
        return np.stack(rows)

    def _key(self, row: int) -> MappingKey | None:
        return None if self._keys is None else self._keys.issue(f"row-{row}")

    async def _wait_ready(self, channel: Channel, batch: Batch) -> None:
        for server in SERVERS:
            await channel.receive(server, SearchReady, At(batch.session, "offline"))

    async def _search(
        self,
        channel: Channel,
        batch: Batch,
        pictures: npt.NDArray[Any],
        found: dict[str, list[npt.NDArray[Any]]],
    ) -> None:
        """Send protected probes and combine both servers' decision shares."""
        await self._send_features(channel, pictures, At(batch.session, "online"))
        shape = search_shape(self._plan, batch)
        at = At(batch.session, "online", 3 + len(shape.circuit.layers))
        first, second = [await channel.receive(server, DecisionShares, at) for server in SERVERS]
        found["match"].append(combine_decisions(first, second, shape.pairs))
        if self._plan.open_scores:
            at = At(batch.session, "evaluation")
            one, two = [await channel.receive(server, ScoreShares, at) for server in SERVERS]
            found["scores"].append(combine_scores(one, two, shape))

    async def _send_features(self, channel: Channel, pictures: npt.NDArray[Any], at: At) -> None:
        protected = self._protector.protect(pictures)
        message = ProtectedFeatures(
            frequency=Tensor.of(protected.frequency), colour=Tensor.of(protected.colour)
        )
        await channel.send(MODEL_PROVIDER, message, at)

    def _observed(self, found: dict[str, list[npt.NDArray[Any]]]) -> Observation:
        parts: dict[str, list[npt.NDArray[Any]]] = {"rows": [*self._rows], **found}
        parts["row_embeddings"] = [*self._embeddings]
        return {name: np.concatenate(arrays) for name, arrays in parts.items() if arrays}
