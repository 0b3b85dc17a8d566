"""A search protocol as a contender: all its parties, running one search per turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from threading import Thread
from time import perf_counter
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from orchestration.assembly import PartyBrief
from orchestration.benchmarks.search.cells import Cell, Options, plan_of, scenario_of
from orchestration.benchmarks.search.parties import (
    BenchBrief,
    build_measured_client,
    build_resting_server,
)
from orchestration.benchmarks.search.samples import Sample, journal_samples
from orchestration.benchmarks.search.turns import AbandonedError, RayTurns, ThreadTurns, Turns
from orchestration.benchmarks.search.workload import Search, Workload
from orchestration.journal import Event
from orchestration.record import costs_table, input_size
from orchestration.runtime.memory import run_in_memory
from orchestration.runtime.outcome import PartyOutcome
from protocol.parties import CLIENT, Party
from protocol.plan import RunPlan
from protocol.roles import RoleProgram
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_named
from protocol.tensors import Tensor
from scenarios.specs import Scenario

__all__ = ["Contender", "ProtocolContender", "protocol_contender"]

Outcomes: TypeAlias = Mapping[Party, PartyOutcome]
WAIT_S: Final = 0.2
LEAVE_S: Final = 10.0
# A contender may wait for its turn as long as all others together take for theirs.
RECEIVE_TIMEOUT_S: Final = 24 * 3600.0


class Contender(Protocol):
    """Whatever answers searches in turn.

    Attributes:
        name: of the protocol or peer.
        runtime: where it runs.
        enrol_s: seconds `start` took, known afterwards.
        costs_as_declared: whether all messages were as declared; None where nothing is declared.
    """

    name: str
    runtime: str
    enrol_s: float
    costs_as_declared: bool | None

    def start(self) -> None:
        """Take the gallery in; make the material of the first search where there is any."""
        ...

    def turn(self, search: Search) -> None:
        """Answer a search, or do nothing if it is none of this contender's."""
        ...

    def samples(self) -> list[Sample]:
        """Return what the searches cost, after the last turn."""
        ...

    def stop(self) -> None:
        """End at any time."""
        ...


class Play(NamedTuple):
    """What a protocol contender plays: a scenario, its plan, and what is right."""

    scenario: Scenario
    plan: RunPlan
    turns: tuple[Search, ...]
    workload: Workload

    @property
    def probes(self) -> npt.NDArray[np.float32]:
        """The unit probes of its own turns, in order."""
        return np.concatenate([self.workload.probes[turn.probes] for turn in self.turns])

    @property
    def right(self) -> list[npt.NDArray[np.uint8]]:
        """The oracle's packed decisions of its own turns, in order."""
        return [self.workload.oracle[turn.probes] for turn in self.turns]

    @property
    def parties(self) -> tuple[Party, ...]:
        """Who takes part."""
        return policy_named(self.plan.protocol).parties

    def brief(self, party: Party) -> PartyBrief:
        """Return what a party is told."""
        return PartyBrief(party=party, plan=self.plan, scenario=self.scenario)


class ProtocolContender:
    """A protocol whose run lives in a thread and stops before each search.

    Args:
        cell: the protocol, its runtime and its gallery.
        play: what it plays.
        pacing: lets the run go on.
        run: plays it to its end.
    """

    def __init__(self, cell: Cell, play: Play, pacing: Turns, run: Callable[[], Outcomes]) -> None:
        self.name = cell.name
        self.runtime: str = cell.runtime
        self.enrol_s = 0.0
        self.costs_as_declared: bool | None = None
        self._play, self._pacing, self._run = play, pacing, run
        # A daemon: what cannot be stopped must not hold up an interrupted benchmark.
        self._thread = Thread(target=self._body, name=f"{cell.name} {cell.runtime}", daemon=True)
        self._outcomes: Outcomes | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Start the run and wait until its first search may begin."""
        begun = perf_counter()
        self._thread.start()
        self._until_over()
        self.enrol_s = perf_counter() - begun

    def turn(self, search: Search) -> None:
        """Let the run answer one search and make the material of the next."""
        if search in self._play.turns:
            self._pacing.go()
            self._until_over()

    def samples(self) -> list[Sample]:
        """Return what every search cost, and compare all messages with their declaration."""
        self._thread.join()
        if self._outcomes is None:
            raise self._error or AbandonedError
        client = self._outcomes[CLIENT].observed
        events = list(chain.from_iterable(found.events for found in self._outcomes.values()))
        self.costs_as_declared = _as_declared(self._play, events)
        equal = _equal(self._play.right, client["match"])
        samples = journal_samples(self._play.turns, client["online_s"].tolist(), equal, events)
        if self.runtime != "memory":
            return samples
        used = client["online_cpu_s"].tolist()
        return [s._replace(online_cpu_s=cpu_s) for s, cpu_s in zip(samples, used, strict=True)]

    def stop(self) -> None:
        """Let the run end at its next pause, and wait for that a little."""
        if self._thread.is_alive():
            self._pacing.abandon()
            self._thread.join(LEAVE_S)
        self._outcomes = None

    def _body(self) -> None:
        try:
            self._outcomes = self._run()
        except BaseException as error:  # noqa: BLE001 - raised again in the driver's thread
            self._error = error
        self._pacing.end()

    def _until_over(self) -> None:
        while not self._pacing.over(WAIT_S):
            pass
        if self._error is not None:
            raise self._error


def protocol_contender(
    cell: Cell,
    options: Options,
    workload: Workload,
    turns: Sequence[Search],
    actor: Any,  # noqa: ANN401 - Ray's handles have no type
) -> ProtocolContender:
    """Return the contender of a cell; `actor` is the turn actor, where the cell runs on Ray."""
    scenario = scenario_of(cell, options)
    plan = plan_of(scenario, workload.threshold, turns)
    play = Play(scenario, plan, tuple(turns), workload)
    if cell.runtime == "memory":
        paused = ThreadTurns()
        return ProtocolContender(
            cell, play, paused, lambda: _in_memory(play, paused, options.threads)
        )
    pacing = RayTurns(actor, plan.run)
    return ProtocolContender(cell, play, pacing, lambda: _on_ray(play, options.threads))


def _in_memory(play: Play, pause: ThreadTurns, threads: int) -> Outcomes:
    programs: dict[Party, RoleProgram] = {
        party: build_measured_client(play.brief(party), play.probes, pause)
        if party == CLIENT
        else build_resting_server(play.brief(party), pause)
        for party in play.parties
    }
    return run_in_memory(
        programs,
        run=play.plan.run,
        insecure=frozenset(play.scenario.insecure),
        seed=play.scenario.seed,
        protocol=play.plan.protocol,
        threads=threads,
    )


def _on_ray(play: Play, threads: int) -> Outcomes:
    from orchestration.runtime.ray import run_on_ray

    probes = Tensor.of(play.probes)
    briefs = {
        party: BenchBrief(told=play.brief(party), probes=probes if party == CLIENT else None)
        for party in play.parties
    }
    return run_on_ray(
        {party: brief.to_bytes() for party, brief in briefs.items()},
        run=play.plan.run,
        insecure=frozenset(play.scenario.insecure),
        protocol=play.plan.protocol,
        receive_timeout_s=RECEIVE_TIMEOUT_S,
        builder="orchestration.benchmarks.search.parties:build_benchmark_program",
        threads=threads,
    )


def _equal(right: Sequence[npt.NDArray[np.uint8]], found: npt.NDArray[np.uint8]) -> list[bool]:
    """Return for each search whether every one of its decisions was right."""
    ends = np.cumsum([len(part) for part in right])
    parts = np.split(found, ends[:-1])
    return [bool(np.array_equal(*pair)) for pair in zip(parts, right, strict=True)]


def _as_declared(play: Play, events: Sequence[Event]) -> bool:
    declared = protocol_named(play.plan.protocol).declared(play.plan, input_size(play.scenario))
    return all(row["equal"] for row in costs_table(declared, events))
