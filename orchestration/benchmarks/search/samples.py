"""What one search cost: times of a contender, and what the journal says of its messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from orchestration.benchmarks.search.workload import Search
from orchestration.journal import Event
from protocol.parties import CLIENT, DEALER, Party

__all__ = ["Sample", "journal_samples"]

HELPERS: frozenset[Party] = frozenset({CLIENT, DEALER})


class Sample(NamedTuple):
    """One search of one contender.

    Attributes:
        search: which one.
        online_s: wall seconds from the probe's embedding to the decisions.
        equals_oracle: whether every decision was right; None where that is not defined.
        online_cpu_s: processor seconds of all parties online, where they share a process.
        offline_s: wall seconds in which its material was made.
        offline_compute_s: busy seconds of all parties in it.
        servers_online_s: busy seconds of all compute servers online, added up.
        online_server_bytes: payload sent online by the compute server that sends most.
        offline_bytes: payload of all offline messages.
        rounds: the last online round.
    """

    search: Search
    online_s: float
    equals_oracle: bool | None
    online_cpu_s: float | None = None
    offline_s: float | None = None
    offline_compute_s: float | None = None
    servers_online_s: float | None = None
    online_server_bytes: int | None = None
    offline_bytes: int | None = None
    rounds: int | None = None


def journal_samples(
    turns: Sequence[Search],
    online_s: Sequence[float],
    equal: Sequence[bool],
    events: Iterable[Event],
) -> list[Sample]:
    """Return a run's samples from its client's clock, its decisions and its journal."""
    sessions = _by_search(events)
    return [
        _sample(turn, seconds, right, sessions[turn.session])
        for turn, seconds, right in zip(turns, online_s, equal, strict=True)
    ]


def _by_search(events: Iterable[Event]) -> Mapping[str, list[Event]]:
    """Group events by search; a request for material belongs to the search it is made for."""
    sessions: dict[str, list[Event]] = {}
    for event in events:
        stage, _, number = event.session.partition("-")
        name = f"search-{number}" if stage == "material" else event.session
        sessions.setdefault(name, []).append(event)
    return sessions


def _sample(turn: Search, online_s: float, right: bool, events: Sequence[Event]) -> Sample:  # noqa: FBT001
    offline = [event for event in events if event.phase == "offline"]
    online = [event for event in events if event.phase == "online"]
    servers = {event.party for event in online} - HELPERS
    return Sample(
        search=turn,
        online_s=online_s,
        equals_oracle=right,
        offline_s=_wall_s(offline),
        offline_compute_s=sum(event.compute_s for event in offline),
        servers_online_s=sum(event.compute_s for event in online if event.party in servers),
        online_server_bytes=max(_sent_bytes(online, server) for server in servers),
        offline_bytes=sum(event.payload_bytes for event in offline if event.event == "sent"),
        rounds=max(event.round for event in online),
    )


def _wall_s(events: Sequence[Event]) -> float:
    """Return seconds from the beginning of what led to the first event to the last event."""
    if not events:
        return 0.0
    return max(e.at_s for e in events) - min(e.at_s - e.compute_s for e in events)


def _sent_bytes(events: Iterable[Event], party: Party) -> int:
    return sum(e.payload_bytes for e in events if e.event == "sent" and e.party == party)
