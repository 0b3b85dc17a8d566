"""A run as a Chrome trace, for Perfetto (ui.perfetto.dev) or chrome://tracing.

Trace Event Format: one process per party, a slice for the computing before each event, an instant
at it, and a flow arrow from every sent message to its receipt. Times are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from protocol.flows import Policy
from reports.records import Event
from reports.wording import party_name

__all__ = ["chrome_trace"]

MICROSECONDS: Final = 1e6


def chrome_trace(events: Sequence[Event], policy: Policy) -> str:
    """Return the trace as JSON."""
    numbers = {party: index for index, party in enumerate(policy.parties, start=1)}
    rows = [_named(number, party_name(party)) for party, number in numbers.items()]
    for event in sorted(events, key=lambda e: e.at_s):
        rows += _rows(event, numbers[event.party])
    trace = {"traceEvents": rows, "displayTimeUnit": "ms"}
    return msgspec.json.format(msgspec.json.encode(trace), indent=1).decode()


def _named(number: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": "process_name", "pid": number, "tid": 1, "args": {"name": name}}


def _rows(event: Event, number: int) -> Iterator[dict[str, Any]]:
    at = event.at_s * MICROSECONDS
    busy = event.compute_s * MICROSECONDS
    place = {"pid": number, "tid": 1}
    name = f"{event.event} {event.kind}"
    facts = {
        "session": event.session, "phase": event.phase, "step": event.step, "round": event.round,
        "form": event.form, "payload_bytes": event.payload_bytes, "wire_bytes": event.wire_bytes,
        "peer": event.peer,
    }  # fmt: skip
    # The slice ends at the event: what the party computed since the one before.
    yield {
        "ph": "X", "name": name, "cat": event.phase, "ts": max(0.0, at - busy), "dur": busy,
        "args": facts, **place,
    }  # fmt: skip
    start = event.event == "sent"
    arrow = {
        "ph": "s" if start else "f", "id": f"{event.sender}/{event.receiver}/{event.sequence}",
        "name": event.kind, "cat": "message", "ts": at, **place,
    }  # fmt: skip
    yield arrow if start else {**arrow, "bp": "e"}
