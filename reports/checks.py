"""What must hold in every run, or the run has failed, however good its numbers look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import numpy as np

from protocol.errors import PolicyViolationError
from protocol.flows import Policy
from reports.answers import UNITS, answer_of
from reports.records import CostRow, Event, RunFiles
from reports.traffic import sequence_gaps, unpaired

__all__ = ["Check", "run_checks"]

SHOWN = 3


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check, with a sentence on what was compared or what differs."""

    name: str
    passed: bool
    detail: str


def run_checks(run: RunFiles) -> list[Check]:
    """Return all checks of a run."""
    return [check(run) for check in _CHECKS]


def _oracle_equal(run: RunFiles) -> Check:
    """Compare every decision, and every score where they are opened, with the oracle's."""
    arrays, answer = run.observations, answer_of(run.observations)
    wrong = int(np.count_nonzero(answer.secure != answer.oracle))
    detail = f"{answer.secure.size:,} {UNITS[answer.level]} "
    claims = answer.level == "verified"
    detail += (
        "(of one row each)" if claims else f"({run.probes:,} probes x {run.entries:,} entries)"
    )
    detail += f": {wrong:,} differ" if wrong else " equal"
    scores = [name for name in ("secure_scores", "oracle_scores") if name in arrays]
    if len(scores) == 1:
        return Check(name="oracle_equal", passed=False, detail=f"{detail}; only {scores[0]} kept")
    if scores:
        off = int(np.count_nonzero(arrays["secure_scores"] != arrays["oracle_scores"]))
        detail += f"; {arrays['secure_scores'].size:,} scores" + (
            f": {off:,} differ" if off else " equal"
        )
        wrong += off
    return Check(name="oracle_equal", passed=wrong == 0, detail=detail)


def _traffic_reconciled(run: RunFiles) -> Check:
    """Require that each message was journaled once by each end, and the same by both."""
    lost = unpaired(run.events)
    sent = sum(event.wire_bytes for event in run.sent())
    received = sum(event.wire_bytes for event in run.events if event.event == "received")
    count = sum(1 for _ in run.sent())
    good = f"{count:,} messages, {sent:,} bytes sent = {received:,} bytes received"
    return _verdict("traffic_reconciled", good, lost, counted=count, of="messages")


def _costs_equal_declared(run: RunFiles) -> Check:
    """Require that declared and sent messages agree, and that the table fits the journal."""
    costs = run.record.costs
    wrong = [_cost(row) for row in costs if not _row_holds(row)]
    wrong += _unlike_journal(costs, run.sent())
    declared = sum(row.declared_bytes for row in costs)
    good = f"{len(costs)} kinds of message, {declared:,} payload bytes as declared"
    return _verdict("costs_equal_declared", good, wrong, counted=len(costs), of="costs")


def _sequences_gapless(run: RunFiles) -> Check:
    """Require that both ends of every link saw the numbers 0, 1, 2, … once each."""
    gaps = sequence_gaps(run.events)
    links = len({(event.sender, event.receiver) for event in run.events})
    good = f"{links} links numbered without gaps at both ends"
    return _verdict("sequences_gapless", good, gaps, counted=links, of="messages")


def _nothing_undeclared(run: RunFiles) -> Check:
    """Require that the flow policy allows every event, in its form and step."""
    insecure = frozenset(run.record.protection.insecure)
    labels = {(e.kind, e.sender, e.receiver, e.phase, e.form, e.step): e for e in run.events}
    wrong = [
        text for event in labels.values() if (text := _undeclared(event, run.policy, insecure))
    ]
    good = f"{len(labels)} flows, all in the policy"
    return _verdict("nothing_undeclared", good, wrong, counted=len(labels), of="messages")


_CHECKS: Final[tuple[Callable[[RunFiles], Check], ...]] = (
    _oracle_equal,
    _traffic_reconciled,
    _costs_equal_declared,
    _sequences_gapless,
    _nothing_undeclared,
)


def _row_holds(row: CostRow) -> bool:
    same_bytes = row.declared_bytes == row.measured_bytes
    same_count = row.declared_messages == row.measured_messages
    return row.equal and same_bytes and same_count and row.sessions_differing == 0


def _cost(row: CostRow) -> str:
    return (
        f"{row.kind} from {row.sender} to {row.receiver} ({row.session}, round {row.round}): "
        f"declared {row.declared_bytes:,} bytes in {row.declared_messages} messages, "
        f"sent {row.measured_bytes:,} in {row.measured_messages}"
    )


def _unlike_journal(costs: Iterable[CostRow], sent: Iterable[Event]) -> list[str]:
    """Return the kinds whose measured cost is not what the journal adds up to."""
    balance: Counter[tuple[Any, ...]] = Counter()
    for event in sent:
        stage = event.session.partition("-")[0]
        label = (stage, event.kind, event.sender, event.receiver, event.round)
        balance[*label, "bytes"] += event.payload_bytes
        balance[*label, "messages"] += 1
    for row in costs:
        label = (row.session, row.kind, row.sender, row.receiver, row.round)
        balance[*label, "bytes"] -= row.measured_bytes
        balance[*label, "messages"] -= row.measured_messages
    off = dict.fromkeys(label[:-1] for label, difference in balance.items() if difference)
    return [
        f"{kind} from {sender} to {receiver} ({stage}, round {number}): costs and journal differ"
        for stage, kind, sender, receiver, number in off
    ]


def _undeclared(event: Event, policy: Policy, insecure: frozenset[str]) -> str:
    try:
        flow = policy.flow_for(event.kind, event.sender, event.receiver, event.phase, insecure)
    except PolicyViolationError as error:
        return str(error)
    if (flow.form, flow.step) == (event.form, event.step):
        return ""
    was, declared = f"{event.form} in step {event.step}", f"{flow.form} in step {flow.step}"
    return f"{event.kind} as {was}, declared as {declared}"


def _verdict(name: str, good: str, wrong: list[str], *, counted: int, of: str) -> Check:
    """Pass if nothing is wrong and there was something to check at all."""
    if wrong:
        more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        return Check(name=name, passed=False, detail="; ".join(wrong[:SHOWN]) + more)
    if not counted:
        return Check(name=name, passed=False, detail=f"there are no {of}")
    return Check(name=name, passed=True, detail=good)
