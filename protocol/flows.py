"""The flow policy: who may send what to whom, in which phase and form, and why.

This table is the policy. Endpoints refuse what is not in it, and the report's diagrams and
"who learns what" table are derived from it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from protocol.errors import PolicyViolationError
from protocol.parties import Party, Phase

__all__ = [
    "COALITIONS",
    "FLOWS",
    "LEARNS",
    "OPENINGS",
    "TRUST_MODEL",
    "Coalition",
    "Flow",
    "Form",
    "Knowledge",
    "Opening",
    "flow_for",
]

Form = Literal["plain", "protected", "share", "masked", "output", "control"]


class Flow(NamedTuple):
    """One permitted message: kind, ends, place in the run, form, content and reason."""

    kind: str
    sender: Party
    receiver: Party
    phase: Phase
    step: str
    form: Form
    carries: str
    why: str
    needs_insecure: str | None = None


class Opening(NamedTuple):
    """A value that is reconstructed during the protocol, for whom and why that is safe."""

    value: str
    audience: tuple[Party, ...]
    kinds: tuple[str, ...]
    reason: str
    needs_insecure: str | None = None


class Knowledge(NamedTuple):
    """Something a party learns, and how."""

    what: str
    how: str


class Coalition(NamedTuple):
    """Parties that pool their views, and what that yields."""

    members: tuple[Party, ...]
    yields: str
    excluded_by_trust_model: bool


FLOWS: Final[tuple[Flow, ...]] = (
    Flow(
        "SeedGrant", "dealer", "model_provider", "setup", "seeds", "share",
        "32-byte seed of server 0's correlations", "compresses server 0's material to one seed",
    ),
    Flow(
        "SeedGrant", "dealer", "gallery_holder", "setup", "seeds", "share",
        "32-byte seed of server 1's correlations", "compresses server 1's material to one seed",
    ),
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
        "GallerySeed", "client", "model_provider", "enrol", "sharing", "share",
        "seed of share 0 of the new rows", "one of two shares; uniform on its own",
    ),
    Flow(
        "GalleryShares", "client", "gallery_holder", "enrol", "sharing", "share",
        "share 1 of the new rows", "one of two shares; uniform on its own",
    ),
    Flow(
        "MaskedGallery", "gallery_holder", "model_provider", "enrol", "gallery-opening", "masked",
        "share 1 of D = G - A", "lets server 0 fold the dealer's mask into its share, once per row",
    ),
    Flow(
        "MaterialRequest", "model_provider", "dealer", "offline", "material", "control",
        "number of probes and rows", "asks for single-use material of the right size",
    ),
    Flow(
        "QueryCorrections", "dealer", "gallery_holder", "offline", "material", "share",
        "product shares c1 and share 1 of the comparison planes",
        "what cannot be expanded from server 1's seed",
    ),
    Flow(
        "SearchReady", "model_provider", "client", "offline", "material", "control",
        "nothing", "the client starts a query only when both servers hold its material",
    ),
    Flow(
        "SearchReady", "gallery_holder", "client", "offline", "material", "control",
        "nothing", "the client starts a query only when both servers hold its material",
    ),
    Flow(
        "ProtectedFeatures", "client", "model_provider", "online", "features", "protected",
        "hybrid frequency-colour features of probe pictures",
        "the provider computes the embedding; the picture stays with the client",
    ),
    Flow(
        "MaskedProbes", "model_provider", "gallery_holder", "online", "scores", "masked",
        "e = q - b", "server 1 computes its score shares; b is uniform and used once",
    ),
    Flow(
        "MaskedScores", "model_provider", "gallery_holder", "online", "threshold", "masked",
        "share 0 of x = z - t + r", "opens the score under a uniform one-time mask",
    ),
    Flow(
        "MaskedScores", "gallery_holder", "model_provider", "online", "threshold", "masked",
        "share 1 of x = z - t + r", "opens the score under a uniform one-time mask",
    ),
    Flow(
        "MaskedBits", "model_provider", "gallery_holder", "online", "threshold", "masked",
        "share 0 of masked AND operands", "one layer of the comparison tree",
    ),
    Flow(
        "MaskedBits", "gallery_holder", "model_provider", "online", "threshold", "masked",
        "share 1 of masked AND operands", "one layer of the comparison tree",
    ),
    Flow(
        "DecisionShares", "model_provider", "client", "online", "decision", "output",
        "share 0 of the match bits", "only the client can combine both shares",
    ),
    Flow(
        "DecisionShares", "gallery_holder", "client", "online", "decision", "output",
        "share 1 of the match bits", "only the client can combine both shares",
    ),
    Flow(
        "ScoreShares", "model_provider", "client", "evaluation", "open-scores", "output",
        "share 0 of the scores", "evaluation metrics; never in operation", "open_scores",
    ),
    Flow(
        "ScoreShares", "gallery_holder", "client", "evaluation", "open-scores", "output",
        "share 1 of the scores", "evaluation metrics; never in operation", "open_scores",
    ),
)  # fmt: skip

OPENINGS: Final[tuple[Opening, ...]] = (
    Opening(
        "D = G - A (masked gallery rows)", ("model_provider",), ("MaskedGallery",),
        "A is uniform, unknown to both servers and used for one row only",
    ),
    Opening(
        "e = q - b (masked probe)", ("gallery_holder",), ("MaskedProbes",),
        "b is uniform, unknown to the gallery holder and used for one probe only",
    ),
    Opening(
        "x = z - t + r (masked score)", ("model_provider", "gallery_holder"), ("MaskedScores",),
        "r is uniform, unknown to either server and used for one comparison only",
    ),
    Opening(
        "masked AND operands", ("model_provider", "gallery_holder"), ("MaskedBits",),
        "every operand bit is masked by a uniform one-time bit",
    ),
    Opening(
        "match bits", ("client",), ("DecisionShares",),
        "the answer to the client's own query, at the scenario's output level",
    ),
    Opening(
        "scores", ("client",), ("ScoreShares",),
        "evaluation metrics only; scores over many queries recover templates",
        "open_scores",
    ),
)  # fmt: skip

LEARNS: Final[dict[Party, tuple[Knowledge, ...]]] = {
    "client": (
        Knowledge("its own embeddings", "returned by the provider at enrolment"),
        Knowledge("which rows match its probes", "combines both decision shares"),
        Knowledge("the number of enrolled rows", "length of the match bitmap"),
    ),
    "model_provider": (
        Knowledge("protected features of every picture", "needed to compute embeddings"),
        Knowledge(
            "the embedding of every picture sent to it, enrolment pictures included",
            "computes it; without identity-specific mapping this equals the gallery row",
        ),
        Knowledge("number of rows and probes, and their timing", "message sizes and order"),
        Knowledge("public parameters: threshold, ring, dimension", "the scenario"),
    ),
    "gallery_holder": (
        Knowledge("number of rows and probes, and their timing", "message sizes and order"),
        Knowledge("public parameters: threshold, ring, dimension", "the scenario"),
    ),
    "dealer": (
        Knowledge("number of rows and probes, and their timing", "material requests"),
        Knowledge("every mask and correlation, but nothing they hide", "makes them"),
    ),
}

TRUST_MODEL: Final = (
    "semi-honest two-server computation with a trusted dealer: no single party learns more than "
    "its row says; the dealer must not collude with either server, nor the servers with each other"
)

COALITIONS: Final[tuple[Coalition, ...]] = (
    Coalition(
        ("client", "dealer"), "what the client learns anyway: the dealer sees no protocol message",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("client", "gallery_holder"),
        "the client's own probes' match bits, known to the client anyway",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("client", "model_provider"),
        "the client's pictures beside their embeddings; no other row of the gallery",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("model_provider", "gallery_holder"),
        "the whole gallery, every score and decision: both shares",
        excluded_by_trust_model=True,
    ),
    Coalition(
        ("model_provider", "dealer"), "the whole gallery, every score and decision: D + A = G",
        excluded_by_trust_model=True,
    ),
    Coalition(
        ("gallery_holder", "dealer"), "every probe embedding: e + b = q, and scores through x - r",
        excluded_by_trust_model=True,
    ),
)  # fmt: skip

_BY_LABEL: Final = {(flow.kind, flow.sender, flow.receiver, flow.phase): flow for flow in FLOWS}


def flow_for(
    kind: str, sender: Party, receiver: Party, phase: Phase, insecure: frozenset[str]
) -> Flow:
    """Return the policy row of a message.

    Raises:
        PolicyViolationError: the flow is not declared, or needs an `insecure:` entry that the
            scenario does not have.
    """
    flow = _BY_LABEL.get((kind, sender, receiver, phase))
    where = f"{sender} -> {receiver}"
    if flow is None:
        text = f"{kind} in phase {phase} is not in the flow policy"
        raise PolicyViolationError(text, where=where, hint="see protocol/flows.py")
    if flow.needs_insecure is not None and flow.needs_insecure not in insecure:
        text = f"{kind} needs `{flow.needs_insecure}` in the scenario's insecure list"
        raise PolicyViolationError(text, where=where)
    return flow
