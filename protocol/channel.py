"""How a role program speaks: a channel that sends and receives, and the endpoint behind it.

The endpoint is I/O-free: it turns messages into frames and frames into messages, and refuses,
on both sides, whatever the flow policy does not declare.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, TypeVar

from protocol.errors import PeerMisbehaviourError, PolicyViolationError
from protocol.flows import Flow, Policy
from protocol.messages import (
    Envelope,
    Frame,
    Message,
    decode_frame,
    encode_frame,
    kind_of,
)
from protocol.parties import Party, Phase

__all__ = ["At", "Channel", "Endpoint", "Inbound", "Label", "Outbound"]

MAX_AHEAD: Final = 4096
"""How many frames of a link may overtake one that is missing; runtimes keep fewer under way."""
MAX_CLOCK_STEP: Final = 1 << 32
"""How far a peer's logical clock may be ahead: more events than any run has."""

M = TypeVar("M", bound=Message)


class At(NamedTuple):
    """Where in the run a message belongs: session, phase, and round within the session's step."""

    session: str
    phase: Phase
    round: int = 0


class Label(NamedTuple):
    """What a receiver waits for; frames are matched by label, never by arrival order."""

    sender: Party
    kind: str
    session: str
    phase: Phase
    round: int


class Channel(Protocol):
    """All a role program may await; it knows no clock, no transport and no other party."""

    async def send(self, receiver: Party, message: Message, at: At) -> None:
        """Send a message; refused with `PolicyViolationError` unless the policy declares it."""
        ...

    async def receive(self, sender: Party, kind: type[M], at: At) -> M:
        """Wait for the message of this kind, session, phase and round from `sender`."""
        ...


class Outbound(NamedTuple):
    """A frame ready to travel, with the policy row that permits it."""

    wire: bytes
    frame: Frame
    flow: Flow


class Inbound(NamedTuple):
    """A checked frame that arrived, with the policy row that permits it."""

    frame: Frame
    flow: Flow
    wire_bytes: int

    @property
    def label(self) -> Label:
        """The label a waiting receiver asks for."""
        envelope = self.frame.envelope
        kind = kind_of(self.frame.message)
        return Label(envelope.sender, kind, envelope.session, envelope.phase, envelope.round)


class Endpoint:
    """One party's end of all its links: numbering, policy, addressing and replay checks."""

    def __init__(self, party: Party, run: str, insecure: frozenset[str], policy: Policy) -> None:
        self.party: Party = party
        self._policy = policy
        self.lamport = 0
        self._run = run
        self._insecure = insecure
        self._sent: dict[Party, int] = {}
        self._arrived: dict[Party, _Arrived] = {}

    def outbound(self, receiver: Party, message: Message, at: At) -> Outbound:
        """Number and encode a message.

        Raises:
            PolicyViolationError: the flow policy does not declare this message.
        """
        kind = kind_of(message)
        flow = self._policy.flow_for(kind, self.party, receiver, at.phase, self._insecure)
        sequence = self._sent.get(receiver, 0)
        self._sent[receiver] = sequence + 1
        self.lamport += 1
        envelope = Envelope(
            self._run, at.session, sequence, at.phase, flow.step, at.round,
            self.party, receiver, self.lamport,
        )  # fmt: skip
        frame = Frame(envelope, message)
        return Outbound(encode_frame(frame), frame, flow)

    def inbound(self, wire: bytes) -> Inbound:
        """Decode and check a frame that arrived.

        Raises:
            DecodeError: the bytes are not a frame.
            PeerMisbehaviourError: wrong run, wrong receiver, undeclared flow, a replay, a number
                far beyond those that are missing, or an impossible clock.
        """
        frame = decode_frame(wire)
        envelope = frame.envelope
        if envelope.run != self._run or envelope.receiver != self.party:
            raise self._accuse(envelope, "a frame of another run or for another party")
        try:
            flow = self._policy.flow_for(
                kind_of(frame.message), envelope.sender, self.party, envelope.phase, self._insecure
            )
        except PolicyViolationError as error:
            raise self._accuse(envelope, "a frame the flow policy does not declare") from error
        if flow.step != envelope.step:
            raise self._accuse(envelope, "a frame under the wrong step")
        if envelope.lamport > self.lamport + MAX_CLOCK_STEP:
            raise self._accuse(envelope, "a frame from an impossible logical time")
        self._note_arrival(envelope)
        return Inbound(frame, flow, len(wire))

    def consumed(self, inbound: Inbound) -> None:
        """Advance the logical clock past a frame the program has now received."""
        self.lamport = max(self.lamport, inbound.frame.envelope.lamport) + 1

    def refuse_gaps(self) -> None:
        """Check, once all programs have ended, that no frame of any link is missing.

        Raises:
            PeerMisbehaviourError: a peer numbered a frame that never came.
        """
        for sender, arrived in self._arrived.items():
            if arrived.early:
                text = f"never delivered frame {arrived.following} of this link, but later ones"
                raise PeerMisbehaviourError(text, where=f"{sender} -> {self.party}")

    def _note_arrival(self, envelope: Envelope) -> None:
        arrived = self._arrived.setdefault(envelope.sender, _Arrived())
        if not arrived.is_new(envelope.sequence):
            raise self._accuse(envelope, "a frame that was delivered before")
        if envelope.sequence > arrived.following + MAX_AHEAD:
            raise self._accuse(envelope, "a frame whose number skips many others")
        arrived.add(envelope.sequence)

    def _accuse(self, envelope: Envelope, what: str) -> PeerMisbehaviourError:
        where = f"{envelope.sender} -> {self.party}, session {envelope.session}"
        return PeerMisbehaviourError(f"received {what}", where=where, hint="the run is aborted")


class _Arrived:
    """Which frames of one link have arrived: all before `following`, and some that overtook it."""

    def __init__(self) -> None:
        self.following = 0
        self.early: set[int] = set()

    def is_new(self, sequence: int) -> bool:
        return sequence >= self.following and sequence not in self.early

    def add(self, sequence: int) -> None:
        self.early.add(sequence)
        while self.following in self.early:
            self.early.remove(self.following)
            self.following += 1
