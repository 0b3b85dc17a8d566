"""The accuracy table: the secure result beside the oracle, protected floats and the baseline.

Four columns over the same probes and entries:

- `secure`: what the parties computed;
- `quantised`: the plaintext oracle on the same integers;
- `protected_plain`: cosine of the same protected embeddings in floating point, without mapping;
- `baseline`: the unprotected RGB network on the same pictures.

`Differences` compares the first with the last, paired: on the same resamples of people and
strangers, each at the threshold that its own strangers or impostor pairs set.

Scores exist only where the scenario opens them for evaluation; from decision bits alone the
rates at the operating threshold are all that can be known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from numpy.typing import NDArray

from reports.answers import Side
from reports.intervals import Estimate, PairRate, difference
from reports.metrics import (
    Curve,
    OpenSetRate,
    PersonMean,
    Proportion,
    Ranking,
    TarAtFar,
    open_set_curve,
    pair_rate,
    rank_k,
    rank_k_difference,
    rank_k_per_person,
    rank_probes,
    tar_of,
    tpir_at_fpir,
    tpir_difference,
)
from reports.operating import (
    Decisions,
    Detections,
    Verifications,
    claim_rate,
    decisions,
    detections,
    verifications,
)
from reports.records import CLAIMS, PEOPLE, Arrays

__all__ = [
    "COLUMNS",
    "FAR_TARGETS",
    "FPIR_TARGETS",
    "Column",
    "Differences",
    "accuracy_columns",
    "accuracy_differences",
    "curves",
]

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


class AtTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A difference of rates at one target FPIR or FAR."""

    target: float
    difference: Estimate


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of the secure search minus those of the unprotected baseline, paired over people."""

    rank_1: Estimate | None = None
    rank_5: Estimate | None = None
    rank_1_per_person: Estimate | None = None
    tpir_at_fpir: list[AtTarget] = []
    tar_at_far: list[AtTarget] = []


def accuracy_differences(observations: Arrays) -> Differences | None:
    """Return secure minus unprotected; None where either opened no scores."""
    scores = [observations.get(COLUMNS[name][1]) for name in ("secure", "baseline")]
    one, other = scores
    if one is None or other is None:
        return None
    tar = _at_targets(
        FAR_TARGETS,
        lambda far: _paired(
            _pair_rate(observations, one, far), _pair_rate(observations, other, far)
        ),
    )
    if CLAIMS in observations:
        return Differences(tar_at_far=tar)
    first, second = _ranking(observations, one), _ranking(observations, other)
    return Differences(
        rank_1=rank_k_difference(first, second, 1),
        rank_5=rank_k_difference(first, second, 5),
        rank_1_per_person=rank_k_difference(first, second, 1, per_person=True),
        tpir_at_fpir=_at_targets(FPIR_TARGETS, lambda fpir: tpir_difference(first, second, fpir)),
        tar_at_far=tar,
    )


def _at_targets(
    targets: tuple[float, ...], measure: Callable[[float], Estimate | None]
) -> list[AtTarget]:
    found = ((target, measure(target)) for target in targets)
    return [AtTarget(target=target, difference=rate) for target, rate in found if rate is not None]


def _paired(one: PairRate | None, other: PairRate | None) -> Estimate | None:
    return None if one is None or other is None else difference(one, other)


def _pair_rate(observations: Arrays, scores: NDArray[Any], far: float) -> PairRate | None:
    if CLAIMS in observations:
        return claim_rate(observations, scores, far)
    return pair_rate(
        scores,
        observations["probe_identity"],
        observations["gallery_identity"],
        far,
        observations.get("live"),
        observations.get(PEOPLE),
    )


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
        return {"tar_at_far": _pairs(observations, scores)}
    ranking = _ranking(observations, scores)
    return {
        "rank_1": _measured(rank_k(ranking, 1)),
        "rank_5": _measured(rank_k(ranking, 5)),
        "rank_1_per_person": _person(rank_k_per_person(ranking)),
        "tpir_at_fpir": _open_set(ranking),
        "tar_at_far": _pairs(observations, scores),
    }


def _ranking(observations: Arrays, scores: NDArray[Any]) -> Ranking:
    return rank_probes(
        scores,
        observations["probe_identity"],
        observations["gallery_identity"],
        observations.get(PEOPLE),
    )


def _open_set(ranking: Ranking) -> list[OpenSetRate]:
    rates = (tpir_at_fpir(ranking, fpir) for fpir in FPIR_TARGETS)
    return [rate for rate in rates if rate is not None]


def _pairs(observations: Arrays, scores: NDArray[Any]) -> list[TarAtFar]:
    rates = (_pair_rate(observations, scores, far) for far in FAR_TARGETS)
    return [tar_of(rate) for rate in rates if rate is not None]


def _measured(rate: Proportion) -> Proportion | None:
    return rate if rate.total else None


def _person(mean: PersonMean) -> PersonMean | None:
    return mean if mean.people else None
