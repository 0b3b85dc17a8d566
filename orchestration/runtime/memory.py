"""The memory runtime: all parties in one process under a seeded, deterministic scheduler."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Coroutine, Generator, Mapping
from time import perf_counter, thread_time
from typing import Any

from orchestration.journal import KEY_BYTES, Event
from orchestration.machine import cores
from orchestration.progress import OnProgress
from orchestration.runtime.outcome import OnAbort, PartyOutcome, watched
from orchestration.transport import Mailbox, PartyChannel
from protocol.channel import Endpoint, Inbound, Label
from protocol.errors import InfrastructureError
from protocol.parties import Party
from protocol.roles import Observation, RoleProgram
from protocol.search.policies import policy_named
from protocol.sharing.kernels_blocks import computing_with
from protocol.sharing.kernels_choice import use_clock

__all__ = ["run_in_memory"]

# A program that yields None goes on once the others have had a chance to.
Step = Coroutine[Label | None, None, Observation]


def run_in_memory(  # noqa: PLR0913 - all but one have a name at the call
    programs: Mapping[Party, RoleProgram],
    *,
    run: str,
    insecure: frozenset[str],
    seed: int,
    protocol: str = "dealer",
    tamper: Callable[[bytes], bytes] | None = None,
    on_progress: OnProgress | None = None,
    on_abort: OnAbort | None = None,
    threads: int | None = None,
    digest_key: bytes | None = None,
) -> dict[Party, PartyOutcome]:
    """Run every role program to its end and return each party's journal and observation.

    Args:
        programs: one program per party.
        run: run identifier, in every envelope.
        insecure: the scenario's shortcuts, for the flow policy.
        seed: order in which runnable parties are stepped.
        protocol: whose flow policy the endpoints enforce.
        tamper: changes every frame on its way; for tests of misbehaviour.
        on_progress: told how far the watched party is, after each of its steps.
        on_abort: given every party's journal before an error is raised.
        threads: threads a party's kernels may compute with; None: all cores, as one party
            computes at a time.
        digest_key: of the journal's digests; None: a fresh one that is forgotten with the run.

    Raises:
        InfrastructureError: all parties wait; the text says who waits for what.
        PeerMisbehaviourError: a frame came twice, or was left that no program asked for.
    """
    endpoints = {
        party: Endpoint(party, run, insecure, policy_named(protocol)) for party in programs
    }
    key = digest_key or secrets.token_bytes(KEY_BYTES)
    scheduler = _Scheduler(programs, endpoints, seed, tamper, on_progress, key)
    try:
        use_clock(thread_time)
        with computing_with(threads or cores()):
            return scheduler.run()
    except (Exception, KeyboardInterrupt):
        if on_abort is not None:
            on_abort(scheduler.journals())
        raise


class _Wait:
    """Suspends a program until the scheduler resumes it."""

    def __init__(self, label: Label) -> None:
        self._label = label

    def __await__(self) -> Generator[Label, None, None]:
        yield self._label


class _MemoryInbox:
    def __init__(self, party: Party) -> None:
        self.mailbox = Mailbox(party)

    async def take(self, label: Label) -> Inbound:
        while label not in self.mailbox:
            await _Wait(label)
        return self.mailbox.pop(label)


class _Scheduler:
    def __init__(
        self,
        programs: Mapping[Party, RoleProgram],
        endpoints: Mapping[Party, Endpoint],
        seed: int,
        tamper: Callable[[bytes], bytes] | None,
        on_progress: OnProgress | None,
        digest_key: bytes,
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - orders steps, hides nothing
        self._tamper = tamper
        self._on_progress = on_progress
        self._watched = watched(programs)
        self._endpoints = endpoints
        self._inboxes = {party: _MemoryInbox(party) for party in programs}
        started = perf_counter()
        self._channels = {
            party: PartyChannel(endpoint, self._carry, self._inboxes[party], started, digest_key)
            for party, endpoint in self._endpoints.items()
        }
        self._steps: dict[Party, Step] = {
            party: _as_step(program.run(self._channels[party]))
            for party, program in programs.items()
        }
        self._waiting: dict[Party, Label | None] = {}
        self._observed: dict[Party, Observation] = {}

    def run(self) -> dict[Party, PartyOutcome]:
        """Step runnable parties in seeded order until all have ended."""
        try:
            while self._steps:
                self._step(self._random.choice(self._runnable()))
        finally:
            for step in self._steps.values():
                step.close()
        for party, inbox in self._inboxes.items():
            self._endpoints[party].refuse_gaps()
            inbox.mailbox.refuse_leftovers()
        return {
            party: PartyOutcome(channel.events, self._observed[party])
            for party, channel in self._channels.items()
        }

    def journals(self) -> dict[Party, list[Event]]:
        """Return what every party has journaled so far."""
        return {party: channel.events for party, channel in self._channels.items()}

    async def _carry(self, receiver: Party, wire: bytes) -> None:
        if receiver not in self._endpoints:
            raise InfrastructureError(f"there is no party {receiver} in this run")
        wire = wire if self._tamper is None else self._tamper(wire)
        inbound = self._endpoints[receiver].inbound(wire)
        self._inboxes[receiver].mailbox.put(inbound)

    def _runnable(self) -> list[Party]:
        runnable = [party for party in self._steps if self._can_run(party)]
        if not runnable:
            raise InfrastructureError(f"every party waits: {self._stall()}")
        return runnable

    def _can_run(self, party: Party) -> bool:
        label = self._waiting.get(party)
        return label is None or label in self._inboxes[party].mailbox

    def _step(self, party: Party) -> None:
        try:
            self._waiting[party] = self._steps[party].send(None)
        except StopIteration as end:
            self._observed[party] = end.value
            del self._steps[party]
            self._waiting.pop(party, None)
        if party == self._watched and self._on_progress is not None:
            self._on_progress(self._channels[party].sessions.progress())

    def _stall(self) -> str:
        lines = (
            f"{party} waits for {label.kind} from {label.sender} in {label.session}"
            for party, label in sorted(self._waiting.items())
            if label is not None
        )
        return "; ".join(lines)


def _as_step(coroutine: Coroutine[Any, Any, Observation]) -> Step:
    return coroutine
