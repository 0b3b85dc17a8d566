"""CrypTen's transfers as labelled messages of a party's channel.

Every frame of a link gets the next round of its session and phase. A transfer that is longer than
a frame may be is cut into frames that follow each other without waiting; each counts as a round,
because a label may arrive only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import LocalProtocolError, PeerMisbehaviourError
from protocol.parties import DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party, Phase
from protocol.search.crypten.blocking import Arrays
from protocol.search.crypten.correlations import (
    Bits,
    Conjunction,
    Correlation,
    SearchShape,
    correlations,
)
from protocol.search.crypten.messages import (
    CryptenAnswer,
    CryptenBits,
    CryptenFactors,
    CryptenMessage,
    CryptenOperands,
    CryptenRequest,
    CryptenSeed,
    CryptenSize,
    CryptenWords,
)
from protocol.search.crypten.ranks import THIRD_PARTY
from protocol.tensors import Tensor

__all__ = ["PARTY_OF", "ChannelExchange", "Kind", "Link", "frame_sizes", "opened_kinds"]

PARTY_OF: Final[tuple[Party, Party, Party]] = (MODEL_PROVIDER, GALLERY_HOLDER, DEALER)
FRAME_BYTES: Final = 1 << 29

Kind: TypeAlias = type[CryptenMessage]
Values: TypeAlias = npt.NDArray[Any]


def opened_kinds(shape: SearchShape) -> tuple[Kind, ...]:
    """Return what the computing parties open to each other in one search, in order."""
    _, *later = correlations(shape)
    return (CryptenOperands, *map(_opened_kind, later))


def _opened_kind(correlation: Correlation) -> Kind:
    if isinstance(correlation, Conjunction):
        return CryptenWords
    return CryptenBits if isinstance(correlation, Bits) else CryptenFactors


class Link:
    """Counts what one rank sends another in one session and phase.

    Args:
        sender: the rank.
        phase: setup, offline or online.
        opened: the kinds of its transfers of a search; no other phase needs them.
    """

    def __init__(self, sender: int, phase: Phase, opened: Sequence[Kind] = ()) -> None:
        self._sender = sender
        self._phase = phase
        self._opened = opened
        self._transfers = 0
        self._frames = 0

    def next_kind(self) -> Kind:
        """Begin a transfer and return the kind of its messages.

        Raises:
            LocalProtocolError: a search has no further transfer.
        """
        self._transfers += 1
        if self._phase == "setup":
            return CryptenSeed
        if self._phase == "offline":
            return self._offline_kind()
        if self._transfers > len(self._opened):
            raise LocalProtocolError("CrypTen opens more than the search's correlations are for")
        return self._opened[self._transfers - 1]

    def _offline_kind(self) -> Kind:
        """Return a request, or what answers it: first a size, then a share of that size."""
        if self._sender != THIRD_PARTY:
            return CryptenRequest
        return CryptenSize if self._transfers % 2 else CryptenAnswer

    def next_round(self) -> int:
        """Begin a frame and return its round."""
        self._frames += 1
        return self._frames


def frame_sizes(transfer_bytes: int) -> list[int]:
    """Return the payloads of the frames that carry a transfer."""
    full, rest = divmod(transfer_bytes, FRAME_BYTES)
    return [FRAME_BYTES] * full + ([rest] if rest or not full else [])


class ChannelExchange:
    """Implements `blocking.Exchange` for one rank in one session and phase.

    Args:
        channel: the party's channel.
        rank: CrypTen's number of the party.
        session: the session.
        phase: setup, offline or online.
        opened: the kinds of what is opened in a search; no other phase needs them.
    """

    def __init__(
        self, channel: Channel, rank: int, session: str, phase: Phase, opened: Sequence[Kind] = ()
    ) -> None:
        self.session = session
        self._channel = channel
        self._phase: Phase = phase
        others = [peer for peer in range(len(PARTY_OF)) if peer != rank]
        self._sent = {peer: Link(rank, phase, opened) for peer in others}
        self._received = {peer: Link(peer, phase, opened) for peer in others}

    async def send(self, peer: int, arrays: Arrays) -> None:
        """Send arrays to a rank, in as many frames as they need."""
        link = self._sent[peer]
        kind = link.next_kind()
        sizes = tuple(array.size for array in arrays)
        for parts in _cut(arrays):
            message = kind(values=tuple(map(Tensor.of, parts)), sizes=sizes)
            await self._channel.send(PARTY_OF[peer], message, self._at(link))

    async def receive(self, peer: int) -> Arrays:
        """Wait for the next arrays of a rank.

        Raises:
            PeerMisbehaviourError: the frames of a transfer do not fit together.
        """
        link = self._received[peer]
        kind = link.next_kind()
        first = await self._receive(peer, kind, link)
        further = frame_sizes(_transfer_bytes(first))[1:]
        frames = [first, *[await self._receive(peer, kind, link) for _ in further]]
        arrays = _joined(frames)
        if tuple(array.size for array in arrays) != first.sizes:
            text = f"sent arrays of other lengths than announced in {self.session}"
            raise PeerMisbehaviourError(text, where=PARTY_OF[peer])
        return arrays

    async def _receive(self, peer: int, kind: Kind, link: Link) -> CryptenMessage:
        return await self._channel.receive(PARTY_OF[peer], kind, self._at(link))

    def _at(self, link: Link) -> At:
        return At(self.session, self._phase, link.next_round())


def _transfer_bytes(first: CryptenMessage) -> int:
    """Return how long a transfer is by its first frame, which holds a part of every array."""
    pairs = zip(first.values, first.sizes, strict=False)
    return sum(tensor.array().itemsize * size for tensor, size in pairs)


def _cut(arrays: Arrays) -> Iterator[list[Values]]:
    """Yield the parts of flat arrays of one element size, so that each frame but the last is full.

    Every frame holds a part of every array, most of them empty.
    """
    ends = [0, *accumulate(array.nbytes for array in arrays)]
    begin = 0
    for size in frame_sizes(ends[-1]):
        yield [
            array[_place(begin - start, array) : _place(begin + size - start, array)]
            for array, start in zip(arrays, ends, strict=False)
        ]
        begin += size


def _place(offset_bytes: int, array: Values) -> int:
    return max(0, offset_bytes) // array.itemsize


def _joined(frames: list[CryptenMessage]) -> Arrays:
    if len(frames) == 1:
        return tuple(tensor.array() for tensor in frames[0].values)
    parts = zip(*(frame.values for frame in frames), strict=False)
    return tuple(np.concatenate([tensor.array().reshape(-1) for tensor in part]) for part in parts)
