"""What one party saw in a run: the object that definitions of privacy speak of.

A view is everything that reached a party or that it drew itself: messages, randomness, expanded
seeds, private inputs and outputs. Whatever a coalition learns is a function of its members' views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, get_args

import msgspec
import numpy.typing as npt

from protocol.parties import Party, Phase
from protocol.plan import RunPlan, Step

__all__ = [
    "TABLES",
    "Array",
    "Expansion",
    "Input",
    "Kept",
    "Public",
    "Seen",
    "Table",
    "Trial",
    "View",
    "view_from",
]

Array: TypeAlias = npt.NDArray[Any]
Table = Literal["messages", "draws", "expansions", "inputs", "outputs"]
TABLES: Final[tuple[Table, ...]] = get_args(Table)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One message as one of its two ends saw it, in the order of that party's journal.

    `arrays` holds the tensors by field, `numbers` the other fields; sizes are in bytes.
    """

    event: Literal["sent", "received"]
    session: str
    phase: Phase
    round: int
    sender: Party
    receiver: Party
    kind: str
    arrays: Mapping[str, Array]
    numbers: dict[str, int]
    sequence: int = 0
    lamport: int = 0
    payload_bytes: int = 0
    wire_bytes: int = 0


class Expansion(NamedTuple):
    """A seed expanded under a label; `seed` is a digest that tells seeds apart."""

    label: str
    seed: str
    array: Array


class Input(NamedTuple):
    """Private input a party loaded, in the order of loading."""

    name: str
    array: Array


class View(NamedTuple):
    """Everything one party saw; `outputs` is what it holds at the end."""

    party: Party
    messages: list[Seen]
    draws: list[Array]
    expansions: list[Expansion]
    inputs: list[Input]
    outputs: dict[str, Array]


class Public(NamedTuple):
    """What everybody knows of a run before its first message.

    Attributes:
        steps: every session, in order.
        threshold: score at or above which two faces match, in ring units.
        scale: norm of quantised rows and probes.
        answer: level of the client's answer.
        mapping: kind of the identity-specific mapping; `none` for unmapped rows.
    """

    steps: tuple[Step, ...]
    threshold: int
    scale: int
    answer: str = "match"
    mapping: str = "none"

    @classmethod
    def of(cls, plan: RunPlan, mapping: str) -> Public:
        """Return what a plan makes public."""
        answer = "match" if plan.output == "bitmap" else plan.output
        level = "verified" if plan.task == "verify" else answer
        return cls(plan.steps, plan.threshold, plan.scale, level, mapping)


class Trial(NamedTuple):
    """One run as an auditor sees it: all views, the secrets, and texts the run left behind.

    Args:
        run: run identifier.
        views: the view of every party.
        secrets: `rows` [N,D], `probes` [P,D], `scores` [P,N] (ring elements), `decisions` [P,N].
        batches: per search session, the first probe and the number of probes.
        enrolled: per enrolment session, the first row and the number of rows.
        texts: logs, errors and other texts by name.
        failure: class and public text of the error that ended the run; empty if it ended well.
        costs_differ: one line per kind of message whose cost is not the declared one.
        public: what everybody knows; None where it was not kept.
    """

    run: str
    views: Mapping[Party, View]
    secrets: Mapping[str, Array]
    batches: Mapping[str, tuple[int, int]]
    enrolled: Mapping[str, tuple[int, int]]
    texts: Mapping[str, bytes]
    failure: str = ""
    costs_differ: tuple[str, ...] = ()
    public: Public | None = None


class Kept(NamedTuple):
    """One record of a recording: plain facts, and arrays by name."""

    facts: dict[str, Any]
    arrays: Mapping[str, Array]


class _Journaled(Protocol):
    """What a journal event adds to a message that was recorded beside it."""

    @property
    def sequence(self) -> int: ...
    @property
    def lamport(self) -> int: ...
    @property
    def payload_bytes(self) -> int: ...
    @property
    def wire_bytes(self) -> int: ...


def view_from(
    party: Party, tables: Mapping[Table, Sequence[Kept]], events: Sequence[_Journaled]
) -> View:
    """Put a recording and the same party's journal events together.

    Args:
        party: whose they are.
        tables: the recording; a table that is missing is empty.
        events: the party's events, in its own order.
    """
    messages = tables.get("messages", ())
    return View(
        party,
        [_seen(kept, event) for kept, event in zip(messages, events, strict=False)],
        [kept.arrays["bytes"] for kept in tables.get("draws", ())],
        [
            Expansion(kept.facts["label"], kept.facts["seed"], kept.arrays["array"])
            for kept in tables.get("expansions", ())
        ],
        [Input(kept.facts["name"], kept.arrays["array"]) for kept in tables.get("inputs", ())],
        {kept.facts["name"]: kept.arrays["array"] for kept in tables.get("outputs", ())},
    )


def _seen(kept: Kept, event: _Journaled) -> Seen:
    return Seen(
        **kept.facts,
        arrays=kept.arrays,
        sequence=event.sequence,
        lamport=event.lamport,
        payload_bytes=event.payload_bytes,
        wire_bytes=event.wire_bytes,
    )
