"""How well embeddings recognise people: verification of pairs, identification in a gallery.

Protocols:

- pair lists: accuracy in folds, each judged with the threshold of the others;
- all pairs: TAR where no more than a given share of all pairs of two people match;
- closed set: the first picture of everybody is enrolled, every other picture is a probe;
- open set: the first picture of everybody with several is enrolled, their other pictures are
  mated probes, and people with a single picture are strangers.

Intervals are 95 %: Wilson where trials count one by one, a bootstrap over people where pictures
of one person would count as independent otherwise.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.metrics import (
    UNMATED,
    FoldedAccuracy,
    OpenSetRate,
    PersonMean,
    Proportion,
    TarAtFar,
    fpir_cutoff,
    person_mean,
    proportion,
    rank_k,
    rank_k_per_person,
    rank_probes,
    tpir_at_fpir,
    verification_accuracy,
)

__all__ = [
    "AllPairs",
    "ClosedSet",
    "OpenSet",
    "PairResult",
    "PeopleResult",
    "judge_pairs",
    "judge_people",
    "tar_over_all_pairs",
]

Units = NDArray[np.float32]
Identities = NDArray[np.int64]

PAIR_FARS: Final = (1e-3, 1e-4, 1e-5)
FPIRS: Final = (0.01, 0.001)
BLOCK: Final = 512
RESOLVED: Final = 10  # impostor pairs beyond a threshold, below which a rate says little


class PairResult(msgspec.Struct, frozen=True, kw_only=True):
    """Verification by a pair list.

    Attributes:
        name: the protocol.
        accuracy: mean and deviation over folds.
        pooled: pairs judged rightly in their folds, with the Wilson interval.
        tar: TAR at FAR 1e-3 within the list; None where the list has no such pairs.
        shared_people: people of the list the network was adapted on.
    """

    name: str
    pairs: int
    accuracy: FoldedAccuracy
    pooled: Proportion
    tar: TarAtFar | None
    shared_people: int


class AllPairs(msgspec.Struct, frozen=True, kw_only=True):
    """TAR over all pairs of pictures, and the same with every person weighing one.

    Pairs of one person are not independent, and a person with many pictures gives most of them:
    the interval to quote is that of `per_person`.
    """

    rate: TarAtFar
    per_person: PersonMean


class ClosedSet(msgspec.Struct, frozen=True, kw_only=True):
    """Rank-k with everybody enrolled."""

    gallery: int
    probes: int
    rank_1: Proportion
    rank_5: Proportion
    rank_1_per_person: PersonMean


class OpenSet(msgspec.Struct, frozen=True, kw_only=True):
    """Detection and identification rates; the mate must be first and exceed the threshold.

    Attributes:
        per_person: the same rates with every person weighing one, in the order of `rates`.
    """

    gallery: int
    mated: int
    unmated: int
    rates: list[OpenSetRate]
    per_person: list[PersonMean]


class PeopleResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that embeddings of known people allow to measure."""

    people: int
    pictures: int
    all_pairs: list[AllPairs]
    closed_set: ClosedSet | None
    open_set: OpenSet | None


def judge_pairs(
    name: str,
    scores: NDArray[np.float64],
    same: NDArray[np.bool_],
    folds: int,
    shared_people: int = 0,
) -> PairResult:
    """Return the results of a pair list.

    Raises:
        DataError: fewer pairs than folds.
    """
    accuracy = verification_accuracy(scores, same, folds)
    right = [
        (scores[block] > threshold) == same[block]
        for block, threshold in zip(
            np.array_split(np.arange(same.size), folds), accuracy.thresholds, strict=True
        )
    ]
    return PairResult(
        name=name,
        pairs=int(same.size),
        accuracy=accuracy,
        pooled=proportion(np.concatenate(right)),
        tar=_rate(scores[same], scores[~same], 1e-3),
        shared_people=shared_people,
    )


def judge_people(units: Units, person: Identities) -> PeopleResult:
    """Return the results of unit embeddings [N, d] of people [N]."""
    _, first, counts = np.unique(person, return_index=True, return_counts=True)
    return PeopleResult(
        people=int(first.size),
        pictures=int(person.size),
        all_pairs=tar_over_all_pairs(units, person),
        closed_set=_closed_set(units, person, first),
        open_set=_open_set(units, person, first, counts),
    )


def _closed_set(units: Units, person: Identities, first: NDArray[np.intp]) -> ClosedSet | None:
    probes = np.setdiff1d(np.arange(person.size), first)
    if probes.size == 0:
        return None
    ranking = rank_probes(units[probes] @ units[first].T, person[probes], person[first])
    return ClosedSet(
        gallery=int(first.size),
        probes=int(probes.size),
        rank_1=rank_k(ranking, 1),
        rank_5=rank_k(ranking, 5),
        rank_1_per_person=rank_k_per_person(ranking),
    )


def _open_set(
    units: Units, person: Identities, first: NDArray[np.intp], counts: NDArray[np.intp]
) -> OpenSet | None:
    gallery, single = first[counts > 1], first[counts == 1]
    mated = np.setdiff1d(np.arange(person.size), first)
    if gallery.size == 0 or single.size == 0:
        return None
    probes = np.concatenate([mated, single])
    identity = np.concatenate([person[mated], np.full(single.size, UNMATED)])
    ranking = rank_probes(units[probes] @ units[gallery].T, identity, person[gallery])
    found = (tpir_at_fpir(ranking, fpir, first_rank_only=True) for fpir in FPIRS)
    rates = [rate for rate in found if rate is not None]
    mate, impostor = ranking.mate[ranking.mated], ranking.impostor[ranking.mated]
    hits = [(mate > impostor) & (mate > _bound(rate)) for rate in rates]
    return OpenSet(
        gallery=int(gallery.size),
        mated=int(mated.size),
        unmated=int(single.size),
        rates=rates,
        per_person=[person_mean(hit, person[mated]) for hit in hits],
    )


def tar_over_all_pairs(units: Units, person: Identities) -> list[AllPairs]:
    """Return TAR at each FAR over all pairs of pictures; memory grows with N, not with N^2.

    Only as many of the highest impostor scores are kept as the largest FAR needs. A FAR that
    leaves fewer than ten impostor pairs is left out.
    """
    total = person.size * (person.size - 1) // 2
    keep = math.ceil(max(PAIR_FARS) * total) + 1
    genuine: list[NDArray[np.float32]] = []
    owners: list[Identities] = []
    highest, impostors = np.empty(0, np.float32), 0
    for start in range(0, person.size, BLOCK):
        block = units[start : start + BLOCK] @ units[start:].T
        own = person[start : start + BLOCK, None] == person[None, start:]
        later = np.arange(block.shape[1])[None] > np.arange(len(block))[:, None]
        genuine.append(block[own & later])
        owners.append(person[start + np.nonzero(own & later)[0]])
        foreign = block[~own & later]
        impostors += foreign.size
        highest = np.concatenate([highest, foreign])
        if highest.size > keep:
            highest = np.partition(highest, highest.size - keep)[-keep:]
    mates, owner = np.concatenate(genuine), np.concatenate(owners)
    if mates.size == 0:
        return []
    ordered = np.sort(highest)[::-1]
    return [
        _tail_rate(mates, owner, ordered, impostors, far)
        for far in PAIR_FARS
        if far * impostors >= RESOLVED
    ]


def _tail_rate(
    mates: NDArray[np.float32],
    owner: Identities,
    highest: NDArray[np.float32],
    impostors: int,
    far: float,
) -> AllPairs:
    """Return the rate at a threshold taken from the sorted highest impostor scores."""
    cutoff = float(highest[math.floor(far * impostors)])
    beyond = int(np.count_nonzero(highest > cutoff))
    rate = TarAtFar(
        far_target=far,
        threshold=cutoff,
        tar=proportion(mates > cutoff),
        far=Proportion(count=beyond, total=impostors, value=beyond / impostors),
    )
    return AllPairs(rate=rate, per_person=person_mean(mates > cutoff, owner))


def _rate(
    genuine: NDArray[np.float64], impostors: NDArray[np.float64], far: float
) -> TarAtFar | None:
    if genuine.size == 0 or impostors.size * far < 1:
        return None
    cutoff = fpir_cutoff(impostors, far)
    return TarAtFar(
        far_target=far,
        threshold=cutoff if math.isfinite(cutoff) else None,
        tar=proportion(genuine > cutoff),
        far=proportion(impostors > cutoff),
    )


def _bound(rate: OpenSetRate) -> float:
    return -math.inf if rate.threshold is None else rate.threshold
