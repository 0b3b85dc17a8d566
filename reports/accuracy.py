"""The accuracy table: the secure result beside the oracle, protected floats and the baseline.

Four columns over the same probes and entries:

- `secure`: what the parties computed;
- `quantised`: the plaintext oracle on the same integers;
- `protected_plain`: cosine of the same protected embeddings in floating point, without mapping;
- `baseline`: the unprotected RGB network on the same pictures.

Scores exist only where the scenario opens them for evaluation; from decision bits alone the
rates at the operating threshold are all that can be known.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from numpy.typing import NDArray

from reports.answers import Side
from reports.metrics import (
    Curve,
    Decisions,
    OpenSetRate,
    PersonMean,
    Proportion,
    Ranking,
    TarAtFar,
    open_set_curve,
    rank_k,
    rank_k_per_person,
    rank_probes,
    tar_at_far,
    tpir_at_fpir,
)
from reports.operating import (
    Detections,
    Verifications,
    claim_rates,
    decisions,
    detections,
    verifications,
)
from reports.records import CLAIMS, Arrays

__all__ = ["COLUMNS", "FAR_TARGETS", "FPIR_TARGETS", "Column", "accuracy_columns", "curves"]

FPIR_TARGETS: Final = (0.1, 0.01, 0.001)
FAR_TARGETS: Final = (1e-3, 1e-4)
COLUMNS: Final = {
    "secure": ("secure search", "secure_scores", "secure"),
    "quantised": ("quantised oracle", "oracle_scores", "oracle"),
    "protected_plain": ("protected, float", "protected_scores", None),
    "baseline": ("unprotected baseline", "baseline_scores", None),
}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of one way to compare; None where the run did not record what it takes.

    `tpir_at_fpir` and `tar_at_far` have one entry per target in `FPIR_TARGETS` and
    `FAR_TARGETS` that can be measured. At the scenario's own threshold one of `operating`,
    `detection` and `verification` is measured, as the output level allows.
    """

    label: str
    rank_1: Proportion | None = None
    rank_5: Proportion | None = None
    rank_1_per_person: PersonMean | None = None
    tpir_at_fpir: list[OpenSetRate]
    tar_at_far: list[TarAtFar]
    operating: Decisions | None = None
    detection: Detections | None = None
    verification: Verifications | None = None


def accuracy_columns(observations: Arrays) -> dict[str, Column | None]:
    """Return every column of `COLUMNS`; None for one of which nothing was recorded."""
    return {
        name: _column(observations, label, observations.get(scores), cast("Side | None", side))
        for name, (label, scores, side) in COLUMNS.items()
    }


def curves(observations: Arrays) -> dict[str, Curve]:
    """Return TPIR against FPIR of every column that has scores of a search, by column name."""
    if CLAIMS in observations:
        return {}
    found = {
        name: open_set_curve(_ranking(observations, observations[scores]))
        for name, (_, scores, _) in COLUMNS.items()
        if scores in observations
    }
    return {name: curve for name, curve in found.items() if curve is not None}


def _column(
    observations: Arrays, label: str, scores: NDArray[Any] | None, side: Side | None
) -> Column | None:
    column = Column(label=label, tpir_at_fpir=[], tar_at_far=[])
    if side is not None:
        column = msgspec.structs.replace(
            column,
            operating=decisions(observations, side),
            detection=detections(observations, side),
            verification=verifications(observations, side),
        )
    if scores is not None:
        return msgspec.structs.replace(column, **_from_scores(observations, scores))
    return column if side is not None else None


def _from_scores(observations: Arrays, scores: NDArray[Any]) -> dict[str, Any]:
    """Return the measures that take scores: of all pairs, or of the claims of a verification."""
    if CLAIMS in observations:
        claims = (claim_rates(observations, scores, far) for far in FAR_TARGETS)
        return {"tar_at_far": [rate for rate in claims if rate is not None]}
    ranking = _ranking(observations, scores)
    return {
        "rank_1": _measured(rank_k(ranking, 1)),
        "rank_5": _measured(rank_k(ranking, 5)),
        "rank_1_per_person": _person(rank_k_per_person(ranking)),
        "tpir_at_fpir": _open_set(ranking),
        "tar_at_far": _pairs(observations, scores),
    }


def _ranking(observations: Arrays, scores: NDArray[Any]) -> Ranking:
    return rank_probes(scores, observations["probe_identity"], observations["gallery_identity"])


def _open_set(ranking: Ranking) -> list[OpenSetRate]:
    rates = (tpir_at_fpir(ranking, fpir) for fpir in FPIR_TARGETS)
    return [rate for rate in rates if rate is not None]


def _pairs(observations: Arrays, scores: NDArray[Any]) -> list[TarAtFar]:
    probes, entries = observations["probe_identity"], observations["gallery_identity"]
    live = observations.get("live")
    rates = (tar_at_far(scores, probes, entries, far, live) for far in FAR_TARGETS)
    return [rate for rate in rates if rate is not None]


def _measured(rate: Proportion) -> Proportion | None:
    return rate if rate.total else None


def _person(mean: PersonMean) -> PersonMean | None:
    return mean if mean.people else None
