"""A run as a Chrome trace, for Perfetto (ui.perfetto.dev) or chrome://tracing.

Trace Event Format: one process per party, a slice for the computing before each event, and a flow
arrow from every sent message to its receipt. Times are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from protocol.flows import Policy
from protocol.parties import Party
from reports.records import Event
from reports.wording import party_name

__all__ = ["chrome_trace"]

MICROSECONDS: Final = 1e6
# A viewer binds an arrow to the slice around it, so every slice has some length and every arrow
# ends within one.
LEAST_SLICE: Final = 1.0
INSIDE: Final = 0.25


def chrome_trace(events: Sequence[Event], policy: Policy) -> str:
    """Return the trace as JSON.

    Clocks of processes differ by some microseconds. Where a message would arrive before it was
    sent, or an event of a party before the one that preceded it, the later one is moved on.
    """
    rows = [row for index, party in enumerate(policy.parties) for row in _process(party, index)]
    clocks = _Clocks()
    for event in sorted(events, key=lambda e: (e.lamport, e.event == "received", e.at_s)):
        rows += _rows(event, policy.parties.index(event.party) + 1, *clocks.slice_of(event))
    trace = {"traceEvents": rows, "displayTimeUnit": "ms"}
    return msgspec.json.format(msgspec.json.encode(trace), indent=1).decode()


class _Clocks:
    """Where the last slice of every party ended, and when messages under way were sent."""

    def __init__(self) -> None:
        self._ends: dict[Party, float] = {}
        self._sent: dict[str, float] = {}

    def slice_of(self, event: Event) -> tuple[float, float]:
        """Return begin and end of an event's slice, after all that came before it."""
        before = self._ends.get(event.party, 0.0)
        sent = self._sent.get(_arrow(event), 0.0) if event.event == "received" else 0.0
        at = event.at_s * MICROSECONDS
        begin = max(before, at - event.compute_s * MICROSECONDS)
        end = max(at, begin + LEAST_SLICE, sent + LEAST_SLICE)
        self._ends[event.party] = end
        if event.event == "sent":
            self._sent[_arrow(event)] = end
        return begin, end


def _process(party: Party, index: int) -> Iterator[dict[str, Any]]:
    place = {"pid": index + 1, "tid": 1}
    name = party_name(party)
    yield {"ph": "M", "name": "process_name", **place, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", **place, "args": {"sort_index": index}}
    yield {"ph": "M", "name": "thread_name", **place, "args": {"name": "messages"}}


def _rows(event: Event, number: int, begin: float, end: float) -> Iterator[dict[str, Any]]:
    place = {"pid": number, "tid": 1}
    facts = {
        "session": event.session, "phase": event.phase, "step": event.step, "round": event.round,
        "form": event.form, "payload_bytes": event.payload_bytes, "wire_bytes": event.wire_bytes,
        "peer": event.peer,
    }  # fmt: skip
    # The slice ends at the event: what the party computed since the one before.
    yield {
        "ph": "X", "name": f"{event.event} {event.kind}", "cat": event.phase,
        "ts": round(begin, 3), "dur": round(end - begin, 3), "args": facts, **place,
    }  # fmt: skip
    start = event.event == "sent"
    arrow = {
        "ph": "s" if start else "f", "id": _arrow(event), "name": event.kind, "cat": "message",
        "ts": round(end - INSIDE, 3), **place,
    }  # fmt: skip
    yield arrow if start else {**arrow, "bp": "e"}


def _arrow(event: Event) -> str:
    return f"{event.sender}/{event.receiver}/{event.sequence}"
