"""A party's channel in a running simulation: endpoint, journal, clock, and a carrier of bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Protocol, TypeVar

from orchestration.journal import Event, event_for
from orchestration.progress import SessionCount
from protocol.channel import At, Endpoint, Inbound, Label
from protocol.errors import LocalProtocolError, PeerMisbehaviourError
from protocol.messages import Message, kind_of
from protocol.parties import Party

__all__ = ["Inbox", "Mailbox", "PartyChannel"]

M = TypeVar("M", bound=Message)


class Inbox(Protocol):
    """Where a runtime keeps frames until the program asks for them."""

    async def take(self, label: Label) -> Inbound:
        """Wait for the frame with this label and remove it."""
        ...


class Mailbox:
    """Frames that arrived at one party and were not asked for yet; a label arrives only once."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._frames: dict[Label, Inbound] = {}
        self._arrived: set[Label] = set()

    def __contains__(self, label: Label) -> bool:
        return label in self._frames

    def put(self, inbound: Inbound) -> None:
        """Keep a frame until it is asked for.

        Raises:
            PeerMisbehaviourError: a frame with this label arrived before.
        """
        label = inbound.label
        if label in self._arrived:
            text = f"sent {label.kind} of {label.session}, round {label.round}, twice"
            raise PeerMisbehaviourError(text, where=f"{label.sender} -> {self._party}")
        self._arrived.add(label)
        self._frames[label] = inbound

    def pop(self, label: Label) -> Inbound:
        """Remove and return the frame with this label."""
        return self._frames.pop(label)

    def refuse_leftovers(self) -> None:
        """Check that every frame was asked for.

        Raises:
            PeerMisbehaviourError: a frame is left.
        """
        for label in self._frames:
            text = f"sent a {label.kind} nobody asked for in {label.session}"
            raise PeerMisbehaviourError(text, where=f"{label.sender} -> {self._party}")


class PartyChannel:
    """Implements `protocol.channel.Channel` for one party; every event is journaled.

    Args:
        endpoint: the party's policy-checking end.
        carry: hands the bytes of a frame to the receiver's runtime.
        inbox: where frames wait.
        started: `perf_counter()` value that counts as zero in `at_s`.
        digest_key: of the journal's digests; shared by the parties of a run.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        carry: Callable[[Party, bytes], Awaitable[None]],
        inbox: Inbox,
        started: float,
        digest_key: bytes,
    ) -> None:
        self.events: list[Event] = []
        self.sessions = SessionCount()
        self._endpoint = endpoint
        self._carry = carry
        self._inbox = inbox
        self._started = started
        self._digest_key = digest_key
        self._busy_since = perf_counter()

    async def send(self, receiver: Party, message: Message, at: At) -> None:
        """Send a message and journal it."""
        out = self._endpoint.outbound(receiver, message, at)
        now = perf_counter()
        self._record(
            event_for(
                "sent",
                out.frame,
                out.flow,
                wire_bytes=len(out.wire),
                lamport=self._endpoint.lamport,
                at_s=now - self._started,
                compute_s=now - self._busy_since,
                digest_key=self._digest_key,
            )
        )
        await self._carry(receiver, out.wire)
        self._busy_since = perf_counter()

    async def receive(self, sender: Party, kind: type[M], at: At) -> M:
        """Wait for a message and journal it; waiting does not count as computing."""
        busy_s = perf_counter() - self._busy_since
        label = Label(sender, kind.__name__, at.session, at.phase, at.round)
        inbound = await self._inbox.take(label)
        message = inbound.frame.message
        if not isinstance(message, kind):
            raise LocalProtocolError(f"asked for {kind.__name__}, got {kind_of(message)}")
        self._endpoint.consumed(inbound)
        self._record(
            event_for(
                "received",
                inbound.frame,
                inbound.flow,
                wire_bytes=inbound.wire_bytes,
                lamport=self._endpoint.lamport,
                at_s=perf_counter() - self._started,
                compute_s=busy_s,
                digest_key=self._digest_key,
            )
        )
        self._busy_since = perf_counter()
        return message

    def idle(self) -> None:
        """Do not count the time since the last event as computing: the party waited on its own."""
        self._busy_since = perf_counter()

    def _record(self, event: Event) -> None:
        self.events.append(event)
        self.sessions.saw(event.session)
