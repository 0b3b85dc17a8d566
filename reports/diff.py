"""What changed between two runs: flows, forms, rounds, bytes, openings.

Sizes are compared per session, so that runs of the same scenario agree whatever their masks were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from protocol.flows import Policy
from protocol.search.policies import policy_named
from reports.disclosure import openings
from reports.protocols import protocol_of
from reports.records import Event, read_events

__all__ = ["Change", "compare", "opened_run", "regressions"]

Kind = Literal["flow", "label", "messages", "rounds", "bytes", "opening", "protocol"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: what it is of, how it was and how it is; `worse` fails a gate.

    Worse are a new flow, a new form or step, a new opening, and more messages, rounds or bytes.
    """

    kind: Kind
    what: str
    before: str
    after: str
    worse: bool


class Run(NamedTuple):
    """What is compared of a run."""

    events: list[Event]
    policy: Policy


class _Flow(NamedTuple):
    kind: str
    sender: str
    receiver: str
    phase: str

    def __str__(self) -> str:
        return f"{self.kind} from {self.sender} to {self.receiver} in {self.phase}"


def opened_run(run_dir: Path) -> Run:
    """Read journal and protocol of a run, finished, aborted or golden.

    Raises:
        DataError: the journal or the scenario is missing or malformed.
    """
    return Run(read_events(run_dir), policy_named(protocol_of(run_dir)))


def compare(before: Run, after: Run) -> list[Change]:
    """Return every difference, the flows' first."""
    found = list(_protocols(before, after))
    one, two = _flows(before.events), _flows(after.events)
    for flow in sorted({*one, *two}):
        found += _of_flow(flow, one.get(flow, []), two.get(flow, []))
    return [*found, *_openings(before, after)]


def regressions(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that fail a gate."""
    return [change for change in changes if change.worse]


def _protocols(before: Run, after: Run) -> Iterator[Change]:
    names = before.policy.name, after.policy.name
    if names[0] != names[1]:
        yield _change("protocol", "search protocol", names[0], names[1], worse=False)


def _flows(events: Sequence[Event]) -> dict[_Flow, list[Event]]:
    flows: dict[_Flow, list[Event]] = {}
    for event in events:
        if event.event == "sent":
            label = _Flow(event.kind, event.sender, event.receiver, event.phase)
            flows.setdefault(label, []).append(event)
    return flows


def _of_flow(flow: _Flow, before: Sequence[Event], after: Sequence[Event]) -> Iterator[Change]:
    what = str(flow)
    if not before or not after:
        ends = ("absent", "sent") if after else ("sent", "absent")
        yield _change("flow", what, *ends, worse=bool(after))
        return
    labels = [sorted({f"{e.form} in step {e.step}" for e in events}) for events in (before, after)]
    if labels[0] != labels[1]:
        yield _change("label", what, ", ".join(labels[0]), ", ".join(labels[1]), worse=True)
    yield from _grown("messages", what, len(before), len(after))
    yield from _grown("rounds", what, *(max(e.round for e in run) for run in (before, after)))
    for name in ("payload_bytes", "wire_bytes"):
        sums = [sum(getattr(event, name) for event in run) for run in (before, after)]
        yield from _grown("bytes", f"{what}, {name.replace('_bytes', '')}", *sums)


def _openings(before: Run, after: Run) -> Iterator[Change]:
    one, two = (
        {row.value: row for row in openings(run.events, run.policy) if row.happened}
        for run in (before, after)
    )
    for value in sorted({*one, *two}):
        old, new = one.get(value), two.get(value)
        was = f"to {old.audience}" if old else "not opened"
        now = f"to {new.audience}" if new else "not opened"
        if was != now:
            yield _change("opening", value, was, now, worse=new is not None)


def _grown(kind: Kind, what: str, before: int, after: int) -> Iterator[Change]:
    if before != after:
        yield _change(kind, what, f"{before:,}", f"{after:,}", worse=after > before)


def _change(kind: Kind, what: str, before: str, after: str, *, worse: bool) -> Change:
    return Change(kind=kind, what=what, before=before, after=after, worse=worse)
