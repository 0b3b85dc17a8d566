"""Who learned what: the flow policy's promises beside what really travelled in a run.

Promises come from the protocol's policy alone, so that the report cannot drift from the policy that
the endpoints enforce; counts and bytes come from the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from protocol.flows import Flow, Form, Knowledge, Opening, Policy
from protocol.parties import PHASES, Party, Phase
from reports.records import Event
from reports.wording import party_name, party_names

__all__ = [
    "CoalitionRow",
    "MatrixCell",
    "MatrixRow",
    "OpeningRow",
    "PartyView",
    "Travelled",
    "coalitions",
    "matrix",
    "openings",
    "party_views",
    "undeclared",
]


class Travelled(NamedTuple):
    """What one party received of one kind from one sender in one phase.

    `carries` and `why` are the policy's words; they are empty for a flow it does not have.
    """

    kind: str
    sender: Party
    phase: Phase
    form: Form
    carries: str
    why: str
    needs_insecure: str | None
    messages: int
    payload_bytes: int


class MatrixRow(NamedTuple):
    """One kind of message in one phase, and what each party has to do with it.

    `cells` has one entry per party: `received` bytes, or None for one that did not receive it;
    `sent` tells whether it sent some.
    """

    kind: str
    phase: Phase
    form: Form
    cells: tuple[MatrixCell, ...]


class MatrixCell(NamedTuple):
    """Whether a party sent a kind of message, and how many payload bytes of it reached it."""

    sent: bool
    received_bytes: int | None


class PartyView(NamedTuple):
    """One party: what it learns by the policy, and everything that reached it."""

    party: Party
    name: str
    learns: tuple[Knowledge, ...]
    received: tuple[Travelled, ...]
    received_bytes: int


class OpeningRow(NamedTuple):
    """One kind of reconstruction: who sees the value, why that is safe, how often it happened."""

    value: str
    audience: str
    kinds: tuple[str, ...]
    reason: str
    messages: int
    payload_bytes: int
    needs_insecure: str | None

    @property
    def happened(self) -> bool:
        """Whether this run opened the value at all."""
        return self.messages > 0

    @property
    def insecure(self) -> bool:
        """Whether it happened and only an `insecure:` entry permits it."""
        return self.happened and self.needs_insecure is not None


class CoalitionRow(NamedTuple):
    """Parties that pool what they saw, and what that yields."""

    members: str
    yields: str
    excluded_by_trust_model: bool


def party_views(
    events: Iterable[Event],
    policy: Policy,
    answer: str = "match",
    *,
    mapped: bool = False,
    insecure: Collection[str] = (),
) -> list[PartyView]:
    """Return one view per party, in the order of the protocol's parties.

    Args:
        events: the journal.
        policy: the protocol's.
        answer: the level of the answer, which settles what the client learns of a probe.
        mapped: whether rows are mapped under identity-specific keys.
        insecure: the run's shortcuts; with `open_scores` the client learns scores, too.
    """
    received = [event for event in events if event.event == "received"]
    return [
        _view(
            party,
            [event for event in received if event.party == party],
            policy,
            tuple(
                known
                for known in policy.learns[party]
                if known.holds_for(answer, mapped=mapped, insecure=insecure)
            ),
        )
        for party in policy.parties
    ]


def matrix(events: Iterable[Event], policy: Policy) -> list[MatrixRow]:
    """Return what travelled, kind by kind in the policy's order, against the parties."""
    groups: dict[tuple[str, Phase, Form], list[Event]] = {}
    for event in events:
        groups.setdefault((event.kind, event.phase, event.form), []).append(event)
    order = [(flow.kind, flow.phase, flow.form) for flow in policy.flows]
    known = sorted(groups, key=lambda key: (PHASES.index(key[1]), _place(order, key), key))
    return [
        MatrixRow(*key, tuple(_matrix_cell(groups[key], party) for party in policy.parties))
        for key in known
    ]


def openings(events: Iterable[Event], policy: Policy) -> list[OpeningRow]:
    """Return the ledger of openings: every one the policy knows, with this run's counts."""
    sent = [event for event in events if event.event == "sent"]
    return [_opening(opening, sent) for opening in policy.openings]


def coalitions(policy: Policy) -> list[CoalitionRow]:
    """Return what colluding parties would learn, those within the trust model first."""
    ordered = sorted(policy.coalitions, key=lambda coalition: coalition.excluded_by_trust_model)
    return [
        CoalitionRow(party_names(c.members), c.yields, c.excluded_by_trust_model) for c in ordered
    ]


def undeclared(events: Iterable[Event], policy: Policy) -> list[str]:
    """Return one line per kind of message in the journal that the policy does not permit."""
    odd = {_label(e) for e in events} - {_flow_label(flow) for flow in policy.flows}
    return [
        f"{kind} from {party_name(sender)} to {party_name(receiver)} in {phase} ({form})"
        for kind, sender, receiver, phase, form in sorted(odd)
    ]


def _matrix_cell(events: Sequence[Event], party: Party) -> MatrixCell:
    received = [e.payload_bytes for e in events if e.party == party and e.event == "received"]
    sent = any(e.party == party and e.event == "sent" for e in events)
    return MatrixCell(sent, sum(received) if received else None)


def _view(
    party: Party, events: Sequence[Event], policy: Policy, learns: tuple[Knowledge, ...]
) -> PartyView:
    groups: dict[tuple[str, str, str, str, str], list[Event]] = {}
    for event in events:
        groups.setdefault(_label(event), []).append(event)
    travelled = [_travelled(group, policy) for group in groups.values()]
    order = [(flow.kind, flow.sender, flow.phase) for flow in policy.flows]
    rows = sorted(
        travelled,
        key=lambda row: (_place(order, (row.kind, row.sender, row.phase)), row.kind, row.sender),
    )
    total = sum(event.payload_bytes for event in events)
    return PartyView(party, party_name(party), learns, tuple(rows), total)


def _travelled(group: Sequence[Event], policy: Policy) -> Travelled:
    first = group[0]
    flow = next((flow for flow in policy.flows if _flow_label(flow) == _label(first)), None)
    return Travelled(
        kind=first.kind,
        sender=first.sender,
        phase=first.phase,
        form=first.form,
        carries=flow.carries if flow else "",
        why=flow.why if flow else "",
        needs_insecure=flow.needs_insecure if flow else None,
        messages=len(group),
        payload_bytes=sum(event.payload_bytes for event in group),
    )


def _opening(opening: Opening, sent: Sequence[Event]) -> OpeningRow:
    mine = [e for e in sent if e.kind in opening.kinds and e.receiver in opening.audience]
    return OpeningRow(
        value=opening.value,
        audience=party_names(opening.audience),
        kinds=opening.kinds,
        reason=opening.reason,
        messages=len(mine),
        payload_bytes=sum(event.payload_bytes for event in mine),
        needs_insecure=opening.needs_insecure,
    )


def _label(event: Event) -> tuple[str, str, str, str, str]:
    return (event.kind, event.sender, event.receiver, event.phase, event.form)


def _flow_label(flow: Flow) -> tuple[str, str, str, str, str]:
    return (flow.kind, flow.sender, flow.receiver, flow.phase, flow.form)


def _place(order: Sequence[object], label: object) -> int:
    return order.index(label) if label in order else len(order)
