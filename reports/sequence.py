"""Sequence diagrams of a run, from its journal: repeated sessions folded, one of each shown.

Sessions of a stage (`enrol`, `search`) that exchange the same messages are one `Fold`: its
typical session is shown in full, the others are counted. Messages are taken from the senders.
The drawing is `reports.sequence_svg`; the Mermaid text is made here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from protocol.flows import Flow, Policy
from protocol.parties import PARTIES, Phase
from reports.records import Event
from reports.wording import counted, party_name, size

__all__ = [
    "MESSAGES_SHOWN",
    "Fold",
    "cap",
    "flow_of",
    "fold_summary",
    "fold_title",
    "folds",
    "left_out_note",
    "mermaid",
    "phases_of",
]

MESSAGES_SHOWN: Final = 240
STAGES: Final = ("setup", "enrol", "update", "delete", "refresh", "material", "search")


class Fold(NamedTuple):
    """Sessions of one stage that exchange the same messages, sizes and order within a round aside.

    `messages` are the sent events of the typical `session`; `sessions` counts all of the fold,
    `same_size` those whose messages are also equally large; `total_*` span all sessions.
    """

    stage: str
    session: str
    messages: tuple[Event, ...]
    sessions: int
    same_size: int
    total_messages: int
    total_payload_bytes: int


def folds(events: Iterable[Event]) -> list[Fold]:
    """Fold a journal's sessions; totals over the folds equal the journal's sent messages."""
    sessions: dict[str, list[Event]] = {}
    for event in sorted((e for e in events if e.event == "sent"), key=_order):
        sessions.setdefault(event.session, []).append(event)
    groups: dict[tuple[object, ...], list[tuple[str, tuple[Event, ...]]]] = {}
    for name in sorted(sessions, key=_session_order):
        messages = _by_phase(sessions[name])
        shape = (_stage(name), *sorted(_words(event) for event in messages))
        groups.setdefault(shape, []).append((name, messages))
    return [_fold(group) for group in groups.values()]


def cap(found: Sequence[Fold], limit: int = MESSAGES_SHOWN) -> tuple[list[Fold], int]:
    """Cut folds to at most `limit` messages; return what is left and how many were cut."""
    kept: list[Fold] = []
    room = limit
    for fold in found:
        messages = fold.messages[:room]
        room -= len(messages)
        if messages:
            kept.append(fold._replace(messages=messages))
    return kept, sum(len(f.messages) for f in found) - (limit - room)


def left_out_note(missing: int) -> str:
    """Return the line that stands in for messages beyond the cap; empty if there are none."""
    return f"{counted(missing, 'further message')} not shown: see journal.jsonl" if missing else ""


def fold_title(fold: Fold) -> str:
    """Return the heading of a fold: `search × 63 sessions`."""
    times = f" × {fold.sessions:,} sessions" if fold.sessions > 1 else ""
    return f"{fold.stage}{times}"


def fold_summary(fold: Fold) -> str:
    """Return what a fold amounts to over all of its sessions."""
    total = f"{counted(fold.total_messages, 'message')}, {size(fold.total_payload_bytes)} payload"
    if fold.sessions == 1:
        return total
    other = fold.sessions - fold.same_size
    sizes = f"; {other:,} of other size" if other else ""
    return f"shown: {fold.session}; in all {total}{sizes}"


def flow_of(event: Event, policy: Policy) -> Flow | None:
    """Return the policy row of a message, None if the policy does not have it."""
    return policy.find(event.kind, event.sender, event.receiver, event.phase)


def phases_of(messages: Sequence[Event]) -> list[tuple[Phase, list[Event]]]:
    """Cut messages into runs of the same phase."""
    runs: list[tuple[Phase, list[Event]]] = []
    for event in messages:
        if not runs or runs[-1][0] != event.phase:
            runs.append((event.phase, []))
        runs[-1][1].append(event)
    return runs


def mermaid(events: Iterable[Event], policy: Policy, limit: int = MESSAGES_SHOWN) -> str:
    """Return the folded diagram as Mermaid text, one statement a line."""
    shown, missing = cap(folds(events), limit)
    ends = (policy.parties[0], policy.parties[-1])
    lines = ["sequenceDiagram"]
    lines += [f"  participant {party} as {party_name(party)}" for party in policy.parties]
    for fold in shown:
        lines += _mermaid_fold(fold, ends)
    if missing:
        lines.append(f"  Note over {ends[0]},{ends[1]}: {_plain(left_out_note(missing))}")
    return "\n".join(lines) + "\n"


def _mermaid_fold(fold: Fold, ends: tuple[str, str]) -> list[str]:
    lines = [f"  loop {_plain(fold_title(fold))} ({_plain(fold_summary(fold))})"]
    for phase, messages in phases_of(fold.messages):
        lines.append(f"    Note over {ends[0]},{ends[1]}: phase {phase}")
        lines += [f"    {_mermaid_message(event)}" for event in messages]
    return [*lines, "  end"]


def _mermaid_message(event: Event) -> str:
    arrow = "-->>" if event.form in {"output", "control"} else "->>"
    round_ = f"round {event.round}, " if event.round else ""
    text = f"{event.kind} ({round_}{event.form}, {size(event.payload_bytes)})"
    return f"{event.sender}{arrow}{event.receiver}: {_plain(text)}"


def _plain(text: str) -> str:
    """Return text without the signs that end or open a Mermaid statement."""
    return " ".join(text.replace(";", ",").replace("#", " ").replace("%%", " ").split())


def _fold(group: list[tuple[str, tuple[Event, ...]]]) -> Fold:
    sizes = Counter(_sizes(messages) for _, messages in group)
    usual, same_size = sizes.most_common(1)[0]
    name, typical = _median_session([one for one in group if _sizes(one[1]) == usual])
    return Fold(
        stage=_stage(name),
        session=name,
        messages=typical,
        sessions=len(group),
        same_size=same_size,
        total_messages=sum(len(messages) for _, messages in group),
        total_payload_bytes=sum(e.payload_bytes for _, messages in group for e in messages),
    )


def _median_session(
    group: list[tuple[str, tuple[Event, ...]]],
) -> tuple[str, tuple[Event, ...]]:
    """Return the session whose last phase took the median time: no warm-up, no outlier."""
    return sorted(group, key=lambda one: (_last_phase_s(one[1]), one[0]))[(len(group) - 1) // 2]


def _last_phase_s(messages: Sequence[Event]) -> float:
    slowest = [
        max(e.at_s for e in run) - min(e.at_s for e in run) for _, run in phases_of(messages)
    ]
    return max(slowest, default=0.0)


def _by_phase(messages: list[Event]) -> tuple[Event, ...]:
    """Order one session: phases as they begin, messages of a round in a fixed order."""
    begins: dict[str, int] = {}
    for event in messages:
        begins.setdefault(event.phase, event.lamport)
    return tuple(sorted(messages, key=lambda e: (begins[e.phase], e.phase, *_order(e))))


def _order(event: Event) -> tuple[int, int, int, int]:
    sender, receiver = PARTIES.index(event.sender), PARTIES.index(event.receiver)
    return (event.lamport, sender, receiver, event.sequence)


def _session_order(name: str) -> tuple[int, str]:
    stage = _stage(name)
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), name)


def _stage(session: str) -> str:
    return session.partition("-")[0]


def _words(event: Event) -> tuple[str, str, int, str, str, str]:
    return (event.phase, event.step, event.round, event.sender, event.receiver, event.kind)


def _sizes(messages: Sequence[Event]) -> tuple[object, ...]:
    return tuple(sorted((_words(event), event.payload_bytes) for event in messages))
