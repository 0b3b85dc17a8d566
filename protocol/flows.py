"""The flow policy: who may send what to whom, in which phase and form, and why.

Every search protocol has one `Policy`, a table of data. Endpoints refuse what is not in it, and
the report's diagrams and "who learns what" table are derived from it. Rows that all protocols
share, how pictures become embeddings and rows, are here; a protocol's own rows are in the
`policy.py` of its package.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from protocol.errors import LocalProtocolError, PolicyViolationError
from protocol.parties import Party, Phase

__all__ = [
    "ANSWER_KNOWLEDGE",
    "FEATURE_FLOWS",
    "Answer",
    "Coalition",
    "Elements",
    "Fact",
    "Flow",
    "Form",
    "Knowledge",
    "MaterialSize",
    "Opening",
    "Policy",
    "policy_named",
    "policy_names",
    "register_policy",
]

Form = Literal["plain", "protected", "share", "masked", "output", "control"]
WORD_BYTES: Final = 8
Answer = Literal["match", "any", "count", "identity", "verified"]
Fact = Literal["rows", "probes", "scores", "decisions", "estimates"]
"""What values in the clear can amount to; an estimate is of decisions, better than guessing."""


class Elements(NamedTuple):
    """How the 64-bit words of a message hold values; needed where their type does not tell.

    Shares of a value are put together by `combine`. A value of one bit is the lowest of its word.
    """

    combine: Literal["sum", "xor"]
    bits: Literal[1, 64] = 64


class Flow(NamedTuple):
    """One permitted message: kind, ends, place in the run, form, content and reason.

    Without `elements`, bytes and 64-bit words are packed bits, and other unsigned integers are
    ring elements, as are words in a policy whose ring has 64 bits.
    """

    kind: str
    sender: Party
    receiver: Party
    phase: Phase
    step: str
    form: Form
    carries: str
    why: str
    needs_insecure: str | None = None
    elements: Elements | None = None


class Opening(NamedTuple):
    """A value that is reconstructed during the protocol, for whom and why that is safe."""

    value: str
    audience: tuple[Party, ...]
    kinds: tuple[str, ...]
    reason: str
    needs_insecure: str | None = None


class Knowledge(NamedTuple):
    """Something a party learns, and how; under some circumstances only, if any are named.

    Attributes:
        what: in words.
        how: in words.
        answers: levels of the client's answer at which it holds; empty for all.
        reveals: what the audit may derive from values this party sees, holds or computes in the
            clear. Whatever it derives beyond all of a party's entries fails.
        rows: whether it holds for rows under identity-specific keys, for others, or for any.
        needs_insecure: the shortcut without which it does not hold.
    """

    what: str
    how: str
    answers: tuple[Answer, ...] = ()
    reveals: tuple[Fact, ...] = ()
    rows: Literal["any", "unmapped", "mapped"] = "any"
    needs_insecure: str | None = None

    def holds_for(
        self, answer: str, *, mapped: bool = False, insecure: Collection[str] = ()
    ) -> bool:
        """Return whether it is learned in a run.

        Args:
            answer: the level of the client's answer.
            mapped: whether rows are mapped under identity-specific keys.
            insecure: the run's shortcuts.
        """
        other_rows = "unmapped" if mapped else "mapped"
        permitted = self.needs_insecure is None or self.needs_insecure in insecure
        return permitted and self.rows != other_rows and answer in (self.answers or (answer,))


class Coalition(NamedTuple):
    """Parties that pool their views, and what that yields."""

    members: tuple[Party, ...]
    yields: str
    excluded_by_trust_model: bool


class MaterialSize(NamedTuple):
    """Bytes each server needs for one search: per pair of probe and row, per gallery element."""

    pair_bytes: int = 32
    element_bytes: int = 0


class Policy(NamedTuple):
    """Everything a reviewer needs to know of one search protocol, and all its endpoints allow.

    Attributes:
        name: the protocol's name in a scenario.
        title: what it is, in one line.
        trust_model: under which assumption which party learns no more than its row says.
        parties: who takes part, in the order of diagrams.
        flows: every permitted message.
        openings: every value that is reconstructed.
        learns: what each party learns.
        coalitions: what parties that pool their views would learn.
        shortcuts: `insecure:` entries a scenario must have to use the protocol at all.
        held: ring elements each party keeps per element of the gallery.
        ring_bits: the ring it computes in; None for that of the scenario.
        material: memory of a search at each of these parties.
        top_k: most rows per probe that it can name; None for any number.
        libraries: packages it needs beside our own.
    """

    name: str
    title: str
    trust_model: str
    parties: tuple[Party, ...]
    flows: tuple[Flow, ...]
    openings: tuple[Opening, ...]
    learns: dict[Party, tuple[Knowledge, ...]]
    coalitions: tuple[Coalition, ...]
    shortcuts: tuple[str, ...] = ()
    held: tuple[tuple[Party, int], ...] = ()
    ring_bits: int | None = None
    material: MaterialSize = MaterialSize()
    top_k: int | None = None
    libraries: tuple[str, ...] = ()

    def find(self, kind: str, sender: Party, receiver: Party, phase: Phase) -> Flow | None:
        """Return the row of a message; None if the policy has none."""
        label = (kind, sender, receiver, phase)
        return next((flow for flow in self.flows if flow[:4] == label), None)

    def adds(self, flow: Flow | None, itemsize: int) -> bool:
        """Say whether elements of this many bytes are ring elements; others are packed bits."""
        if itemsize == WORD_BYTES and flow is not None and flow.elements is not None:
            return flow.elements.combine == "sum"
        return itemsize in {2, 4} or (itemsize == WORD_BYTES and self.ring_bits == 8 * WORD_BYTES)

    def flow_for(
        self, kind: str, sender: Party, receiver: Party, phase: Phase, insecure: frozenset[str]
    ) -> Flow:
        """Return the row that permits a message.

        Raises:
            PolicyViolationError: the flow is not declared, or needs an `insecure:` entry that the
                scenario does not have.
        """
        flow = self.find(kind, sender, receiver, phase)
        where = f"{sender} -> {receiver}"
        if flow is None:
            text = f"{kind} in phase {phase} is not in the flow policy of protocol {self.name}"
            raise PolicyViolationError(text, where=where, hint="`bauta policy` prints it")
        if flow.needs_insecure is not None and flow.needs_insecure not in insecure:
            text = f"{kind} needs `{flow.needs_insecure}` in the scenario's insecure list"
            raise PolicyViolationError(text, where=where)
        return flow


_POLICIES: Final[dict[str, Policy]] = {}


def register_policy(policy: Policy) -> Policy:
    """Make a policy known under its name, and return it.

    Raises:
        LocalProtocolError: another policy has this name.
    """
    if _POLICIES.setdefault(policy.name, policy) != policy:
        raise LocalProtocolError(f"there already is another protocol {policy.name}")
    return policy


def policy_named(name: str) -> Policy:
    """Return the policy of a protocol.

    Raises:
        LocalProtocolError: no such protocol was registered.
    """
    if name not in _POLICIES:
        known = ", ".join(sorted(_POLICIES)) or "none"
        raise LocalProtocolError(f"there is no protocol {name}", hint=f"known: {known}")
    return _POLICIES[name]


def policy_names() -> tuple[str, ...]:
    """Return the names of all registered protocols."""
    return tuple(_POLICIES)


FEATURE_FLOWS: Final[tuple[Flow, ...]] = (
    Flow(
        "ProtectedFeatures", "client", "model_provider", "enrol", "features", "protected",
        "hybrid frequency-colour features of enrolment pictures",
        "the provider computes the embedding; the picture stays with the client",
    ),
    Flow(
        "Embeddings", "model_provider", "client", "enrol", "embedding", "plain",
        "the embeddings of the client's own pictures",
        "the client builds its gallery row under its own key",
    ),
    Flow(
        "ProtectedFeatures", "client", "model_provider", "online", "features", "protected",
        "hybrid frequency-colour features of probe pictures",
        "the provider computes the embedding; the picture stays with the client",
    ),
)  # fmt: skip

ANSWER_KNOWLEDGE: Final[tuple[Knowledge, ...]] = (
    Knowledge("which rows match its probes", "combines all shares of the match bits", ("match",)),
    Knowledge("the number of enrolled rows", "length of the match bitmap", ("match",)),
    Knowledge(
        "whether some row matches a probe",
        "combines all shares of one bit per probe, which tells neither which nor how many",
        ("any",),
    ),
    Knowledge(
        "how many rows match a probe",
        "combines all shares of one number per probe, which does not tell which", ("count",),
    ),
    Knowledge(
        "the numbers of the best matching rows, in order",
        "combines all shares of the row numbers, which come without scores", ("identity",),
    ),
    Knowledge(
        "whether the row a probe claims matches",
        "combines all shares of one bit per probe, which tells nothing of any other row",
        ("verified",),
    ),
    Knowledge(
        "every score: how well each row it asked about matches, beside the answer",
        "shares of all scores are sent to it, to measure accuracy; a row follows from enough of "
        "them", reveals=("scores", "decisions"), needs_insecure="open_scores",
    ),
)  # fmt: skip
"""What the client learns of a probe, at each level of the answer; equal in all protocols."""
