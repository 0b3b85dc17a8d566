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

Intervals are 95 %. A share of one trial per person, at no threshold or at one that was fixed
beforehand, has Wilson's; every other rate is resampled over people and strangers, its threshold
estimated again each time (`reports.intervals`), for this gallery.

What cannot be measured (no probes, no unmated probes) is None, never NaN.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import (
    Estimate,
    OpenSearch,
    PairRate,
    PairTotals,
    Share,
    difference,
    enough_strangers,
    estimate,
    fpir_cutoff,
    numbered,
    tail_size,
)
from reports.intervals.quantiles import ROUNDING
from reports.proportions import (
    PersonMean,
    Proportion,
    mean_of,
    person_mean,
    proportion,
    share_of,
)

__all__ = [
    "UNMATED",
    "Curve",
    "OpenSetRate",
    "PersonMean",
    "Proportion",
    "Ranking",
    "TarAtFar",
    "is_mated",
    "number_probes",
    "open_set_curve",
    "own_pairs",
    "pair_rate",
    "people_of",
    "person_mean",
    "proportion",
    "rank_k",
    "rank_k_difference",
    "rank_k_per_person",
    "rank_probes",
    "tar_at_far",
    "tar_of",
    "tpir_at_fpir",
    "tpir_difference",
]

Scores = NDArray[Any]
Identities = NDArray[np.int64]
Hits = NDArray[np.bool_]

UNMATED = -1
BLOCK_ELEMENTS = 4_000_000


class OpenSetRate(msgspec.Struct, frozen=True, kw_only=True):
    """TPIR at the loosest threshold whose FPIR does not exceed the target.

    Scores must exceed `threshold`; it is None where every score does. `resolved` is False when
    fewer than 1/target unmated probes were searched: the threshold then rests on the single
    highest impostor. `bounded` is False when there are too few strangers to bound TPIR from below
    at all (about 3.7/target are needed): the low end of its interval is then no bound.
    """

    fpir_target: float
    fpir: Proportion
    tpir: Proportion
    tpir_per_person: PersonMean
    threshold: float | None
    resolved: bool
    bounded: bool


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Operating points of an open-set search, from strict to loose."""

    fpir: list[float]
    tpir: list[float]


class TarAtFar(msgspec.Struct, frozen=True, kw_only=True):
    """TAR over all genuine pairs at the loosest threshold with FAR <= `far_target`."""

    far_target: float
    threshold: float | None
    tar: Proportion
    far: Proportion


class Ranking(NamedTuple):
    """What one pass over scores [P, N] leaves for every rank and open-set measure.

    `mate` and `impostor`: each probe's best own and best foreign score, -inf where there is
    none; `ahead`: how many foreign entries reach the mate; `identity`: -1 for unmated probes;
    `person`: who gave the probe, -1 where that is not known and every probe counts as a person.
    All of length P.
    """

    identity: Identities
    mate: NDArray[np.float64]
    impostor: NDArray[np.float64]
    ahead: NDArray[np.int64]
    person: Identities

    @property
    def mated(self) -> Hits:
        """Which probes are of enrolled people."""
        return is_mated(self.identity)


def people_of(probe_identity: Identities, probe_person: Identities | None) -> Identities:
    """Return labels of the people of all probes; an unknown stranger is a person of their own."""
    if probe_person is not None:
        return probe_person
    strangers = -1 - np.arange(probe_identity.size)
    return np.where(is_mated(probe_identity), probe_identity, strangers)


def rank_probes(
    scores: Scores,
    probe_identity: Identities,
    gallery_identity: Identities,
    probe_person: Identities | None = None,
) -> Ranking:
    """Compare every probe with every entry, a block of probes at a time to bound memory."""
    probes, entries = scores.shape
    mate, impostor = np.full(probes, -np.inf), np.full(probes, -np.inf)
    ahead = np.zeros(probes, dtype=np.int64)
    step = max(1, BLOCK_ELEMENTS // max(1, entries))
    for start in range(0, probes if entries else 0, step):
        block = slice(start, start + step)
        values = scores[block].astype(np.float64)
        own = own_pairs(probe_identity[block], gallery_identity)
        mate[block] = np.where(own, values, -np.inf).max(axis=1)
        foreign = np.where(own, -np.inf, values)
        impostor[block] = foreign.max(axis=1)
        ahead[block] = (foreign >= mate[block, None]).sum(axis=1)
    person = probe_identity if probe_person is None else probe_person
    return Ranking(probe_identity, mate, impostor, ahead, person)


def rank_k(ranking: Ranking, k: int = 1) -> Proportion:
    """Return the share of mated probes whose best own entry is among the k best entries.

    Only entries of *other* people can push the mate down, and equal scores do.
    """
    return proportion(_within(ranking, k)[ranking.mated], ranking.identity[ranking.mated])


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
    (search,) = _searches((ranking,), fpir, first_rank_only=first_rank_only)
    cutoff = fpir_cutoff(search.impostor, fpir)
    whole, mean = (estimate(replace(search, per_person=one)) for one in (False, True))
    found, alarms = search.mate > cutoff, np.count_nonzero(search.impostor > cutoff)
    people, strangers = search.strata
    return OpenSetRate(
        fpir_target=fpir,
        fpir=share_of(int(alarms), search.impostor.size, None),
        tpir=share_of(int(np.count_nonzero(found)), found.size, whole),
        tpir_per_person=mean_of(people, mean),
        threshold=_finite(cutoff),
        resolved=fpir * search.impostor.size >= 1 - ROUNDING,
        bounded=enough_strangers(strangers, fpir),
    )


def rank_k_difference(
    one: Ranking, other: Ranking, k: int = 1, *, per_person: bool = False
) -> Estimate | None:
    """Return one rank-k minus the other on the same probes, paired over people."""
    mated = one.mated
    if not mated.any():
        return None
    hits = (_within(ranking, k)[mated] for ranking in (one, other))
    return difference(*(Share(one.identity[mated], hit, per_person) for hit in hits))


def tpir_difference(
    one: Ranking,
    other: Ranking,
    fpir: float,
    *,
    first_rank_only: bool = False,
    per_person: bool = False,
) -> Estimate | None:
    """Return one TPIR minus the other on the same probes, paired, each at its own threshold."""
    if not one.mated.any() or one.mated.all():
        return None
    searches = _searches((one, other), fpir, first_rank_only=first_rank_only)
    return difference(*(replace(search, per_person=per_person) for search in searches))


def _searches(
    rankings: tuple[Ranking, ...], fpir: float, *, first_rank_only: bool
) -> list[OpenSearch]:
    """Return what is resampled of rankings of the same probes."""
    mated = rankings[0].mated
    stranger = rankings[0].person[~mated]
    if np.any(stranger == UNMATED):  # nobody knows whose they are: name them by their scores
        order = np.lexsort([ranking.impostor[~mated] for ranking in rankings])
        stranger = np.argsort(order)
    found = []
    for ranking in rankings:
        mate = ranking.mate[mated]
        if first_rank_only:
            mate = np.where(mate > ranking.impostor[mated], mate, -np.inf)
        person, impostor = ranking.identity[mated], ranking.impostor[~mated]
        found.append(OpenSearch(person, mate, stranger, impostor, fpir))
    return found


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
    probe_person: Identities | None = None,
) -> TarAtFar | None:
    """Return TAR at an all-pairs FAR over every probe x entry pair; None without both kinds.

    With `live` [P, N] only pairs of a probe and a row that was in the gallery then count.
    """
    rate = pair_rate(scores, probe_identity, gallery_identity, far, live, probe_person)
    return None if rate is None else tar_of(rate)


def tar_of(rate: PairRate) -> TarAtFar:
    """Return TAR at the FAR of a rate, with its interval."""
    cutoff = rate.bound
    alarms = int(np.count_nonzero(rate.impostor > cutoff))
    return TarAtFar(
        far_target=rate.far,
        threshold=_finite(cutoff),
        tar=share_of(
            int(np.count_nonzero(rate.genuine > cutoff)), rate.genuine.size, estimate(rate)
        ),
        far=share_of(alarms, rate.pairs, None),
    )


def pair_rate(
    scores: Scores,
    probe_identity: Identities,
    gallery_identity: Identities,
    far: float,
    live: Hits | None = None,
    probe_person: Identities | None = None,
) -> PairRate | None:
    """Return what is resampled of the pairs of a search; None without pairs of both kinds.

    People who are enrolled are drawn together with their rows, strangers on their own.
    """
    own = own_pairs(probe_identity, gallery_identity)
    met = np.ones_like(own) if live is None else live
    genuine, impostors = own & met, ~own & met
    if not genuine.any() or not impostors.any():
        return None
    rows, enrolled = numbered(gallery_identity)
    probes, strangers = number_probes(probe_identity, gallery_identity, probe_person)
    count = int(np.count_nonzero(impostors))
    if count > tail_size(far, count):
        kept = tail_size(far, count)
        impostors &= scores >= np.partition(scores[impostors], count - kept)[count - kept]
    first, second = np.nonzero(impostors)
    return PairRate(
        genuine=scores[genuine],
        owner=probes[np.nonzero(genuine)[0]],
        impostor=scores[impostors],
        first=probes[first],
        second=rows[second],
        people=(enrolled, strangers) if strangers else (enrolled,),
        far=far,
        totals=_totals(probes, rows, enrolled + strangers, live),
    )


def number_probes(
    probe_identity: Identities, gallery_identity: Identities, probe_person: Identities | None
) -> tuple[Identities, int]:
    """Return who gave each probe, as numbers: enrolled people first; and how many are strangers."""
    enrolled, mated = np.unique(gallery_identity), is_mated(probe_identity)
    stranger, strangers = numbered(people_of(probe_identity, probe_person)[~mated])
    found = np.empty(mated.size, dtype=np.int64)
    found[mated] = np.searchsorted(enrolled, probe_identity[mated])
    found[~mated] = enrolled.size + stranger
    return found, strangers


def _totals(probes: Identities, rows: Identities, people: int, live: Hits | None) -> PairTotals:
    left, right = (
        np.bincount(side, minlength=people).astype(np.float64) for side in (probes, rows)
    )
    if live is None:
        return PairTotals(left, right)
    met = np.zeros((people, people))
    np.add.at(met, (probes[:, None], rows[None, :]), live)
    return PairTotals(left, right, met=met)


def own_pairs(probe_identity: Identities, gallery_identity: Identities) -> Hits:
    """Return which pairs [P, N] are of one person."""
    own: Hits = probe_identity[:, None] == gallery_identity[None, :]
    own &= is_mated(probe_identity)[:, None]
    return own


def is_mated(identity: Identities) -> Hits:
    """Return which probes are of people with a row in the gallery."""
    mated: Hits = np.not_equal(identity, UNMATED)
    return mated


def _within(ranking: Ranking, k: int) -> Hits:
    within: Hits = (ranking.ahead < k) & np.isfinite(ranking.mate)
    return within


def _finite(cutoff: float) -> float | None:
    return cutoff if math.isfinite(cutoff) else None
