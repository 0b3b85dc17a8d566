"""The client: turns pictures into protected inputs, owns mapping keys, combines answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.features import ProtectedBatch
from protocol.features.luminance import median_luminance
from protocol.mapping import KeyRing, MappingKey, RowForm
from protocol.messages import Embeddings, ProtectedFeatures
from protocol.parties import MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.received import checked_reals
from protocol.roles import Observation
from protocol.search.protocols import protocol_named
from protocol.sharing.prg import RandomBytes
from protocol.sharing.ring import Ring
from protocol.tensors import Tensor

__all__ = ["Client", "PictureSource", "Protector"]


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
    """Enrols and maintains its gallery, asks about its probes; learns the answers."""

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
        self._keys = keys
        self._numbers = 0
        self._side = protocol_named(plan.protocol).client(plan, random_bytes)
        self._rows = np.empty((plan.versions, plan.dimension), dtype=_row_type(plan))
        self._observed: dict[str, list[npt.NDArray[Any]]] = {}
        self._most_named = min(plan.top_k, plan.rows)

    async def run(self, channel: Channel) -> Observation:
        """Play the role.

        Observed: quantised rows [V,D] of every enrolment and update, in the smallest type that
        holds them, and the answers over all probes; where scores are opened also scores [P,R] and
        the enrolment embeddings [V,d]. Of pictures also their median luminance [P], which is sent
        to nobody.
        """
        enrolled = asked = 0
        for step in self._plan.steps:
            if step.kind == "search":
                await self._search(channel, step, asked)
                asked += step.size
            elif step.kind == "delete":
                await self._side.delete_rows(channel, step)
                self._revoke(step)
            elif step.kind != "refresh":
                await self._enrol(channel, step, enrolled)
                enrolled += step.size
        answers = {name: np.concatenate(arrays) for name, arrays in self._observed.items()}
        return {"rows": self._rows, **answers}

    async def _enrol(self, channel: Channel, step: Step, start: int) -> None:
        """Embed through the provider, map under fresh keys, share the rows between servers."""
        at = At(step.session, "enrol")
        await self._send_features(channel, self._gallery.load(start, step.size), at)
        message = await channel.receive(MODEL_PROVIDER, Embeddings, at)
        size = (step.size, self._form.embedding_length)
        embeddings = checked_reals(message.values, size, MODEL_PROVIDER)
        if step.kind == "update":
            self._revoke(step)
        numbers = step.rows if step.kind == "update" else self._new_numbers(step)
        rows = self._map_rows(embeddings, numbers)
        await self._side.share_rows(channel, step, self._ring.encode(rows))
        self._rows[start : start + step.size] = rows
        if self._plan.open_scores:
            self._note("row_embeddings", embeddings)

    def _new_numbers(self, step: Step) -> range:
        """Give out the row numbers of an enrolment: they go on where the last one stopped."""
        first = self._numbers
        self._numbers += step.size
        return range(first, self._numbers)

    def _revoke(self, step: Step) -> None:
        """Forget the keys of rows that are changed or gone."""
        if self._keys is not None:
            for number in step.rows:
                self._keys.revoke(_identity(number))

    def _map_rows(
        self, embeddings: npt.NDArray[np.float32], numbers: Sequence[int]
    ) -> npt.NDArray[np.int32]:
        """Turn embeddings into gallery rows, each under its own fresh key if there is a key ring.

        Raises:
            PeerMisbehaviourError: the provider returned an embedding that cannot be a template.
        """
        values = embeddings.astype(np.float64)
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        if not (norms > 0).all():
            raise PeerMisbehaviourError("returned an embedding of zeros", where=MODEL_PROVIDER)
        keys = [self._key(number) for number in numbers]
        return self._form.map_rows(values / norms, keys)

    def _key(self, number: int) -> MappingKey | None:
        return None if self._keys is None else self._keys.issue(_identity(number))

    async def _search(self, channel: Channel, step: Step, start: int) -> None:
        """Send protected probes and combine the servers' shares of the answers."""
        await self._side.ready(channel, step)
        pictures = self._probes.load(start, step.size)
        await self._send_features(channel, pictures, At(step.session, "online"))
        for name, values in (await self._side.answers(channel, step)).items():
            self._note(name, self._widened(values) if name == "identity" else values)
        if pictures.dtype == np.uint8:
            # After the answers: the client looks at its own pictures, and nobody waits for it.
            self._note("probe_luminance", median_luminance(pictures))

    def _widened(self, named: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give every search as many places for named rows; -1 where its gallery had no row left."""
        missing = self._most_named - named.shape[1]
        return np.pad(named, ((0, 0), (0, missing)), constant_values=-1)

    async def _send_features(self, channel: Channel, pictures: npt.NDArray[Any], at: At) -> None:
        protected = self._protector.protect(pictures)
        message = ProtectedFeatures(
            frequency=Tensor.of(protected.frequency), colour=Tensor.of(protected.colour)
        )
        await channel.send(MODEL_PROVIDER, message, at)

    def _note(self, name: str, values: npt.NDArray[Any]) -> None:
        self._observed.setdefault(name, []).append(values)


def _identity(number: int) -> str:
    """Return under which name the key of a row is kept."""
    return f"row-{number}"


def _row_type(plan: RunPlan) -> np.dtype[Any]:
    """Return the smallest type of the entries of honest rows: none is longer than the scale."""
    largest = plan.scale or (1 << plan.ring_bits - 1) - 1
    return np.min_scalar_type(-largest)
