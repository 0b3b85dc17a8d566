"""Biometric accuracy measures on score matrices and decision bits, in pure numpy.

Conventions, used everywhere in this package:

- scores have shape [P, N] (P probes, N gallery entries); larger means more alike;
- `probe_identity` is -1 for an unmated probe: its person has no row in the gallery when it is
  searched, be it a stranger, someone enrolled later, or someone whose row was deleted before;
- a row that is not in the gallery when a probe is searched has a score below all others;
- a mated probe is *found* when at least one entry of its own person matches; an unmated probe
  is a *false alarm* when any entry at all matches. TPIR is the share of mated probes found,
  FPIR the share of unmated probes that raise a false alarm;
- ties count against the system: an impostor that equals the mate is ranked before it, and a
  threshold derived from impostor scores must be exceeded, not reached.

What cannot be measured (no probes, no unmated probes) is None, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from protocol.errors import DataError
from reports.intervals.quantiles import ROUNDING, fpir_cutoff
from reports.intervals.wilson import CONFIDENCE, wilson_interval

__all__ = [
    "UNMATED",
    "Curve",
    "Decisions",
    "FoldedAccuracy",
    "OpenSetRate",
    "PersonMean",
    "Proportion",
    "Ranking",
    "TarAtFar",
    "decision_rates",
    "fpir_cutoff",
    "open_set_curve",
    "person_mean",
    "proportion",
    "rank_k",
    "rank_k_per_person",
    "rank_probes",
    "tar_at_far",
    "tpir_at_fpir",
    "verification_accuracy",
    "wilson_interval",
]

Scores = NDArray[Any]
Identities = NDArray[np.int64]
Hits = NDArray[np.bool_]

UNMATED = -1
RESAMPLES = 1000
BLOCK_ELEMENTS = 4_000_000


class Proportion(msgspec.Struct, frozen=True, kw_only=True):
    """`count` out of `total`, with its Wilson interval; all None when total is 0."""

    count: int
    total: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


class PersonMean(msgspec.Struct, frozen=True, kw_only=True):
    """Mean over people, each weighing one, with a bootstrap interval over people."""

    people: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


class OpenSetRate(msgspec.Struct, frozen=True, kw_only=True):
    """TPIR at the loosest threshold whose FPIR does not exceed the target.

    Scores must exceed `threshold`; it is None where every score does. `resolved` is False when
    fewer than 1/target unmated probes were searched: the threshold then rests on the single
    highest impostor.
    """

    fpir_target: float
    fpir: Proportion
    tpir: Proportion
    threshold: float | None
    resolved: bool


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Operating points of an open-set search, from strict to loose."""

    fpir: list[float]
    tpir: list[float]


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Rates at the threshold that was really used, from decision bits alone.

    `wrong_entry`: mated probes that also match somebody else. `exact`: probes whose whole row
    of bits is right.
    """

    tpir: Proportion
    fpir: Proportion
    tpir_per_person: PersonMean
    wrong_entry: Proportion
    exact: Proportion


class TarAtFar(msgspec.Struct, frozen=True, kw_only=True):
    """TAR over all genuine pairs at the loosest threshold with FAR <= `far_target`."""

    far_target: float
    threshold: float | None
    tar: Proportion
    far: Proportion


class FoldedAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation of per-fold accuracy, each fold's threshold from the rest."""

    mean: float
    std: float
    folds: list[float]
    thresholds: list[float]


class Ranking(NamedTuple):
    """What one pass over scores [P, N] leaves for every rank and open-set measure.

    `mate` and `impostor`: each probe's best own and best foreign score, -inf where there is
    none; `ahead`: how many foreign entries reach the mate; `identity`: -1 for unmated probes.
    All of length P.
    """

    identity: Identities
    mate: NDArray[np.float64]
    impostor: NDArray[np.float64]
    ahead: NDArray[np.int64]

    @property
    def mated(self) -> Hits:
        """Which probes are of enrolled people."""
        return _mated(self.identity)


def proportion(hits: Hits) -> Proportion:
    """Return how many of `hits` are true, with the Wilson interval."""
    count, total = int(np.count_nonzero(hits)), int(hits.size)
    if total == 0:
        return Proportion(count=0, total=0)
    low, high = wilson_interval(count, total)
    return Proportion(count=count, total=total, value=count / total, low=low, high=high)


def person_mean(hits: Hits, identity: Identities) -> PersonMean:
    """Return the mean of `hits` with every person weighing one, however many probes each has.

    The interval is a percentile bootstrap (fixed seed) over whole people: pictures of one
    person are not independent observations.
    """
    if hits.size == 0:
        return PersonMean(people=0)
    _, person = np.unique(identity, return_inverse=True)
    means = np.bincount(person, weights=hits) / np.bincount(person)
    generator = np.random.default_rng(0)
    resampled = generator.choice(means, size=(RESAMPLES, means.size)).mean(axis=1)
    low, high = np.quantile(resampled, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    value = float(means.mean())
    low, high = min(float(low), value), max(float(high), value)
    return PersonMean(people=int(means.size), value=value, low=low, high=high)


def decision_rates(
    match: Hits, probe_identity: Identities, gallery_identity: Identities
) -> Decisions:
    """Return open-set rates from decision bits [P, N] at the threshold that produced them."""
    own = _own(probe_identity, gallery_identity)
    mated = _mated(probe_identity)
    found: Hits = np.any(match & own, axis=1)[mated]
    wrong: Hits = np.any(match & ~own, axis=1)
    return Decisions(
        tpir=proportion(found),
        fpir=proportion(wrong[~mated]),
        tpir_per_person=person_mean(found, probe_identity[mated]),
        wrong_entry=proportion(wrong[mated]),
        exact=proportion(np.all(match == own, axis=1)),
    )


def rank_probes(
    scores: Scores, probe_identity: Identities, gallery_identity: Identities
) -> Ranking:
    """Compare every probe with every entry, a block of probes at a time to bound memory."""
    probes, entries = scores.shape
    mate, impostor = np.full(probes, -np.inf), np.full(probes, -np.inf)
    ahead = np.zeros(probes, dtype=np.int64)
    step = max(1, BLOCK_ELEMENTS // max(1, entries))
    for start in range(0, probes if entries else 0, step):
        block = slice(start, start + step)
        values = scores[block].astype(np.float64)
        own = _own(probe_identity[block], gallery_identity)
        mate[block] = np.where(own, values, -np.inf).max(axis=1)
        foreign = np.where(own, -np.inf, values)
        impostor[block] = foreign.max(axis=1)
        ahead[block] = (foreign >= mate[block, None]).sum(axis=1)
    return Ranking(probe_identity, mate, impostor, ahead)


def rank_k(ranking: Ranking, k: int = 1) -> Proportion:
    """Return the share of mated probes whose best own entry is among the k best entries.

    Only entries of *other* people can push the mate down, and equal scores do.
    """
    return proportion(_within(ranking, k)[ranking.mated])


def rank_k_per_person(ranking: Ranking, k: int = 1) -> PersonMean:
    """Return rank-k with every person weighing one."""
    return person_mean(_within(ranking, k)[ranking.mated], ranking.identity[ranking.mated])


def tpir_at_fpir(
    ranking: Ranking, fpir: float, *, first_rank_only: bool = False
) -> OpenSetRate | None:
    """Return TPIR at a target FPIR; None without mated or without unmated probes.

    With `first_rank_only` the mate must also beat every other entry (detection *and*
    identification rate); without it, as in a match bitmap, exceeding the threshold is enough.
    """
    mated = ranking.mated
    if not mated.any() or mated.all():
        return None
    strangers, mate = ranking.impostor[~mated], ranking.mate[mated]
    cutoff = fpir_cutoff(strangers, fpir)
    found = mate > cutoff
    if first_rank_only:
        found &= mate > ranking.impostor[mated]
    return OpenSetRate(
        fpir_target=fpir,
        fpir=proportion(strangers > cutoff),
        tpir=proportion(found),
        threshold=_finite(cutoff),
        resolved=fpir * strangers.size >= 1 - ROUNDING,
    )


def open_set_curve(ranking: Ranking) -> Curve | None:
    """Return TPIR against FPIR with one point per unmated probe (no interpolation)."""
    mated = ranking.mated
    if not mated.any() or mated.all():
        return None
    cutoffs = np.sort(ranking.impostor[~mated])[::-1]
    mates = np.sort(ranking.mate[mated])
    above = len(mates) - np.searchsorted(mates, cutoffs, side="right")
    alarms = len(cutoffs) - np.searchsorted(cutoffs[::-1], cutoffs, side="right")
    return Curve(fpir=(alarms / len(cutoffs)).tolist(), tpir=(above / len(mates)).tolist())


def tar_at_far(
    scores: Scores,
    probe_identity: Identities,
    gallery_identity: Identities,
    far: float,
    live: Hits | None = None,
) -> TarAtFar | None:
    """Return TAR at an all-pairs FAR over every probe x entry pair; None without both kinds.

    With `live` [P, N] only pairs of a probe and a row that was in the gallery then count.
    """
    own = _own(probe_identity, gallery_identity)
    met = np.ones_like(own) if live is None else live
    genuine, impostors = scores[own & met], scores[~own & met]
    if genuine.size == 0 or impostors.size == 0:
        return None
    cutoff = fpir_cutoff(impostors, far)
    return TarAtFar(
        far_target=far,
        threshold=_finite(cutoff),
        tar=proportion(genuine > cutoff),
        far=proportion(impostors > cutoff),
    )


def verification_accuracy(
    scores: Sequence[float] | NDArray[Any],
    same: Sequence[bool] | NDArray[np.bool_],
    folds: int = 10,
) -> FoldedAccuracy:
    """Return pair accuracy in the manner of LFW View 2.

    Pairs are cut into `folds` consecutive blocks, as the pair list orders them; each block
    is judged with the threshold that is best on all the others.

    Raises:
        DataError: there are fewer pairs than folds, fewer than two folds, or scores and labels
            differ in number.
    """
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(same, dtype=np.bool_)
    if values.size != labels.size or not 2 <= folds <= values.size:
        raise DataError(f"{values.size} scores, {labels.size} labels and {folds} folds do not fit")
    accuracies, thresholds = [], []
    for held_out in np.array_split(np.arange(values.size), folds):
        rest = np.ones(values.size, dtype=np.bool_)
        rest[held_out] = False
        threshold = _best_threshold(values[rest], labels[rest])
        accuracies.append(float(((values[held_out] > threshold) == labels[held_out]).mean()))
        thresholds.append(threshold)
    return FoldedAccuracy(
        mean=float(np.mean(accuracies)),
        std=float(np.std(accuracies)),
        folds=accuracies,
        thresholds=thresholds,
    )


def _own(probe_identity: Identities, gallery_identity: Identities) -> Hits:
    """Return which pairs [P, N] are of one person."""
    own: Hits = probe_identity[:, None] == gallery_identity[None, :]
    own &= _mated(probe_identity)[:, None]
    return own


def _mated(identity: Identities) -> Hits:
    mated: Hits = np.not_equal(identity, UNMATED)
    return mated


def _within(ranking: Ranking, k: int) -> Hits:
    within: Hits = (ranking.ahead < k) & np.isfinite(ranking.mate)
    return within


def _finite(cutoff: float) -> float | None:
    return cutoff if math.isfinite(cutoff) else None


def _best_threshold(scores: NDArray[np.float64], same: Hits) -> float:
    """Return the midpoint threshold with the highest accuracy (the lowest one among equals)."""
    order = np.argsort(scores, kind="stable")
    ordered, labels = scores[order], same[order]
    below_different = np.concatenate([[0], np.cumsum(~labels)])
    below_same = np.concatenate([[0], np.cumsum(labels)])
    right = below_different + (labels.sum() - below_same)
    usable = np.concatenate([[True], ordered[1:] > ordered[:-1], [True]])
    cut = int(np.argmax(np.where(usable, right, -1)))
    if cut == 0:
        return float(ordered[0]) - 1.0
    if cut == len(ordered):
        return float(ordered[-1]) + 1.0
    return float((ordered[cut - 1] + ordered[cut]) / 2)
