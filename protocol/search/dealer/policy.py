"""The flow policy of the dealer protocol."""

from __future__ import annotations

from typing import Final

from protocol.flows import (
    FEATURE_FLOWS,
    Coalition,
    Flow,
    Knowledge,
    Opening,
    Policy,
    register_policy,
)
from protocol.parties import Party
from protocol.search.two_party.policy import (
    CLIENT_AND_PROVIDER,
    CLIENT_LEARNS,
    PROVIDER_LEARNS,
    RECOGNISER,
    SIZES,
    deletion_flows,
    evaluator_flows,
    evaluator_openings,
    ready_flows,
    renewal_flows,
    score_flows,
    share_flow,
    zeros_flow,
)

__all__ = ["POLICY"]

_FLOWS: Final[tuple[Flow, ...]] = (
    *FEATURE_FLOWS,
    Flow(
        "SeedGrant", "dealer", "model_provider", "setup", "seeds", "share",
        "32-byte seed of server 0's correlations", "compresses server 0's material to one seed",
    ),
    Flow(
        "SeedGrant", "dealer", "gallery_holder", "setup", "seeds", "share",
        "32-byte seed of server 1's correlations", "compresses server 1's material to one seed",
    ),
    Flow(
        "GallerySeed", "client", "model_provider", "enrol", "sharing", "share",
        "seed of share 0 of the new rows", "one of two shares; uniform on its own",
    ),
    share_flow("gallery_holder", "share 1"),
    Flow(
        "MaskedGallery", "gallery_holder", "model_provider", "enrol", "gallery-opening", "masked",
        "share 1 of the new rows less A",
        "with share 0 it is M = G - A, server 0's share of the rows; A is server 1's",
    ),
    Flow(
        "MaterialRequest", "model_provider", "dealer", "offline", "material", "control",
        "number of probes and rows", "asks for single-use material of the right size",
    ),
    Flow(
        "QueryCorrections", "dealer", "gallery_holder", "offline", "material", "share",
        "product shares c1 and share 1 of what depends on both seeds",
        "what cannot be expanded from server 1's seed",
    ),
    Flow(
        "MaskedProbes", "model_provider", "gallery_holder", "online", "scores", "masked",
        "e = q - b", "server 1 computes its score shares; b is uniform and used once",
    ),
    Flow(
        "MaskedGallery", "gallery_holder", "model_provider", "offline", "refresh", "masked",
        "A - A', the change of server 1's mask", "moves rows to fresh masks",
    ),
    zeros_flow("model_provider", "gallery_holder"),
    *renewal_flows(
        ("dealer", "model_provider"), ("dealer", "gallery_holder"),
        ("model_provider", "gallery_holder"),
    ),
    *ready_flows(("model_provider", "gallery_holder")),
    *deletion_flows(("model_provider", "gallery_holder", "dealer")),
    *evaluator_flows("model_provider", "gallery_holder", "server 0", "server 1"),
    *score_flows(("model_provider", "gallery_holder")),
)  # fmt: skip

_OPENINGS: Final[tuple[Opening, ...]] = (
    Opening(
        "M = G - A (masked gallery rows)", ("model_provider",), ("MaskedGallery",),
        "A is uniform, unknown to the model provider and used for one row only",
    ),
    Opening(
        "e = q - b (masked probe)", ("gallery_holder",), ("MaskedProbes",),
        "b is uniform, unknown to the gallery holder and used for one probe only",
    ),
    *evaluator_openings("model_provider", "gallery_holder"),
)  # fmt: skip

_LEARNS: Final[dict[Party, tuple[Knowledge, ...]]] = {
    "client": CLIENT_LEARNS,
    "model_provider": PROVIDER_LEARNS,
    "gallery_holder": SIZES,
    "dealer": (
        Knowledge("number of rows and probes, and their timing", "material requests"),
        Knowledge("every mask and correlation, but nothing they hide", "makes them"),
    ),
}


_TRUST_MODEL: Final = (
    "semi-honest two-server computation with a trusted dealer: no single party learns more than "
    "its row says; the dealer must not collude with either server, nor the servers with each "
    "other; " + RECOGNISER
)


_COALITIONS: Final[tuple[Coalition, ...]] = (
    Coalition(
        ("client", "dealer"),
        "what the client learns anyway: the dealer sees no protocol message, and the shares of an "
        "answer are re-randomised by a seed that the dealer has not",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("client", "gallery_holder"),
        "the client's own probes' match bits, known to the client anyway",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("client", "model_provider"),
        CLIENT_AND_PROVIDER,
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("model_provider", "gallery_holder"),
        "the whole gallery, every score and decision: both shares",
        excluded_by_trust_model=True,
    ),
    Coalition(
        ("model_provider", "dealer"), "the whole gallery, every score and decision: M + A = G",
        excluded_by_trust_model=True,
    ),
    Coalition(
        ("gallery_holder", "dealer"), "every probe embedding: e + b = q, and scores through x - r",
        excluded_by_trust_model=True,
    ),
)  # fmt: skip

POLICY: Final = register_policy(
    Policy(
        name="dealer",
        title="two servers and a dealer, fixed-gallery preprocessing",
        trust_model=_TRUST_MODEL,
        parties=("client", "model_provider", "gallery_holder", "dealer"),
        flows=_FLOWS,
        openings=_OPENINGS,
        learns=_LEARNS,
        coalitions=_COALITIONS,
        shortcuts=("trusted_dealer",),
        held=(("model_provider", 1), ("gallery_holder", 1), ("dealer", 1)),
    )
)
