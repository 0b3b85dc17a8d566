"""One party as a Ray actor: bytes in, bytes out, nothing else.

Ray hands `bytes` arguments over raw, so nothing that a peer sends is ever unpickled. A method
never raises: what went wrong comes back as a `Report`, so no foreign text reaches the driver.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Awaitable, Sequence
from importlib import import_module
from time import perf_counter, thread_time, time
from typing import Any, Final, Protocol

import msgspec
import ray
from ray.exceptions import RayError

from orchestration.journal import encode_events
from orchestration.machine import peak_memory_bytes
from orchestration.runtime.ray_wire import (
    DeadlineError,
    Header,
    PeerGoneError,
    Report,
    decode_header,
    encode,
    encode_array,
    report_of,
)
from orchestration.transport import Mailbox, PartyChannel
from protocol.channel import Endpoint, Inbound, Label
from protocol.errors import LocalProtocolError, PeerMisbehaviourError
from protocol.parties import Party
from protocol.roles import Observation, RoleProgram
from protocol.search.policies import policy_named
from protocol.sharing.kernels_blocks import set_compute_threads
from protocol.sharing.kernels_choice import use_clock

__all__ = ["AsyncInbox", "Carrier", "PartyActor", "joined", "pieces_of", "spoken"]

IN_FLIGHT_FRAMES: Final = 16
IN_FLIGHT_BYTES: Final = 64 << 20
# Ray copies an argument of up to 100 KiB into the call and puts a larger one into the object
# store, which costs some milliseconds. In pieces a frame of middle size goes with the call too.
PIECE_BYTES: Final = 96 << 10
MOST_INLINE_BYTES: Final = 512 << 10


class PartyActor:
    """Hosts one role program; peers reach it under its party's name in the run's namespace."""

    def __init__(self, header: bytes) -> None:
        self._header = decode_header(header)
        party = self._header.party
        policy = policy_named(self._header.protocol)
        insecure = frozenset(self._header.insecure)
        self._endpoint = Endpoint(party, self._header.run, insecure, policy)
        self._inbox = AsyncInbox(party, self._header.receive_timeout_s)
        self._carrier = Carrier(self._header.namespace)
        self._channel: PartyChannel | None = None
        self._program: RoleProgram | None = None
        self._observed: Observation = {}
        self._peak_bytes = 0

    async def prepare(self, brief: bytes) -> bytes:
        """Build the role program from its brief; returns a `Report`."""
        try:
            self._program = _build(self._header, _as_bytes(brief))
        except Exception as error:  # noqa: BLE001 - nothing foreign may leave the actor
            return encode(report_of(error, self._header.party))
        return encode(Report())

    async def play(self, clock: bytes) -> bytes:
        """Play the role to its end; `clock` is when the run began; returns a `Report`."""
        try:
            await self._play(_started(_as_bytes(clock)))
        except Exception as error:  # noqa: BLE001 - nothing foreign may leave the actor
            return encode(report_of(error, self._header.party))
        return encode(Report())

    async def deliver(self, *pieces: bytes) -> bytes:
        """Take a frame from a peer; one that is refused also ends this party's program."""
        try:
            self._inbox.put(self._endpoint.inbound(joined(pieces)))
        except Exception as error:  # noqa: BLE001 - nothing foreign may leave the actor
            self._inbox.fail(error)
            return encode(report_of(error, self._header.party))
        return encode(Report())

    async def finish(self) -> bytes:
        """Check, once all programs have ended, that no frame is missing or left: a `Report`."""
        try:
            self._endpoint.refuse_gaps()
            self._inbox.refuse_leftovers()
        except Exception as error:  # noqa: BLE001 - nothing foreign may leave the actor
            return encode(report_of(error, self._header.party))
        return encode(Report())

    async def progress(self) -> bytes:
        """Return how far this party is, as `Progress`."""
        if self._channel is None:
            return b""
        return encode(self._channel.sessions.progress())

    async def waits(self) -> bytes:
        """Return what this party waits for, as text; empty while it computes and at its end."""
        label = self._inbox.waiting
        return b"" if label is None else spoken(label).encode()

    async def journal(self) -> bytes:
        """Return the events so far; they carry no payload."""
        return encode_events([] if self._channel is None else self._channel.events)

    async def peak(self) -> bytes:
        """Return the most memory this party had resident while it played, in bytes."""
        return msgspec.msgpack.encode(self._peak_bytes)

    async def observed(self) -> bytes:
        """Return the names of the arrays that the simulation's evaluator may read."""
        return msgspec.msgpack.encode(list(self._observed))

    async def observe(self, name: bytes) -> bytes:
        """Return one of these arrays and forget it, so that it is not held twice for long."""
        return encode_array(self._observed.pop(name.decode()))

    async def _play(self, started: float) -> None:
        if self._program is None or self._channel is not None:
            raise LocalProtocolError("a program is played once, after it was prepared")
        self._channel = PartyChannel(
            self._endpoint, self._carrier.carry, self._inbox, started, self._header.digest_key
        )
        self._observed = await self._program.run(self._channel)
        await self._carrier.drain()
        self._peak_bytes = peak_memory_bytes()


class AsyncInbox:
    """Frames by label, with a deadline on every wait."""

    def __init__(self, party: Party, timeout_s: float) -> None:
        self._party = party
        self._timeout_s = timeout_s
        self._mailbox = Mailbox(party)
        self._failure: Exception | None = None
        self._changed = asyncio.Event()
        self.waiting: Label | None = None

    def put(self, inbound: Inbound) -> None:
        """Keep a frame and wake the program.

        Raises:
            PeerMisbehaviourError: a frame with this label arrived before.
        """
        self._mailbox.put(inbound)
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Make every further wait raise; the first failure stays."""
        self._failure = self._failure or error
        self._changed.set()

    async def take(self, label: Label) -> Inbound:
        """Wait for the frame with this label.

        Raises:
            DeadlineError: it did not come in time; the text says who waited for whom.
        """
        self.waiting = label
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._until_here(label)
        except TimeoutError as error:
            text = f"{self._party} waited {self._timeout_s:g} s for {spoken(label)}"
            raise DeadlineError(text, hint="the run is aborted") from error
        self.waiting = None
        return self._mailbox.pop(label)

    def refuse_leftovers(self) -> None:
        """Check that nothing was refused and every frame was asked for.

        Raises:
            PeerMisbehaviourError: a frame was refused earlier, or is left.
        """
        if self._failure is not None:
            raise self._failure
        self._mailbox.refuse_leftovers()

    async def _until_here(self, label: Label) -> None:
        while label not in self._mailbox:
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()


class _Peer(Protocol):
    """The one method of a peer's handle that is used."""

    @property
    def deliver(self) -> Any:  # noqa: ANN401 - Ray's method handles have no public type
        ...


class Carrier:
    """Hands frames to peers, actor to actor, with a bound on what is under way."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._peers: dict[Party, _Peer] = {}
        self._pending: deque[tuple[Party, int, Awaitable[bytes]]] = deque()
        self._pending_bytes = 0

    async def carry(self, receiver: Party, wire: bytes) -> None:
        """Start handing over a frame; waits only while too much is under way.

        Raises:
            PeerGoneError: an earlier frame could not be handed over.
        """
        handed = self._peer(receiver).deliver.remote(*pieces_of(wire))
        self._pending.append((receiver, len(wire), handed))
        self._pending_bytes += len(wire)
        while len(self._pending) > IN_FLIGHT_FRAMES or self._pending_bytes > IN_FLIGHT_BYTES:
            await self._settle()

    async def drain(self) -> None:
        """Wait until every frame was handed over."""
        while self._pending:
            await self._settle()

    async def _settle(self) -> None:
        receiver, size_bytes, reference = self._pending.popleft()
        self._pending_bytes -= size_bytes
        try:
            # A refusal is the receiver's failure to report; it ends the run from there.
            await reference
        except RayError as error:
            raise PeerGoneError(f"{receiver} is gone", where=receiver) from error

    def _peer(self, party: Party) -> _Peer:
        if party not in self._peers:
            try:
                self._peers[party] = ray.get_actor(party, namespace=self._namespace)
            except ValueError as error:
                raise PeerGoneError(f"{party} cannot be found", where=party) from error
        return self._peers[party]


def pieces_of(wire: bytes) -> list[bytes]:
    """Return a frame as the arguments of one call: in pieces where that keeps it in the call."""
    if not PIECE_BYTES < len(wire) <= MOST_INLINE_BYTES:
        return [wire]
    return [wire[start : start + PIECE_BYTES] for start in range(0, len(wire), PIECE_BYTES)]


def joined(pieces: Sequence[object]) -> bytes:
    """Return the frame whose pieces a call brought.

    Raises:
        PeerMisbehaviourError: something else than bytes came.
    """
    checked = [_as_bytes(piece) for piece in pieces]
    return checked[0] if len(checked) == 1 else b"".join(checked)


def spoken(label: Label) -> str:
    """Return a label as people say it."""
    return f"{label.kind} from {label.sender} in {label.session}"


def _as_bytes(value: object) -> bytes:
    if type(value) is not bytes:
        text = f"an actor takes bytes only, not {type(value).__name__}"
        raise PeerMisbehaviourError(text, hint="the run is aborted")
    return value


def _started(clock: bytes) -> float:
    """Return the `perf_counter()` value, in this process, of a moment of wall time."""
    return perf_counter() - (time() - msgspec.msgpack.decode(clock, type=float))


def _build(header: Header, brief: bytes) -> RoleProgram:
    """Import the builder under this party's thread limit and build the program."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(header.threads)
    module, _, function = header.builder.partition(":")
    program: RoleProgram = getattr(import_module(module), function)(brief)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(header.threads)
    set_compute_threads(header.kernel_threads)
    use_clock(thread_time)
    return program
