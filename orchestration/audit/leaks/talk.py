"""Leaks in what is said: to the wrong party, in the wrong form, at a telling time or length."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from orchestration.audit.leaks.plant import Leak, Plant
from protocol.channel import At, Channel
from protocol.messages import (
    DecisionShares,
    GalleryShares,
    MaskedGallery,
    MaskedProbes,
    Message,
    ProtectedFeatures,
    ScoreShares,
    SearchReady,
)
from protocol.parties import CLIENT, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.sharing.prg import Seed, expand_seed
from protocol.tensors import Tensor
from protocol.views import Array

__all__ = ["TALK_LEAKS"]

M = TypeVar("M", bound=Message)


class ShareAstray(Plant):
    """The client sends the holder's share to the provider too."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send a share to both servers."""
        if isinstance(message, GalleryShares):
            await channel.send(MODEL_PROVIDER, message, at)
        await super().send(channel, party, receiver, message, at)


class ScoresToServer(Plant):
    """The holder sends something called score shares to the provider."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send a score share with every decision share."""
        if isinstance(message, DecisionShares) and party == GALLERY_HOLDER:
            scores = ScoreShares(values=message.bits)
            await channel.send(MODEL_PROVIDER, scores, At(at.session, "evaluation"))
        await super().send(channel, party, receiver, message, at)


class Answers(Plant):
    """Knows, at the client, whether the search before found anyone."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False
        self._shares: list[Array] = []

    def begin(self, run: str) -> None:
        """Forget the run before."""
        super().begin(run)
        self.found, self._shares = False, []

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Combine decision shares as they come."""
        message = await super().receive(channel, party, sender, kind, at)
        if isinstance(message, DecisionShares):
            self._shares.append(message.bits.array())
            if len(self._shares) == 2:
                self.found = bool((self._shares[0] ^ self._shares[1]).any())
                self._shares = []
        return message


class DecisionToProvider(Answers):
    """The client tells the provider what was found."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send the answer before the next probe."""
        if isinstance(message, ProtectedFeatures) and at.session == "search-0001":
            answer = Tensor.of(np.array([self.found], dtype=np.uint8))
            await channel.send(MODEL_PROVIDER, DecisionShares(bits=answer), at)
        await super().send(channel, party, receiver, message, at)


class HiddenDecision(Answers):
    """The client hides the last answer in the lowest bit of the next probe's features."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Set one bit of what is sent."""
        if isinstance(message, ProtectedFeatures) and at.phase == "online":
            marked = message.frequency.array().copy()
            octets = marked.reshape(-1).view(np.uint8)
            octets[0] = (octets[0] & 0xFE) | self.found
            message = msgspec.structs.replace(message, frequency=Tensor.of(marked))
        await super().send(channel, party, receiver, message, at)


class HastyAfterMatch(Answers):
    """After a match the client sends its next probe before the servers say they are ready."""

    def __init__(self) -> None:
        super().__init__()
        self._owed: list[tuple[Party, At]] = []

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send, then wait for what should have been waited for."""
        await super().send(channel, party, receiver, message, at)
        if party == CLIENT:
            while self._owed:
                sender, then = self._owed.pop()
                await channel.receive(sender, SearchReady, then)

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Pretend that the servers are ready."""
        if party == CLIENT and self.found and issubclass(kind, SearchReady):
            self._owed.append((sender, at))
            return kind()
        return await super().receive(channel, party, sender, kind, at)


class TellingLength(Plant):
    """The provider's masked probe is longer when its first element is odd."""

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Append a row to some messages."""
        if isinstance(message, MaskedProbes):
            values = message.values.array()
            extra = values[: int(values.flat[0]) % 2]
            message = MaskedProbes(values=Tensor.of(np.concatenate([values, extra])))
        await super().send(channel, party, receiver, message, at)

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Take the appended row off again."""
        message = await super().receive(channel, party, sender, kind, at)
        if isinstance(message, MaskedProbes):
            values = message.values.array()
            shortened: M = _shortened(message, len(values) - int(values.flat[0]) % 2)
            return shortened
        return message


class ProbeBeside(Plant):
    """The provider appends the probe itself to the masked probe."""

    def __init__(self) -> None:
        super().__init__()
        self._masks: dict[str, Array] = {}

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Remember the masks of probes."""
        array = expand_seed(seed, label, shape, dtype)
        self._masks[label] = array
        return array

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Append q = e + b to e."""
        if isinstance(message, MaskedProbes):
            values = message.values.array()
            probes = values + self._masks[f"{at.session}/probe-masks"]
            message = MaskedProbes(values=Tensor.of(np.concatenate([values, probes])))
        await super().send(channel, party, receiver, message, at)

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Take it off again, after having seen it."""
        message = await super().receive(channel, party, sender, kind, at)
        if isinstance(message, MaskedProbes):
            shortened: M = _shortened(message, len(message.values.array()) // 2)
            return shortened
        return message


class ExtraOpening(Plant):
    """The holder also sends its part of the gallery mask: the provider can open every row."""

    def __init__(self) -> None:
        super().__init__()
        self._shares: Array | None = None

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send the mask in a round of its own."""
        await super().send(channel, party, receiver, message, at)
        if isinstance(message, MaskedGallery) and self._shares is not None:
            mask = MaskedGallery(values=Tensor.of(self._shares - message.values.array()))
            await channel.send(receiver, mask, at._replace(round=1))

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Receive the second opening too."""
        message = await super().receive(channel, party, sender, kind, at)
        if isinstance(message, GalleryShares):
            self._shares = message.values.array()
        if isinstance(message, MaskedGallery):
            await channel.receive(sender, MaskedGallery, at._replace(round=1))
        return message


def _shortened(message: Any, rows: int) -> Any:  # noqa: ANN401 - the caller knows the kind
    """Return a masked batch with its first rows only."""
    return msgspec.structs.replace(message, values=Tensor.of(message.values.array()[:rows]))


TALK_LEAKS: Final[tuple[Leak, ...]] = (
    Leak(
        "share-astray", "the client sends a share to the wrong server", "flow policy", ShareAstray,
    ),
    Leak(
        "scores-to-server", "a server is sent score shares", "flow policy", ScoresToServer,
    ),
    Leak(
        "decision-to-provider", "the client sends the decision in clear to the provider",
        "flow policy", DecisionToProvider,
    ),
    Leak(
        "hidden-decision", "the client hides the last decision in a bit of the next probe",
        "two worlds", HiddenDecision,
    ),
    Leak(
        "hasty-after-match", "order and logical time of the next probe tell of a match",
        "metadata", HastyAfterMatch,
    ),
    Leak(
        "telling-length", "the length of a message depends on its content",
        "metadata", TellingLength,
    ),
    Leak(
        "probe-beside-mask", "the probe in clear rides along with the masked probe",
        "declared costs", ProbeBeside,
    ),
    Leak(
        "extra-opening", "the holder opens its part of the gallery mask to the provider",
        "coalition algebra", ExtraOpening,
    ),
)  # fmt: skip
