"""What one search of a gallery of any size takes: bytes by formula, time by measured rates.

A server is a group of machines that share its rows evenly; machine i of one server talks to machine
i of the others. Machines answer at the same time, so the time that grows with rows is divided by
their number, and rounds are not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from orchestration.planning.rates import Rates
from orchestration.record import input_size
from protocol.costs import DeclaredMessage
from protocol.plan import RunPlan, Step
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_named
from scenarios.resources import party_memory_bytes
from scenarios.specs import Scenario

__all__ = ["Machine", "Need", "Traffic", "need", "traffic"]

GIB: Final = 2**30
FILLED: Final = 0.8
"""Share of a machine's memory that is planned with."""
_TRIALS: Final = 24
"""Doublings after which no number of machines is taken to be fast enough."""
NOT_SERVERS: Final = frozenset({"client", "evaluator"})


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What each machine of a server has.

    Attributes:
        memory_gib: memory.
        cores: cores like the one that rates were measured on.
        link_gbps: bandwidth to each other party, in gigabits per second.
        round_trip_ms: to any other party; half of it is the cost of a round.
    """

    memory_gib: float = 64.0
    cores: int = 16
    link_gbps: float = 10.0
    round_trip_ms: float = 0.5


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Payload bytes and rounds, by the formulas every run is checked against.

    Attributes:
        enrol_bytes: all messages that bring the gallery in.
        upload_bytes: protected probes of one search.
        online_bytes: all other messages of one search.
        busiest_bytes: those of the link and direction that carries most.
        offline_bytes: material of one search.
        rounds: from the masked probe to the answer.
    """

    enrol_bytes: int
    upload_bytes: int
    online_bytes: int
    busiest_bytes: int
    offline_bytes: int
    rounds: int


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What a gallery needs.

    Attributes:
        entries: rows.
        memory_bytes: by party, of all its machines together.
        traffic: of one search, and of enrolment.
        machines: of each server; None where no number answers in time.
        machine_bytes: memory of the fullest of them.
        latency_s: of one search on so many, offline work not counted.
        searches_per_s: how many such searches a second they sustain, one after another or not.
        bound_by: what a larger number of machines would relieve: memory, time, or nothing.
    """

    entries: int
    memory_bytes: dict[str, int]
    traffic: Traffic
    machines: int | None
    machine_bytes: int | None = None
    latency_s: float | None = None
    searches_per_s: float | None = None
    bound_by: str = ""


def need(scenario: Scenario, entries: int, rates: Rates, machine: Machine, target_s: float) -> Need:
    """Return what searching so many rows in `target_s` takes."""
    sized = _sized(scenario, entries, rates.probes)
    memory = {
        party: size for party, size in party_memory_bytes(sized).items() if party not in NOT_SERVERS
    }
    fullest = max(memory.values())
    for_memory = max(1, math.ceil(fullest / (FILLED * machine.memory_gib * GIB)))
    whole = traffic(sized, entries, rates.probes)
    machines, found = for_memory, whole
    for _ in range(_TRIALS):
        found = _divided(sized, whole, entries, rates, machines)
        left_s = target_s - _fixed_s(found, rates, machine)
        shared_s = _shared_s(found, entries, rates, machine)
        wanted = 2 * machines if left_s <= 0 else math.ceil(shared_s / left_s)
        if left_s > 0 and wanted <= machines:
            return Need(
                entries=entries,
                memory_bytes=memory,
                traffic=found,
                machines=machines,
                machine_bytes=math.ceil(fullest / machines),
                latency_s=target_s - left_s + shared_s / machines,
                searches_per_s=_sustained(found, entries, rates, machine, machines),
                bound_by=_bound(machines, for_memory),
            )
        machines = wanted
    least_s = _fixed_s(found, rates, machine)
    why = f"rounds and upload alone take {1e3 * least_s:,.0f} ms"
    return Need(entries=entries, memory_bytes=memory, traffic=found, machines=None, bound_by=why)


def _divided(
    scenario: Scenario, whole: Traffic, entries: int, rates: Rates, machines: int
) -> Traffic:
    """Return the traffic with the rounds of one machine's rows.

    Rounds are the same for any number of rows, but for protocols that cut long messages.
    """
    part = traffic(scenario, math.ceil(entries / machines), rates.probes)
    return msgspec.structs.replace(whole, rounds=part.rounds)


def traffic(scenario: Scenario, entries: int, probes: int) -> Traffic:
    """Add up the declared messages of one enrolment and one search."""
    search = scenario.search
    plan = RunPlan(
        run="plan",
        protocol=search.protocol,
        ring_bits=search.ring_bits,
        dimension=scenario.row_length,
        threshold=0,
        radix=search.radix,
        steps=(Step("enrol-0", entries, "enrol"), Step("query-0", probes)),
        open_scores=False,
        output=search.output,
        top_k=search.top_k,
        scale=search.ring_scale,
        check_inputs=search.check_inputs,
    )
    messages = list(protocol_named(search.protocol).declared(plan, input_size(scenario)))
    offline = {f.kind for f in policy_named(search.protocol).flows if f.phase == "offline"}
    taken_in = [m for m in messages if m.session == "enrol-0"]
    made_ahead = [m for m in messages if m.session != "enrol-0" and m.kind in offline]
    asked = [m for m in messages if m.session == "query-0" and m.kind not in offline]
    online = [m for m in asked if m.kind != "ProtectedFeatures"]
    return Traffic(
        enrol_bytes=_bytes(taken_in),
        upload_bytes=_bytes(asked) - _bytes(online),
        online_bytes=_bytes(online),
        busiest_bytes=_busiest(online),
        offline_bytes=_bytes(made_ahead),
        rounds=max((m.round for m in online), default=0),
    )


def _sized(scenario: Scenario, entries: int, probes: int) -> Scenario:
    """Return the scenario with so many rows, and material for one search at a time."""
    data = msgspec.structs.replace(
        scenario.data, entries=entries, mated=probes, unmated=0, batch=probes
    )
    search = msgspec.structs.replace(scenario.search, pool=1, low_water=1)
    return msgspec.structs.replace(scenario, data=data, search=search)


def _fixed_s(found: Traffic, rates: Rates, machine: Machine) -> float:
    """Time that no number of machines shortens."""
    rounds_s = found.rounds * machine.round_trip_ms / 2e3
    return rates.server_fixed_s + rounds_s + found.upload_bytes / _bytes_per_s(machine)


def _shared_s(found: Traffic, entries: int, rates: Rates, machine: Machine) -> float:
    """Time that is divided among machines."""
    computing_s = rates.server_row_s * entries / machine.cores
    return computing_s + found.busiest_bytes / _bytes_per_s(machine)


def _sustained(
    found: Traffic, entries: int, rates: Rates, machine: Machine, machines: int
) -> float:
    """Return searches a second when all cores and links are kept busy, material included."""
    online_s = rates.server_row_s * entries / machine.cores
    offline_s = rates.offline_row_s * entries / machine.cores
    moved_s = (found.busiest_bytes + found.offline_bytes) / _bytes_per_s(machine)
    return machines / max(online_s + offline_s, moved_s, 1e-9)


def _bound(machines: int, for_memory: int) -> str:
    if machines == 1:
        return "nothing"
    return "memory" if machines == for_memory else "time"


def _bytes_per_s(machine: Machine) -> float:
    return machine.link_gbps * 1e9 / 8


def _bytes(messages: Iterable[DeclaredMessage]) -> int:
    return sum(message.payload_bytes for message in messages)


def _busiest(messages: Iterable[DeclaredMessage]) -> int:
    links: dict[tuple[str, str], int] = defaultdict(int)
    for message in messages:
        links[message.sender, message.receiver] += message.payload_bytes
    return max(links.values(), default=0)
