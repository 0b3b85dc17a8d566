"""The memory runtime: all parties in one process under a seeded, deterministic scheduler."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Generator, Mapping
from time import perf_counter
from typing import Any

from orchestration.runtime.outcome import PartyOutcome
from orchestration.transport import PartyChannel
from parties.roles import Observation, RoleProgram
from protocol.channel import Endpoint, Inbound, Label
from protocol.errors import InfrastructureError, PeerMisbehaviourError
from protocol.parties import Party

__all__ = ["run_in_memory"]

Step = Coroutine[Label, None, Observation]


def run_in_memory(
    programs: Mapping[Party, RoleProgram],
    *,
    run: str,
    insecure: frozenset[str],
    seed: int,
    tamper: Callable[[bytes], bytes] | None = None,
) -> dict[Party, PartyOutcome]:
    """Run every role program to its end and return each party's journal and observation.

    Args:
        programs: one program per party.
        run: run identifier, in every envelope.
        insecure: the scenario's shortcuts, for the flow policy.
        seed: order in which runnable parties are stepped.
        tamper: changes every frame on its way; for tests of misbehaviour.

    Raises:
        InfrastructureError: all parties wait; the text says who waits for what.
        PeerMisbehaviourError: frames were left that no program asked for.
    """
    return _Scheduler(programs, run, insecure, seed, tamper).run()


class _Wait:
    """Suspends a program until the scheduler resumes it."""

    def __init__(self, label: Label) -> None:
        self._label = label

    def __await__(self) -> Generator[Label, None, None]:
        yield self._label


class _MemoryInbox:
    def __init__(self) -> None:
        self.frames: dict[Label, Inbound] = {}

    async def take(self, label: Label) -> Inbound:
        while label not in self.frames:
            await _Wait(label)
        return self.frames.pop(label)


class _Scheduler:
    def __init__(
        self,
        programs: Mapping[Party, RoleProgram],
        run: str,
        insecure: frozenset[str],
        seed: int,
        tamper: Callable[[bytes], bytes] | None,
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - orders steps, hides nothing
        self._tamper = tamper
        self._endpoints = {party: Endpoint(party, run, insecure) for party in programs}
        self._inboxes = {party: _MemoryInbox() for party in programs}
        started = perf_counter()
        self._channels = {
            party: PartyChannel(endpoint, self._carry, self._inboxes[party], started)
            for party, endpoint in self._endpoints.items()
        }
        self._steps: dict[Party, Step] = {
            party: _as_step(program.run(self._channels[party]))
            for party, program in programs.items()
        }
        self._waiting: dict[Party, Label] = {}
        self._observed: dict[Party, Observation] = {}

    def run(self) -> dict[Party, PartyOutcome]:
        """Step runnable parties in seeded order until all have ended."""
        try:
            while self._steps:
                self._step(self._random.choice(self._runnable()))
        finally:
            for step in self._steps.values():
                step.close()
        self._refuse_leftovers()
        return {
            party: PartyOutcome(channel.events, self._observed[party])
            for party, channel in self._channels.items()
        }

    async def _carry(self, receiver: Party, wire: bytes) -> None:
        if receiver not in self._endpoints:
            raise InfrastructureError(f"there is no party {receiver} in this run")
        wire = wire if self._tamper is None else self._tamper(wire)
        inbound = self._endpoints[receiver].inbound(wire)
        frames = self._inboxes[receiver].frames
        if inbound.label in frames:
            where = f"{inbound.label.sender} -> {receiver}"
            raise PeerMisbehaviourError("sent the same message twice", where=where)
        frames[inbound.label] = inbound

    def _runnable(self) -> list[Party]:
        runnable = [party for party in self._steps if self._can_run(party)]
        if not runnable:
            raise InfrastructureError(f"every party waits: {self._stall()}")
        return runnable

    def _can_run(self, party: Party) -> bool:
        label = self._waiting.get(party)
        return label is None or label in self._inboxes[party].frames

    def _step(self, party: Party) -> None:
        try:
            self._waiting[party] = self._steps[party].send(None)
        except StopIteration as end:
            self._observed[party] = end.value
            del self._steps[party]
            self._waiting.pop(party, None)

    def _stall(self) -> str:
        lines = (
            f"{party} waits for {label.kind} from {label.sender} in {label.session}"
            for party, label in sorted(self._waiting.items())
        )
        return "; ".join(lines)

    def _refuse_leftovers(self) -> None:
        for party, inbox in self._inboxes.items():
            for label in inbox.frames:
                text = f"sent a {label.kind} nobody asked for in {label.session}"
                raise PeerMisbehaviourError(text, where=f"{label.sender} -> {party}")


def _as_step(coroutine: Coroutine[Any, Any, Observation]) -> Step:
    return coroutine
