"""How well embeddings recognise people: verification of pairs, identification in a gallery.

Protocols:

- pair lists: accuracy in folds, each judged with the threshold of the others;
- all pairs: TAR where no more than a given share of all pairs of two people match;
- closed set: the first picture of everybody is enrolled, every other picture is a probe;
- open set: the first picture of everybody with several is enrolled, their other pictures are
  mated probes, and people with a single picture are strangers.

Intervals are 95 % and resample people, and strangers on their own, each time with the threshold
estimated again (`reports.intervals`). They are for this gallery: which picture is enrolled, and
whose, stays as it is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.all_pairs import AllPairs, tar_over_all_pairs
from reports.intervals import FoldedPairs, PairRate, estimate
from reports.metrics import (
    UNMATED,
    OpenSetRate,
    PersonMean,
    Proportion,
    Ranking,
    TarAtFar,
    rank_k,
    rank_k_per_person,
    rank_probes,
    tar_of,
    tpir_at_fpir,
)
from reports.proportions import share_of
from reports.verification import FoldedAccuracy, verification_accuracy

__all__ = [
    "FPIRS",
    "ClosedSet",
    "OpenSet",
    "PairList",
    "PairResult",
    "PeopleResult",
    "closed_ranking",
    "folded_pairs",
    "judge_pairs",
    "judge_people",
    "list_rate",
    "open_ranking",
]

Units = NDArray[np.float32]
Identities = NDArray[np.int64]

FPIRS: Final = (0.01, 0.001)
LIST_FAR: Final = 1e-3


class PairList(NamedTuple):
    """Cosines of a list of pairs.

    Attributes:
        name: the protocol.
        scores: [P].
        same: which pairs are of one person, [P].
        folds: how many consecutive blocks.
        first: the person of each pair's one picture, as numbers from 0, [P]; None where nobody is
            named: every pair then counts as independent.
        second: the person of the other picture.
    """

    name: str
    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    folds: int
    first: Identities | None = None
    second: Identities | None = None

    @property
    def people(self) -> tuple[Identities, Identities, int]:
        """Who is in each pair, and how many people there are."""
        if self.first is None or self.second is None:
            one = np.arange(self.same.size)
            return one, one, self.same.size
        return self.first, self.second, 1 + int(max(self.first.max(), self.second.max()))


class PairResult(msgspec.Struct, frozen=True, kw_only=True):
    """Verification by a pair list.

    Attributes:
        name: the protocol.
        accuracy: mean and deviation over folds.
        pooled: pairs judged rightly in their folds.
        people: how many are named; None where nobody is, and pairs count as independent.
        tar: TAR at FAR 1e-3 within the list; None where the list has no such pairs.
        shared_people: people of the list the network was adapted on.
    """

    name: str
    pairs: int
    accuracy: FoldedAccuracy
    people: int | None
    pooled: Proportion
    tar: TarAtFar | None
    shared_people: int


class ClosedSet(msgspec.Struct, frozen=True, kw_only=True):
    """Rank-k with everybody enrolled."""

    gallery: int
    probes: int
    rank_1: Proportion
    rank_5: Proportion
    rank_1_per_person: PersonMean


class OpenSet(msgspec.Struct, frozen=True, kw_only=True):
    """Detection and identification rates; the mate must be first and exceed the threshold."""

    gallery: int
    mated: int
    unmated: int
    rates: list[OpenSetRate]


class PeopleResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that embeddings of known people allow to measure."""

    people: int
    pictures: int
    all_pairs: list[AllPairs]
    closed_set: ClosedSet | None
    open_set: OpenSet | None


def judge_pairs(pairs: PairList, shared_people: int = 0) -> PairResult:
    """Return the results of a pair list.

    Raises:
        DataError: fewer pairs than folds.
    """
    accuracy = verification_accuracy(pairs.scores, pairs.same, pairs.folds)
    folded, rate = folded_pairs(pairs), list_rate(pairs)
    above = pairs.scores > np.array(accuracy.thresholds)[folded.fold]
    count = int(np.count_nonzero(above == pairs.same))
    return PairResult(
        name=pairs.name,
        pairs=int(pairs.same.size),
        accuracy=accuracy,
        people=None if pairs.first is None else pairs.people[2],
        pooled=share_of(count, pairs.same.size, estimate(folded)),
        tar=None if rate is None else tar_of(rate),
        shared_people=shared_people,
    )


def folded_pairs(pairs: PairList) -> FoldedPairs:
    """Return what is resampled of a list's accuracy."""
    first, second, people = pairs.people
    blocks = np.array_split(np.arange(pairs.same.size), pairs.folds)
    fold = np.repeat(np.arange(pairs.folds), [block.size for block in blocks])
    return FoldedPairs(pairs.scores, pairs.same, fold, first, second, people)


def list_rate(pairs: PairList) -> PairRate | None:
    """Return what is resampled of TAR within a list; None where it has too few pairs for it."""
    first, second, people = pairs.people
    same = pairs.same
    if not same.any() or np.count_nonzero(~same) * LIST_FAR < 1:
        return None
    return PairRate(
        genuine=pairs.scores[same],
        owner=first[same],
        impostor=pairs.scores[~same],
        first=first[~same],
        second=second[~same],
        people=(people,),
        far=LIST_FAR,
    )


def judge_people(units: Units, person: Identities) -> PeopleResult:
    """Return the results of unit embeddings [N, d] of people [N]."""
    first = np.unique(person, return_index=True)[1]
    return PeopleResult(
        people=int(first.size),
        pictures=int(person.size),
        all_pairs=tar_over_all_pairs(units, person),
        closed_set=_closed_set(closed_ranking(units, person), first.size),
        open_set=_open_set(open_ranking(units, person)),
    )


def closed_ranking(units: Units, person: Identities) -> Ranking | None:
    """Return the search of everybody's later pictures among their first; None without any."""
    first = np.unique(person, return_index=True)[1]
    probes = np.setdiff1d(np.arange(person.size), first)
    if probes.size == 0:
        return None
    return rank_probes(units[probes] @ units[first].T, person[probes], person[first])


def open_ranking(units: Units, person: Identities) -> Ranking | None:
    """Return the search among people with several pictures; None without any, or strangers."""
    _, first, counts = np.unique(person, return_index=True, return_counts=True)
    gallery, single = first[counts > 1], first[counts == 1]
    mated = np.setdiff1d(np.arange(person.size), first)
    if gallery.size == 0 or single.size == 0:
        return None
    probes = np.concatenate([mated, single])
    identity = np.concatenate([person[mated], np.full(single.size, UNMATED)])
    return rank_probes(units[probes] @ units[gallery].T, identity, person[gallery], person[probes])


def _closed_set(ranking: Ranking | None, gallery: int) -> ClosedSet | None:
    if ranking is None:
        return None
    return ClosedSet(
        gallery=gallery,
        probes=int(ranking.mate.size),
        rank_1=rank_k(ranking, 1),
        rank_5=rank_k(ranking, 5),
        rank_1_per_person=rank_k_per_person(ranking),
    )


def _open_set(ranking: Ranking | None) -> OpenSet | None:
    if ranking is None:
        return None
    found = (tpir_at_fpir(ranking, fpir, first_rank_only=True) for fpir in FPIRS)
    mated = ranking.mated
    return OpenSet(
        gallery=int(np.unique(ranking.identity[mated]).size),
        mated=int(np.count_nonzero(mated)),
        unmated=int(np.count_nonzero(~mated)),
        rates=[rate for rate in found if rate is not None],
    )
