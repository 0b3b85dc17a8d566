"""The seven privacy threats of LINDDUN against every flow of a policy.

The table says where a threat stands, not how likely it is; it follows from form, ends and phase
alone, so that a new flow gets its row without anybody's care. Types: linddun.org.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from protocol.flows import Flow, Policy
from reports.wording import party_name

__all__ = ["THREATS", "Note", "ThreatRow", "ThreatTable", "linddun_markdown", "threats_of"]

THREATS: Final = (
    "linking", "identifying", "non-repudiation", "detecting", "data disclosure",
    "unawareness", "non-compliance",
)  # fmt: skip
_CODES: Final = dict(zip(THREATS, ("L", "I", "R", "D", "DD", "U", "N"), strict=True))


class Note(NamedTuple):
    """What a code in a cell of the table means."""

    code: str
    threat: str
    text: str


class ThreatRow(NamedTuple):
    """One flow and, per threat, the code of its note; empty where the threat does not apply."""

    flow: Flow
    codes: tuple[str, ...]


class ThreatTable(NamedTuple):
    """Flows against threats, with each different text once as a note."""

    rows: tuple[ThreatRow, ...]
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, policy: Policy) -> ThreatTable:
        """Return the table of a policy; notes are numbered by threat, in the order of flows."""
        codes: dict[tuple[str, str], str] = {}
        rows = []
        for flow in policy.flows:
            found = threats_of(flow)
            for threat, text in found.items():
                number = 1 + sum(known == threat for known, _ in codes)
                codes.setdefault((threat, text), f"{_CODES[threat]}{number}")
            cells = tuple(codes.get((name, found.get(name, "")), "") for name in THREATS)
            rows.append(ThreatRow(flow, cells))
        notes = [Note(code, threat, text) for (threat, text), code in codes.items()]
        return cls(tuple(rows), tuple(sorted(notes, key=_note_order)))


def threats_of(flow: Flow) -> dict[str, str]:
    """Return what each type of threat amounts to in a flow; a type that does not apply is absent.

    Whoever takes part sees sizes and times of what it takes part in, and no message is signed. A
    form that can be read discloses to its receiver.
    """
    found = {"detecting": "the receiver sees that, when and how much was asked"}
    if flow.sender == "client" or flow.receiver == "client":
        found["linking"] = "messages of one client share its channel"
    if flow.form in {"plain", "protected"}:
        found["linking"] = "two pictures of one person give near values"
        found["identifying"] = "the receiver can compare with faces it knows"
        found["data disclosure"] = f"to {party_name(flow.receiver)}: {flow.carries}"
        found["unawareness"] = "the person pictured is no party and is not asked"
        found["non-compliance"] = "biometric data: needs a legal basis"
    if flow.form == "output" and flow.receiver == "client":
        found["identifying"] = "the answer may name who a picture shows"
        found["data disclosure"] = "to the client: its answer, and by many answers the rows behind"
    if flow.form in {"share", "masked"}:
        found["data disclosure"] = "only with a coalition that the trust model excludes"
    return found


def linddun_markdown(policy: Policy) -> str:
    """Return the table of flows against threats."""
    head = f"| flow | {' | '.join(THREATS)} |"
    rule = f"|{' --- |' * (len(THREATS) + 1)}"
    return "\n".join([head, rule, *_rows(policy)]) + "\n"


def _rows(policy: Policy) -> Iterator[str]:
    for flow in policy.flows:
        found = threats_of(flow)
        ends = f"{party_name(flow.sender)} to {party_name(flow.receiver)}"
        cells = [f"`{flow.kind}`, {ends}, {flow.phase}, {flow.form}"]
        cells += [found.get(threat, "–") for threat in THREATS]
        yield f"| {' | '.join(cells)} |"


def _note_order(note: Note) -> tuple[int, int]:
    code = _CODES[note.threat]
    return (THREATS.index(note.threat), int(note.code.removeprefix(code)))
