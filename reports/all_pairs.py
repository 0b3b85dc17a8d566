"""All pairs of pictures of known people: TAR at FARs that a few of millions of pairs decide."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import PairRate, PairTotals, estimate, numbered, tail_size
from reports.metrics import PersonMean, TarAtFar, tar_of
from reports.proportions import mean_of

__all__ = ["PAIR_FARS", "AllPairs", "pairs_at", "tar_over_all_pairs"]

Units = NDArray[np.float32]
Identities = NDArray[np.int64]

PAIR_FARS: Final = (1e-3, 1e-4, 1e-5)
BLOCK: Final = 512
RESOLVED: Final = 10  # impostor pairs beyond a threshold, below which a rate says little


class AllPairs(msgspec.Struct, frozen=True, kw_only=True):
    """TAR over all pairs of pictures, and the same with every person weighing one.

    A person with many pictures gives most of the pairs: the figure to quote is `per_person`. Both
    intervals resample people, so that pairs which share one move together (`reports.intervals`).
    """

    rate: TarAtFar
    per_person: PersonMean


def tar_over_all_pairs(units: Units, person: Identities) -> list[AllPairs]:
    """Return TAR at each FAR over all pairs of pictures; memory grows with N, not with N^2.

    A FAR that leaves fewer than ten impostor pairs is left out.
    """
    found = []
    for rate in pairs_at(units, person):
        mean = estimate(replace(rate, per_person=True))
        people = int(np.unique(rate.owner).size)
        found.append(AllPairs(rate=tar_of(rate), per_person=mean_of(people, mean)))
    return found


def pairs_at(units: Units, person: Identities) -> list[PairRate]:
    """Return what is resampled of all pairs, at each FAR of `PAIR_FARS` that is resolved.

    Only as many of the highest impostor scores are kept as the largest FAR can need.
    """
    index, people = numbered(person)
    counts = np.bincount(index).astype(np.float64)
    totals = PairTotals(counts, counts, unordered=True)
    impostors = round(float(totals.at(np.ones((1, people)))[0]))
    genuine, owner, tail = _scan(units, index, tail_size(max(PAIR_FARS), impostors))
    if genuine.size == 0:
        return []
    return [
        PairRate(
            genuine=genuine,
            owner=owner,
            impostor=tail[0],
            first=tail[1],
            second=tail[2],
            people=(people,),
            far=far,
            totals=totals,
        )
        for far in PAIR_FARS
        if far * impostors >= RESOLVED
    ]


Tail = tuple[NDArray[np.float32], Identities, Identities]


def _scan(
    units: Units, person: Identities, keep: int
) -> tuple[NDArray[np.float32], Identities, Tail]:
    """Return genuine scores and the `keep` highest impostors', with their people."""
    genuine: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    owners: list[Identities] = [np.empty(0, np.int64)]
    tail: Tail = (np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.int64))
    floor = -math.inf
    for start in range(0, person.size, BLOCK):
        block = units[start : start + BLOCK] @ units[start:].T
        own = person[start : start + BLOCK, None] == person[None, start:]
        later = np.arange(block.shape[1])[None] > np.arange(len(block))[:, None]
        genuine.append(block[own & later])
        owners.append(person[start + np.nonzero(own & later)[0]])
        one, two = np.nonzero(~own & later & (block >= floor))
        tail = _highest(tail, (block[one, two], person[start + one], person[start + two]), keep)
        if tail[0].size == keep:
            floor = float(tail[0].min())
    return np.concatenate(genuine), np.concatenate(owners), tail


def _highest(tail: Tail, more: Tail, keep: int) -> Tail:
    scores = np.concatenate([tail[0], more[0]])
    one, two = (np.concatenate([tail[side], more[side]]) for side in (1, 2))
    if scores.size > keep:
        kept = np.argpartition(scores, scores.size - keep)[-keep:]
        return scores[kept], one[kept], two[kept]
    return scores, one, two
