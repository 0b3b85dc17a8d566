"""Leaks beside the protocol: logs, errors, left-over files, seeds that come back."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from orchestration.audit.leaks.plant import Leak, Plant
from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import GalleryShares, Message, ProtectedFeatures, SeedGrant
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, Party
from protocol.sharing.prg import SEED_BYTES, Seed, SeedChain, expand_seed
from protocol.tensors import Tensor
from protocol.views import Array

__all__ = ["SIDE_LEAKS"]


class RowInLog(Plant):
    """The client logs a row when it enrols it."""

    def __init__(self) -> None:
        super().__init__()
        self._share: Array | None = None

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Remember share 0 of the rows."""
        array = expand_seed(seed, label, shape, dtype)
        if label == "gallery-rows":
            self._share = array
        return array

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Log what is shared."""
        if isinstance(message, GalleryShares) and self._share is not None:
            rows = message.values.array() + self._share
            signed = rows.view(f"<i{rows.itemsize}")
            self.texts["client.log"] = f"enrolled {signed[0].tolist()}".encode()
        await super().send(channel, party, receiver, message, at)


class PictureSpilled(Plant):
    """What a client sends is left in a temporary file."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Leave a copy behind."""
        if isinstance(message, ProtectedFeatures) and party == CLIENT:
            self.texts["spilled object"] = b"\x00\x93" + message.frequency.array().tobytes()
        await super().send(channel, party, receiver, message, at)


class SeedInError(Plant):
    """The dealer fails with its seed in the text of the error."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Fail at the second grant."""
        if isinstance(message, SeedGrant) and (party, receiver) == (DEALER, GALLERY_HOLDER):
            seed = message.seed.array().tobytes().hex()
            raise PeerMisbehaviourError(f"cannot grant seed {seed}", where=DEALER)
        await super().send(channel, party, receiver, message, at)


class SameSeeds(Plant):
    """All generators start from the same key in every run."""

    test_key = bytes(SEED_BYTES)


class OneSeedForBoth(Plant):
    """The dealer grants both servers one seed, and expands both parts from it."""

    def __init__(self) -> None:
        super().__init__()
        self.begin("")

    def begin(self, run: str) -> None:
        """Forget the run before."""
        super().begin(run)
        self._granted = Seed(bytes(SEED_BYTES))
        self._other = self._granted
        self._chain = SeedChain(self._granted)
        self._session, self._shared = "", self._granted

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Expand the first seed's session in place of the second's."""
        if seed.lineage != self._other.lineage:
            return expand_seed(seed, label, shape, dtype)
        session = label.partition("/")[0]
        if session != self._session:
            self._session, self._shared = session, self._chain.next_seed(session)
        return expand_seed(self._shared, label, shape, dtype)

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Replace the second grant by the first."""
        if isinstance(message, SeedGrant) and (party, receiver) == (DEALER, GALLERY_HOLDER):
            self._other = Seed(message.seed.array().tobytes())
            self._chain = SeedChain(self._granted)
            granted = Tensor.of(np.frombuffer(self._granted.reveal(), dtype=np.uint8))
            message = msgspec.structs.replace(message, seed=granted)
        elif isinstance(message, SeedGrant) and party == DEALER:
            self._granted = Seed(message.seed.array().tobytes())
        await super().send(channel, party, receiver, message, at)


SIDE_LEAKS: Final[tuple[Leak, ...]] = (
    Leak("row-in-log", "a gallery row is written to a log", "canaries", RowInLog),
    Leak("picture-spilled", "a picture is left in a temporary file", "canaries", PictureSpilled),
    Leak("seed-in-error", "the text of an error holds a seed", "canaries", SeedInError),
    Leak("same-seeds", "every run draws the same seeds", "single use", SameSeeds),
    Leak(
        "one-seed-for-both", "both servers expand their masks from one seed",
        "coalition algebra", OneSeedForBoth,
    ),
)  # fmt: skip
