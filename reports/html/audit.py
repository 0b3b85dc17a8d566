"""The audit of a run as tables: a matrix of checks and subjects, coalitions, every verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from protocol.flows import Policy
from protocol.parties import Party
from reports.audit.record import AuditRecord
from reports.audit.rules import Rules
from reports.audit.verdicts import ORDER, State, Verdict
from reports.wording import counted, listed, party_name

__all__ = ["AuditPart", "AuditView", "CheckRow", "CoalitionVerdict", "audit_view", "subject_name"]

WHOLE: Final = "run"
_RECORDED: Final = (
    "This run",
    "its journal, its recorded views and every file it left behind",
)
_PLAYED: Final = (
    "Its protocol, played again",
    "the same protocol and settings many times at small sizes, with secrets the audit chose",
)


class Tally(NamedTuple):
    """How many verdicts of one check on one kind of subject there are, and in which states."""

    total: int
    failed: int
    unjudged: int
    declared: int
    stated: int

    @classmethod
    def of(cls, found: Sequence[Verdict]) -> Tally:
        """Count some verdicts."""
        states = Counter(verdict.state for verdict in found)
        wanted: tuple[State, ...] = ("failed", "not judged", "breaks, as declared", "stated")
        return cls(len(found), *(states[state] for state in wanted))


class CheckRow(NamedTuple):
    """One check: a tally for the whole run, each party, and the coalitions."""

    check: str
    cells: tuple[Tally, ...]


class CoalitionVerdict(NamedTuple):
    """What was found for parties that pool their views."""

    members: str
    excluded: bool
    state: State
    detail: str


class AuditPart(NamedTuple):
    """The verdicts on one object: the recorded run, or its protocol played again."""

    title: str
    note: str
    rows: tuple[CheckRow, ...]
    coalitions: tuple[CoalitionVerdict, ...]
    verdicts: tuple[Verdict, ...]


class AuditView(NamedTuple):
    """An audit as the page shows it; `first` is the failure that was found first."""

    badge: Literal["good", "bad", "quiet"]
    sentence: str
    false_alarm: str
    when: str
    first: Verdict | None
    columns: tuple[str, ...]
    parts: tuple[AuditPart, ...]


def audit_view(record: AuditRecord | None, policy: Policy) -> AuditView | None:
    """Return an audit as tables; None if the run was not audited."""
    if record is None:
        return None
    failed = record.failed
    kinds = ((_RECORDED, record.recorded), (_PLAYED, record.played))
    return AuditView(
        badge=_badge(record),
        sentence=_sentence(Tally.of(record.verdicts)),
        false_alarm=_false_alarm(record),
        when=record.audited_utc,
        first=failed[0] if failed else None,
        columns=("Whole run", *(party_name(party) for party in policy.parties), "Coalitions"),
        parts=tuple(_part(*words, found, policy) for words, found in kinds if found),
    )


def subject_name(subject: str) -> str:
    """Return whom a verdict is on, in words."""
    if subject == WHOLE:
        return "whole run"
    return listed([party_name(party) for party in subject.split("+")])


def _badge(record: AuditRecord) -> Literal["good", "bad", "quiet"]:
    """Return the colour of an audit; one that judged only a part of a run is neither of both."""
    tally = Tally.of(record.verdicts)
    if tally.failed:
        return "bad"
    return "quiet" if tally.unjudged or not tally.total else "good"


def _sentence(tally: Tally) -> str:
    if not tally.total:
        return "nothing was judged"
    if tally.failed:
        return f"{tally.failed:,} of {tally.total:,} verdicts failed"
    if tally.unjudged:
        return f"nothing failed, {tally.unjudged:,} of {tally.total:,} not judged"
    if tally.declared:
        broken = "excluded coalitions break the protocol, as declared"
        return f"none of {tally.total:,} verdicts failed; {broken} ({tally.declared:,})"
    return f"all {tally.total:,} verdicts good"


def _false_alarm(record: AuditRecord) -> str:
    tests = sum(verdict.tests for verdict in record.verdicts)
    if not record.false_alarm:
        return "every check here is exact"
    return (
        f"at most {record.false_alarm:.1e} for the whole audit, over "
        f"{counted(tests, 'statistical test')}; the other checks are exact"
    )


def _part(title: str, note: str, found: Sequence[Verdict], policy: Policy) -> AuditPart:
    checks = dict.fromkeys(verdict.check for verdict in found)
    return AuditPart(
        title,
        note,
        tuple(CheckRow(check, _cells(check, found, policy.parties)) for check in checks),
        tuple(_coalitions(found, policy)),
        tuple(sorted(found, key=lambda verdict: ORDER.index(verdict.state))),
    )


def _cells(check: str, found: Sequence[Verdict], parties: Sequence[Party]) -> tuple[Tally, ...]:
    mine = [verdict for verdict in found if verdict.check == check]
    groups = [[v for v in mine if v.subject == subject] for subject in (WHOLE, *parties)]
    groups.append([v for v in mine if "+" in v.subject])
    return tuple(map(Tally.of, groups))


def _coalitions(found: Sequence[Verdict], policy: Policy) -> list[CoalitionVerdict]:
    rules = Rules(policy)
    return [
        CoalitionVerdict(
            subject_name(verdict.subject),
            rules.excluded(_members(verdict.subject, policy)),
            verdict.state,
            verdict.detail,
        )
        for verdict in found
        if "+" in verdict.subject
    ]


def _members(subject: str, policy: Policy) -> list[Party]:
    names = subject.split("+")
    return [party for party in policy.parties if party in names]
