"""One of the two evaluators: its material, its peer, and the values they open to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.messages import MaskedBits, MaskedChoices, MaskedScores, RevealedBits
from protocol.parties import Party, Phase
from protocol.received import checked
from protocol.search.two_party.pieces import Material
from protocol.sharing.kernels import Planes
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["Evaluator"]


class Evaluator:
    """Counts rounds and exchanges masked values with the other evaluator.

    Attributes:
        first: True for the evaluator that adds public constants.
        round: the round of the latest message; the next opening uses the one after it.
    """

    def __init__(
        self,
        channel: Channel,
        peer: Party,
        session: str,
        material: Material,
        *,
        first: bool,
        round_: int,
        phase: Phase = "online",
    ) -> None:
        self.channel = channel
        self.material = material
        self.first = first
        self.round = round_
        self._peer: Party = peer
        self._session = session
        self._phase: Phase = phase

    def next_round(self) -> At:
        """Begin a round and return its place in the run."""
        self.round += 1
        return At(self._session, self._phase, self.round)

    async def open_ring(self, masked: RingArray) -> RingArray:
        """Open masked ring elements between the evaluators; one round."""
        at = self.next_round()
        await self.channel.send(self._peer, MaskedScores(values=Tensor.of(masked)), at)
        message = await self.channel.receive(self._peer, MaskedScores, at)
        return masked + checked(message.values, masked.shape, masked.dtype, self._peer)

    async def open_bits(self, masked: Planes) -> Planes:
        """Open masked bit planes between the evaluators; one round."""
        at = self.next_round()
        await self.channel.send(self._peer, MaskedBits(planes=Tensor.of(masked)), at)
        message = await self.channel.receive(self._peer, MaskedBits, at)
        return masked ^ checked(message.planes, masked.shape, masked.dtype, self._peer)

    async def open_choices(
        self, bits: npt.NDArray[np.uint64], values: Sequence[RingArray]
    ) -> tuple[npt.NDArray[np.uint64], list[RingArray]]:
        """Open a masked plane and masked ring elements of several rings in one round."""
        at = self.next_round()
        message = MaskedChoices(
            bits=Tensor.of(bits), values=tuple(Tensor.of(value) for value in values)
        )
        await self.channel.send(self._peer, message, at)
        theirs = await self.channel.receive(self._peer, MaskedChoices, at)
        if len(theirs.values) != len(values):
            text = f"sent {len(theirs.values)} arrays where {len(values)} were agreed"
            raise PeerMisbehaviourError(text, where=self._peer)
        opened = [
            mine + checked(other, mine.shape, mine.dtype, self._peer)
            for mine, other in zip(values, theirs.values, strict=True)
        ]
        return bits ^ checked(theirs.bits, bits.shape, bits.dtype, self._peer), opened

    async def reveal_bits(self, planes: Planes) -> Planes:
        """Open planes of bits that are meant for both evaluators; one round."""
        at = self.next_round()
        await self.channel.send(self._peer, RevealedBits(planes=Tensor.of(planes)), at)
        message = await self.channel.receive(self._peer, RevealedBits, at)
        return planes ^ checked(message.planes, planes.shape, planes.dtype, self._peer)
