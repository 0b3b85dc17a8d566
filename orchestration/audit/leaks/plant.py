"""How a leak is planted: around a party's channel, in the expansion of seeds, in what it logs.

A plant knows no protocol. It stands where a faulty party would: it sees every message of its
party before it leaves and after it arrives, and may change, add, hold back or repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from protocol.channel import At, Channel
from protocol.messages import Message
from protocol.parties import Party
from protocol.roles import Observation, RoleProgram
from protocol.sharing.prg import Seed, expand_seed
from protocol.views import Array

__all__ = ["Leak", "Plant", "Tampered"]

M = TypeVar("M", bound=Message)


class Plant:
    """Honest behaviour at every place where a leak can be planted; leaks override some of it.

    Attributes:
        texts: what parties wrote, by name of the file; emptied at the beginning of every run.
        test_key: makes the parties' generators reproducible; None leaves them alone.
    """

    test_key: bytes | None = None

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def begin(self, run: str) -> None:
        """Forget the run before."""
        del run
        self.texts = {}

    async def send(
        self, channel: Channel, party: Party, receiver: Party, message: Message, at: At
    ) -> None:
        """Send what the party's program wants to send."""
        del party
        await channel.send(receiver, message, at)

    async def receive(
        self, channel: Channel, party: Party, sender: Party, kind: type[M], at: At
    ) -> M:
        """Receive what the party's program waits for."""
        del party
        return await channel.receive(sender, kind, at)

    def expand(self, seed: Seed, label: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Expand a seed, the same way at every party."""
        return expand_seed(seed, label, shape, dtype)


class Leak(NamedTuple):
    """A planted leak.

    Attributes:
        name: short name.
        what: what goes wrong, for whom.
        check: the check of the audit that must notice it.
        planted: makes the plant.
        ring_bits: ring of the runs it is planted in.
        protocol: what it is planted in.
        subject: whom the check must name; empty for anybody.
        by_design: the honest protocol leaks so, nothing is planted.
    """

    name: str
    what: str
    check: str
    planted: Callable[[], Plant]
    ring_bits: int = 16
    protocol: str = "dealer"
    subject: str = ""
    by_design: bool = False

    def noticed_by(self, check: str, subject: str) -> bool:
        """Say whether a failed verdict is the one that must notice this leak."""
        return check.partition(":")[0] == self.check and self.subject in {"", subject}


class Tampered:
    """A role program whose messages pass through a plant."""

    def __init__(self, program: RoleProgram, party: Party, plant: Plant) -> None:
        self._program = program
        self._party: Party = party
        self._plant = plant

    async def run(self, channel: Channel) -> Observation:
        """Play the role through the plant."""
        return await self._program.run(_Through(channel, self._party, self._plant))


class _Through:
    def __init__(self, channel: Channel, party: Party, plant: Plant) -> None:
        self._channel = channel
        self._party: Party = party
        self._plant = plant

    async def send(self, receiver: Party, message: Any, at: At) -> None:  # noqa: ANN401 - Channel
        await self._plant.send(self._channel, self._party, receiver, message, at)

    async def receive(self, sender: Party, kind: type[M], at: At) -> M:
        return await self._plant.receive(self._channel, self._party, sender, kind, at)
