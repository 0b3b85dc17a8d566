"""Bytes and messages of a run, by party, link, phase and kind, reconciled from both ends.

Every message stands in the journal twice: as its sender saw it and as its receiver did.
Totals are taken from the senders; the receivers must account for exactly the same messages.
Sizes: payload is raw tensor and seed bytes, wire the whole frame, framing the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from protocol.parties import CLIENT, PARTIES, PHASES
from reports.records import Event

__all__ = ["grouped", "per_probe", "sequence_gaps", "totals", "traffic_summary", "unpaired"]

Row = dict[str, Any]
_Identity = tuple[str, str, int, str, str, str, str, int, int]
MISMATCHES_SHOWN = 5


def traffic_summary(events: Sequence[Event], probes: int, entries: int) -> Row:
    """Return every total of a run's traffic, ready for `summary.json`.

    Args:
        events: the journal.
        probes: P, what per-probe sizes divide by; they are None when it is 0.
        entries: N, what per-entry sizes divide by.
    """
    sent = [event for event in events if event.event == "sent"]
    lost = unpaired(events)
    return {
        "total": totals(sent),
        "per_party": _per_party(events),
        "per_link": grouped(sent, ("sender", "receiver")),
        "per_phase": sorted(grouped(sent, ("phase",)), key=lambda row: PHASES.index(row["phase"])),
        "per_kind": grouped(sent, ("phase", "kind", "form", "sender", "receiver")),
        "reconciled": not lost,
        "unpaired": lost[:MISMATCHES_SHOWN],
        "unpaired_count": len(lost),
        "per_probe_bytes": per_probe(sent, probes),
        "per_entry_bytes": _per_entry(sent, entries),
    }


def totals(events: Iterable[Event]) -> Row:
    """Return messages, payload, wire and framing bytes; framing also as a share of the wire."""
    messages = payload = wire = 0
    for event in events:
        messages += 1
        payload += event.payload_bytes
        wire += event.wire_bytes
    framing = wire - payload
    return {
        "messages": messages,
        "payload_bytes": payload,
        "wire_bytes": wire,
        "framing_bytes": framing,
        "framing_share": framing / wire if wire else None,
    }


def grouped(events: Iterable[Event], fields: Sequence[str]) -> list[Row]:
    """Return one row of totals per combination of fields, in order of first appearance."""
    groups: dict[tuple[str, ...], list[Event]] = {}
    for event in events:
        groups.setdefault(tuple(getattr(event, name) for name in fields), []).append(event)
    return [
        {**dict(zip(fields, label, strict=True)), **totals(group)}
        for label, group in groups.items()
    ]


def unpaired(events: Iterable[Event]) -> list[str]:
    """Return one line per message that only one end journaled, or that the ends saw differently.

    An event pairs with its twin by link, number, session, phase, kind, digest and both sizes.
    """
    ends: dict[str, Counter[_Identity]] = {"sent": Counter(), "received": Counter()}
    found = []
    for event in events:
        identity = _identity(event)
        ends[event.event][identity] += 1
        if not _filed_rightly(event):
            found.append(_describe(identity, f"{event.event}, journaled by {event.party}"))
    sent, received = ends["sent"], ends["received"]
    found += [_describe(label, "sent, not received as such") for label in sent - received]
    found += [_describe(label, "received, not sent as such") for label in received - sent]
    return found


def sequence_gaps(events: Iterable[Event]) -> list[str]:
    """Return the links whose numbers are not exactly 0, 1, 2, … at either end."""
    numbers: dict[tuple[str, str, str], list[int]] = {}
    for event in events:
        link = (event.sender, event.receiver, event.event)
        numbers.setdefault(link, []).append(event.sequence)
    return [
        f"{sender} -> {receiver} ({end})"
        for (sender, receiver, end), seen in sorted(numbers.items())
        if sorted(seen) != list(range(len(seen)))
    ]


def per_probe(sent: Sequence[Event], probes: int) -> Row:
    """Return wire bytes per probe: by phase, by kind, and what the client uploads.

    Offline is what can be sent before the probe exists, online what it waits for; evaluation
    is extra traffic that only measures and would not exist in operation.
    """
    searching = [e for e in sent if e.phase in {"offline", "online", "evaluation"}]
    return {
        "probes": probes,
        "offline": _share([e for e in searching if e.phase == "offline"], probes),
        "online": _share([e for e in searching if e.phase == "online"], probes),
        "evaluation": _share([e for e in searching if e.phase == "evaluation"], probes),
        "upload": _share([e for e in searching if e.sender == CLIENT], probes),
        "between_servers": _share([e for e in searching if _online_between(e)], probes),
        "kinds": _kinds(searching, probes),
    }


def _online_between(event: Event) -> bool:
    return event.phase == "online" and CLIENT not in {event.sender, event.receiver}


def _per_entry(sent: Sequence[Event], entries: int) -> Row:
    enrolling = [event for event in sent if event.session.startswith("enrol-")]
    return {
        "entries": entries,
        "enrol": _share(enrolling, entries),
        "kinds": _kinds(enrolling, entries),
    }


def _kinds(events: Sequence[Event], count: int) -> list[Row]:
    rows = grouped(events, ("phase", "kind"))
    for row in rows:
        row["bytes"] = row["wire_bytes"] / count if count else None
    return rows


def _share(events: Iterable[Event], count: int) -> float | None:
    return sum(event.wire_bytes for event in events) / count if count else None


def _per_party(events: Sequence[Event]) -> list[Row]:
    present = {event.party for event in events}
    return [
        {
            "party": party,
            "sent": totals(e for e in events if e.party == party and e.event == "sent"),
            "received": totals(e for e in events if e.party == party and e.event == "received"),
        }
        for party in PARTIES
        if party in present
    ]


def _identity(event: Event) -> _Identity:
    return (
        event.sender, event.receiver, event.sequence, event.session, event.phase, event.kind,
        event.digest, event.payload_bytes, event.wire_bytes,
    )  # fmt: skip


def _filed_rightly(event: Event) -> bool:
    ends = (event.sender, event.receiver)
    return (event.party, event.peer) == (ends if event.event == "sent" else ends[::-1])


def _describe(identity: _Identity, what: str) -> str:
    sender, receiver, sequence, session, _, kind = identity[:6]
    return f"{kind} number {sequence} from {sender} to {receiver} in {session}: {what}"
