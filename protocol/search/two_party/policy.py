"""Policy rows of what two evaluators say to each other and to the client."""

from __future__ import annotations

from typing import Final

from protocol.flows import ANSWER_KNOWLEDGE, Flow, Knowledge, Opening
from protocol.parties import Party, Phase

__all__ = [
    "CLIENT_AND_PROVIDER",
    "CLIENT_LEARNS",
    "PROVIDER_LEARNS",
    "RECOGNISER",
    "SIZES",
    "answer_flows",
    "answer_openings",
    "deletion_flows",
    "evaluator_flows",
    "evaluator_openings",
    "ready_flows",
    "renewal_flows",
    "score_flows",
    "share_flow",
    "zeros_flow",
]

SIZES: Final = (
    Knowledge("number of rows and probes, and their timing", "message sizes and order"),
    Knowledge("public parameters: threshold, ring, dimension", "the scenario"),
)
CLIENT_LEARNS: Final = (
    Knowledge(
        "the embedding of every picture it enrols",
        "returned by the provider, whatever is enrolled; `enrolment_budget` limits how many",
    ),
    Knowledge(
        "every row, and how any picture compares with them whose embedding it has",
        "one client enrols all rows here and searches them, so it builds them itself; a searching "
        "client that holds no row is not simulated",
        reveals=("rows", "probes", "scores", "decisions", "estimates"),
    ),
    *ANSWER_KNOWLEDGE,
)
PROVIDER_LEARNS: Final = (
    Knowledge("protected features of every picture", "needed to compute embeddings"),
    Knowledge(
        "the embedding of every picture sent to it, enrolment pictures included",
        "computes it in the clear", reveals=("probes",),
    ),
    Knowledge(
        "every row, score and decision: who matched whom",
        "quantises the embeddings it computed, as anybody can, multiplies them and compares with "
        "the public threshold; it needs no message of the search for that",
        reveals=("rows", "scores", "decisions"), rows="unmapped",
    ),
    Knowledge(
        "an estimate of every decision, and which enrolments are of one person",
        "compares the embeddings it computed by their plain cosine; keys hide rows from it, not "
        "this", reveals=("estimates",), rows="mapped",
    ),
    *SIZES,
)  # fmt: skip
CLIENT_AND_PROVIDER: Final = (
    "the client's pictures beside their embeddings, every row the client enrolled, its exact "
    "scores and decisions; no row of another client, unless the provider deviates: then both are "
    "an oracle for arbitrary vectors"
)
RECOGNISER: Final = (
    "the model provider computes every embedding in the clear, and what its row says of rows and "
    "decisions follows from that"
)
_BETWEEN = (
    ("MaskedScores", "threshold", "masked", "of x = v + r, values to be compared under a mask",
     "the mask is uniform, unknown to either evaluator and used once"),
    ("MaskedBits", "threshold", "masked", "of masked bits",
     "operands of one layer of gates, or bits to be lifted, each under a one-time bit"),
    ("MaskedChoices", "selection", "masked", "of masked selection bits and masked candidates",
     "keeps the better of two candidates without telling which; masks are used once"),
    ("RevealedBits", "input-check", "plain", "of whether inputs are well formed",
     "an input that is too long or out of range ends the session; one in range reveals nothing"),
)  # fmt: skip
_ANSWERS = (
    ("DecisionShares", "of the match bits", "only the client can combine both shares"),
    ("CountShares", "of the number of matches", "only the client can combine both shares"),
    ("IdentityShares", "of the best matching rows", "only the client can combine both shares"),
)


def evaluator_flows(first: Party, second: Party, one: str, two: str) -> tuple[Flow, ...]:
    """Return the rows of two evaluators; `one` and `two` are their names in sentences."""
    ends: tuple[tuple[Party, Party, str], ...] = ((first, second, one), (second, first, two))
    flows = [
        Flow(kind, sender, receiver, phase, step, form, f"{name}'s half {carries}", why)  # type: ignore[arg-type]
        for kind, step, form, carries, why in _BETWEEN
        for sender, receiver, name in ends
        for phase in _phases(kind)
    ]
    return (*flows, *answer_flows(first, second, one, two))


def answer_flows(first: Party, second: Party, one: str, two: str) -> tuple[Flow, ...]:
    """Return the rows of two servers' answers; `one` and `two` are their names in sentences."""
    return tuple(
        Flow(kind, sender, "client", "online", "decision", "output", f"{name}'s share {what}", why)
        for kind, what, why in _ANSWERS
        for sender, name in ((first, one), (second, two))
    )


def zeros_flow(sender: Party, receiver: Party) -> Flow:
    """Return the row of the seed that only the two evaluators have."""
    return Flow(
        "SeedGrant", sender, receiver, "setup", "seeds", "share",
        "32-byte seed of the evaluators' sharings of zero",
        "re-randomises shares of an answer, so that whoever knows all masks learns no more from "
        "them than the answer",
    )  # fmt: skip


def renewal_flows(*ends: tuple[Party, Party]) -> tuple[Flow, ...]:
    """Return the rows by which a refresh replaces the seeds of every such pair."""
    return tuple(
        Flow(
            "SeedGrant", sender, receiver, "offline", "refresh", "share",
            "32-byte seed in place of the one both have",
            "shares and seeds stolen before a refresh open nothing that is made after it",
        )
        for sender, receiver in ends
    )  # fmt: skip


def share_flow(server: Party, share: str) -> Flow:
    """Return the row by which a server gets its share of new rows."""
    return Flow(
        "GalleryShares", "client", server, "enrol", "sharing", "share",
        f"{share} of the new rows", "one of two shares; uniform on its own",
    )  # fmt: skip


def ready_flows(servers: tuple[Party, ...]) -> tuple[Flow, ...]:
    """Return the rows by which servers report that the material of a search is in place."""
    why = "the client starts a query only when every server holds its material"
    return tuple(
        Flow("SearchReady", server, "client", "offline", "material", "control", "nothing", why)
        for server in servers
    )


def deletion_flows(holders: tuple[Party, ...]) -> tuple[Flow, ...]:
    """Return the rows by which the client withdraws rows."""
    what, why = "numbers of rows to remove", "every holder of a share or mask drops it"
    return tuple(
        Flow("DeleteRows", "client", holder, "enrol", "deletion", "control", what, why)
        for holder in holders
    )


def score_flows(servers: tuple[Party, ...]) -> tuple[Flow, ...]:
    """Return the rows of opened scores, which only `insecure: [open_scores]` permits."""
    return tuple(
        Flow(
            "ScoreShares", server, "client", "evaluation", "open-scores", "output",
            "a share of the scores", "evaluation metrics; never in operation", "open_scores",
        )
        for server in servers
    )  # fmt: skip


def evaluator_openings(first: Party, second: Party) -> tuple[Opening, ...]:
    """Return what two evaluators open to each other and to the client."""
    both = (first, second)
    return (
        Opening(
            "x = v + r (masked value, such as a score minus the threshold)", both,
            ("MaskedScores",),
            "r is uniform, unknown to either evaluator and used for one comparison only",
        ),
        Opening(
            "masked bits", both, ("MaskedBits",), "every bit is masked by a uniform one-time bit",
        ),
        Opening(
            "masked choices", both, ("MaskedChoices",),
            "selection bits and candidates are masked by uniform one-time values",
        ),
        Opening(
            "whether an input is well formed", both, ("RevealedBits",),
            "always yes for an honest input; a no ends the session, names who gave it and tells "
            "which entries are out of range",
        ),
        *answer_openings(),
    )  # fmt: skip


def answer_openings() -> tuple[Opening, ...]:
    """Return what the client alone puts together."""
    return (
        Opening(
            "the answer at the scenario's output level", ("client",),
            tuple(kind for kind, _, _ in _ANSWERS), "the answer to the client's own query",
        ),
        Opening(
            "scores", ("client",), ("ScoreShares",),
            "evaluation metrics only; scores over many queries recover templates", "open_scores",
        ),
    )  # fmt: skip


def _phases(kind: str) -> tuple[Phase, ...]:
    """Return when a message may be said: inputs are also checked while they are enrolled."""
    return ("online",) if kind == "MaskedChoices" else ("online", "enrol")
