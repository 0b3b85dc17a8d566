"""The flow policy of the replicated protocol."""

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
        "SeedGrant", "model_provider", "gallery_holder", "setup", "seeds", "share",
        "32-byte seed of servers 0 and 1",
        "both expand probe shares, score masks and server 1's material from it",
    ),
    Flow(
        "SeedGrant", "model_provider", "auxiliary_server", "setup", "seeds", "share",
        "32-byte seed of servers 0 and 2", "both expand server 2's masks from it",
    ),
    zeros_flow("gallery_holder", "auxiliary_server"),
    *renewal_flows(
        ("model_provider", "gallery_holder"), ("model_provider", "auxiliary_server"),
        ("gallery_holder", "auxiliary_server"),
    ),
    Flow(
        "GallerySeed", "client", "model_provider", "enrol", "sharing", "share",
        "seed of share G0 of the new rows", "one of two shares; uniform on its own",
    ),
    share_flow("gallery_holder", "H1 = G - G0"),
    Flow(
        "MaskedGallery", "gallery_holder", "auxiliary_server", "enrol", "sharing", "masked",
        "H = H1 - s of the new rows",
        "servers 1 and 2 keep H, server 0 keeps K = G0 + s; s is unknown to server 2",
    ),
    Flow(
        "GallerySeed", "model_provider", "auxiliary_server", "enrol", "input-check", "share",
        "seed of share G0 of the new rows",
        "servers 1 and 2 check the rows; G0 and H together are uniform to server 2",
    ),
    *deletion_flows(("model_provider", "gallery_holder", "auxiliary_server")),
    Flow(
        "GallerySeed", "model_provider", "gallery_holder", "offline", "refresh", "share",
        "32-byte seed of a change of K and H", "moves rows to fresh shares",
    ),
    Flow(
        "GallerySeed", "model_provider", "auxiliary_server", "offline", "refresh", "share",
        "32-byte seed of a change of K and H", "moves rows to fresh shares",
    ),
    Flow(
        "QueryCorrections", "model_provider", "auxiliary_server", "offline", "material", "share",
        "share 1 of what depends on the masks of both evaluators",
        "what cannot be expanded from one seed; independent of rows and probes",
    ),
    *ready_flows(("model_provider", "gallery_holder", "auxiliary_server")),
    Flow(
        "MaskedProbes", "model_provider", "auxiliary_server", "online", "scores", "masked",
        "q0 = q - q1", "server 2 computes H q0; q1 is uniform and used once",
    ),
    Flow(
        "MaskedProducts", "model_provider", "auxiliary_server", "online", "scores", "masked",
        "K q less a score mask",
        "hands server 0's score share to the evaluators; only server 1 has the mask too",
    ),
    *evaluator_flows("gallery_holder", "auxiliary_server", "server 1", "server 2"),
    *score_flows(("gallery_holder", "auxiliary_server")),
)  # fmt: skip

_OPENINGS: Final[tuple[Opening, ...]] = (
    Opening(
        "H = H1 - s (masked gallery rows)", ("auxiliary_server",), ("MaskedGallery",),
        "s is uniform, unknown to the auxiliary server and used for one row only",
    ),
    Opening(
        "q0 = q - q1 (masked probe)", ("auxiliary_server",), ("MaskedProbes",),
        "q1 is uniform, unknown to the auxiliary server and used for one probe only",
    ),
    Opening(
        "server 0's score share under a mask", ("auxiliary_server",), ("MaskedProducts",),
        "the mask is uniform, unknown to the auxiliary server and used once",
    ),
    *evaluator_openings("gallery_holder", "auxiliary_server"),
)  # fmt: skip

_LEARNS: Final[dict[Party, tuple[Knowledge, ...]]] = {
    "client": CLIENT_LEARNS,
    "model_provider": (
        *PROVIDER_LEARNS,
        Knowledge("every mask of the evaluation, but nothing they hide", "makes them"),
    ),
    "gallery_holder": SIZES,
    "auxiliary_server": SIZES,
}

_TRUST_MODEL: Final = (
    "semi-honest computation by three servers with an honest majority and no dealer: no single "
    "party learns more than its row says, and a server may even pool its view with the client; no "
    "two of the three servers may collude; " + RECOGNISER
)

_COALITIONS: Final[tuple[Coalition, ...]] = (
    Coalition(
        ("client", "model_provider"),
        f"{CLIENT_AND_PROVIDER}; shares of an answer are re-randomised by a seed that the provider "
        "has not",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("client", "gallery_holder"),
        "the client's own probes' match bits, known to the client anyway",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("client", "auxiliary_server"),
        "the client's own probes' match bits, known to the client anyway",
        excluded_by_trust_model=False,
    ),
    Coalition(
        ("model_provider", "gallery_holder"), "the whole gallery, hence every score: K + H = G",
        excluded_by_trust_model=True,
    ),
    Coalition(
        ("model_provider", "auxiliary_server"), "the whole gallery, hence every score: K + H = G",
        excluded_by_trust_model=True,
    ),
    Coalition(
        ("gallery_holder", "auxiliary_server"),
        "every probe embedding (q0 + q1 = q), score and decision, and with enough probes the "
        "gallery",
        excluded_by_trust_model=True,
    ),
)  # fmt: skip

POLICY: Final = register_policy(
    Policy(
        name="replicated",
        title="three servers with an honest majority, no dealer",
        trust_model=_TRUST_MODEL,
        parties=("client", "model_provider", "gallery_holder", "auxiliary_server"),
        flows=_FLOWS,
        openings=_OPENINGS,
        learns=_LEARNS,
        coalitions=_COALITIONS,
        held=(("model_provider", 1), ("gallery_holder", 1), ("auxiliary_server", 1)),
    )
)
