"""A prepared protocol that can be played many times in this process, with chosen secrets.

Sizes, plan and policy stay the same from run to run; only the client's secrets, everyone's
randomness and, in tests of the audit, a planted leak change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from orchestration.assembly import PartyBrief, build_recorded
from orchestration.audit.leaks.plant import Leak, Plant, Tampered
from orchestration.capture import MemoryRecording, Recorded
from orchestration.evaluation import oracle_scores
from orchestration.journal import Event
from orchestration.prepare import Preparation, prepare
from orchestration.progress import Progress
from orchestration.record import costs_table, input_size
from orchestration.runtime.memory import run_in_memory
from orchestration.runtime.outcome import PartyOutcome
from protocol.errors import BautaError
from protocol.parties import CLIENT, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step, StepKind
from protocol.search import plaintext
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_named
from protocol.sharing.ring import Ring
from protocol.views import Array, Public, Trial, view_from
from scenarios.specs import Scenario

__all__ = ["PEOPLE", "Secrets", "Stage"]

PEOPLE = 4000
SCHEDULE = 1


class Secrets(NamedTuple):
    """What the client knows: numbers of enrolled people, and of people it asks about.

    `seed` chooses among all possible faces; a person's probe is never their enrolled picture.
    """

    seed: int
    enrolled: tuple[int, ...]
    probed: tuple[int, ...]


class Stage:
    """One protocol at one size.

    Args:
        scenario: of kind templates; its runtime is ignored.
        leak: planted in every run.
        protocol: a registered protocol to play in place of the scenario's.
    """

    def __init__(self, scenario: Scenario, leak: Leak | None = None, protocol: str = "") -> None:
        self.scenario = scenario
        prepared: Preparation = prepare(scenario, None, _ignore)
        name = protocol or prepared.plan.protocol
        self.plan: RunPlan = msgspec.structs.replace(prepared.plan, protocol=name)
        parties = protocol_named(name).policy.parties
        self._briefs = {party: prepared.briefs[party] for party in parties}
        self._plant = Plant() if leak is None else leak.planted()

    def play(self, secrets: Secrets) -> Trial:
        """Run once with fresh randomness and return what everybody saw."""
        run = uuid4().hex[:16]
        self._plant.begin(run)
        recordings = {party: MemoryRecording() for party in self._briefs}
        programs = {
            party: self._program(party, brief, secrets, run, recordings[party])
            for party, brief in self._briefs.items()
        }
        events: dict[Party, list[Event]] = {}
        outcomes: Mapping[Party, PartyOutcome] = {}
        failure = ""
        try:
            outcomes = run_in_memory(
                programs,
                run=run,
                insecure=frozenset(self.scenario.insecure),
                protocol=self.plan.protocol,
                seed=SCHEDULE,
                on_abort=events.update,
            )
            events = {party: outcome.events for party, outcome in outcomes.items()}
        except BautaError as error:
            failure = f"{type(error).__name__}: {error}"
        views = {
            party: view_from(party, recording.tables, events.get(party, ()))
            for party, recording in recordings.items()
        }
        return Trial(
            run=run,
            views=views,
            secrets=self._secrets(outcomes),
            batches=_places(self.plan.steps, "search"),
            enrolled=_places(self.plan.steps, "enrol"),
            texts={**self._plant.texts, "the error that ended the run": failure.encode()},
            failure=failure,
            costs_differ=() if failure else self._costs(events),
            public=Public.of(self.plan, self.scenario.mapping.kind),
        )

    def _program(
        self, party: Party, brief: bytes, secrets: Secrets, run: str, recording: MemoryRecording
    ) -> Recorded:
        told = msgspec.msgpack.decode(brief, type=PartyBrief)
        changes: dict[str, Any] = {
            "plan": msgspec.structs.replace(self.plan, run=run),
            "test_key": self._plant.test_key,
        }
        if party == CLIENT:
            changes |= _chosen(told.scenario, secrets)
        told = msgspec.structs.replace(told, **changes)
        program = Tampered(build_recorded(told.to_bytes(), recording), party, self._plant)
        return Recorded(program, party, recording, self._plant.expand)

    def _secrets(self, outcomes: Mapping[Party, PartyOutcome]) -> dict[str, Array]:
        """Return rows, probes and scores as ring elements, and decisions."""
        if not outcomes:
            return {}
        client, provider = outcomes[CLIENT].observed, outcomes[MODEL_PROVIDER].observed
        ring = Ring(policy_named(self.plan.protocol).ring_bits or self.plan.ring_bits)
        scores = oracle_scores(self.plan, client["rows"], provider["probes"])
        return {
            "rows": ring.encode(client["rows"]),
            "probes": ring.encode(provider["probes"]),
            "scores": ring.encode(scores),
            "decisions": plaintext.matches(scores, self.plan.threshold),
        }

    def _costs(self, events: Mapping[Party, list[Event]]) -> tuple[str, ...]:
        protocol = protocol_named(self.plan.protocol)
        declared = protocol.declared(self.plan, input_size(self.scenario))
        rows = costs_table(declared, chain.from_iterable(events.values()))
        return tuple(
            f"{row['kind']} from {row['sender']} to {row['receiver']}: declared "
            f"{row['declared_bytes']} bytes in {row['declared_messages']} messages, "
            f"sent {row['measured_bytes']} in {row['measured_messages']}"
            for row in rows
            if not row["equal"]
        )


def _chosen(scenario: Scenario, secrets: Secrets) -> dict[str, Any]:
    """Return the fields of the client's brief that carry its secrets."""
    data = msgspec.structs.replace(scenario.data, unmated=PEOPLE)
    return {
        "scenario": msgspec.structs.replace(scenario, seed=secrets.seed, data=data),
        "gallery": tuple(f"row-{person:08d}/0" for person in secrets.enrolled),
        "probes": tuple(f"row-{person:08d}/1" for person in secrets.probed),
    }


def _places(steps: Iterable[Step], kind: StepKind) -> dict[str, tuple[int, int]]:
    """Return first row or probe and their number, by session."""
    found: dict[str, tuple[int, int]] = {}
    start = 0
    for step in steps:
        if step.kind == kind:
            found[step.session] = (start, step.size)
            start += step.size
    return found


def _ignore(_: Progress) -> None:
    """Show no progress."""
