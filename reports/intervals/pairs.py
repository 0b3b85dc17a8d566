"""TAR at a target FAR over pairs of pictures, whose pairs share pictures and people.

N pictures make N(N-1)/2 pairs, but only as many independent things as there are people. A resample
draws people; a pair within person i counts w_i times and a pair of persons i and j counts
w_i * w_j times, so that all pairs of somebody drawn often or never move together, and copies of
one person are no impostors of each other. The threshold is found again among the weighted impostor
pairs. Only the highest of them can set it: of a large trial the others enter by their number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.intervals.open_set import shares_above
from reports.intervals.quantiles import cutoffs
from reports.intervals.resampling import Counts

__all__ = ["PairRate", "PairTotals", "pair_weights", "tail_size"]

TAIL_FACTOR: Final = 3.0  # how many times more impostor pairs to keep than a target lets pass
TAIL_LEAST: Final = 100


def tail_size(far: float, pairs: int) -> int:
    """Return how many of the highest impostor scores resamples at this FAR can need."""
    return min(pairs, math.ceil(TAIL_FACTOR * far * pairs) + TAIL_LEAST)


def pair_weights(
    counts: Counts, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how often each pair counts, [B, pairs]; one within a person as often as the person."""
    once: NDArray[np.float64] = counts[:, first]
    return np.where(first == second, once, once * counts[:, second])


@dataclass(frozen=True)
class PairTotals:
    """How many impostor pairs a resample has, from the pictures each person takes part with.

    Attributes:
        left: pictures of each person on one side of the pairs, [people].
        right: on the other side, [people].
        unordered: both sides are the same pictures, and every pair counts once.
        met: instead, how many pairs persons i and j have, [people, people], where not everybody
            meets everybody; pairs within a person do not count.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    unordered: bool = False
    met: NDArray[np.float64] | None = None

    def at(self, counts: Counts) -> NDArray[np.float64]:
        """Return the weight of all impostor pairs in each resample."""
        if self.met is not None:
            foreign = self.met - np.diag(np.diag(self.met))
            found: NDArray[np.float64] = ((counts @ foreign) * counts).sum(axis=1)
            return found
        all_pairs = (counts @ self.left) * (counts @ self.right)
        within = (counts * counts) @ (self.left * self.right)
        return (all_pairs - within) / (2 if self.unordered else 1)


@dataclass(frozen=True)
class PairRate:
    """TAR over genuine pairs at the loosest threshold whose FAR over impostor pairs is in target.

    People are numbered: first those who are resampled together, then strangers, if any.

    Attributes:
        genuine: scores [G].
        owner: the person of each, [G].
        impostor: scores [T] of all impostor pairs, or of the highest.
        first: one person of each, [T].
        second: the other, [T]; equal to `first` where nobody is named and pairs are drawn whole.
        people: how many people each stratum has.
        far: the target.
        totals: how many impostor pairs there are; None where `impostor` holds all of them.
        per_person: every person with genuine pairs weighs one.
    """

    genuine: NDArray[np.floating[Any]]
    owner: NDArray[np.int64]
    impostor: NDArray[np.floating[Any]]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    people: tuple[int, ...]
    far: float
    totals: PairTotals | None = None
    per_person: bool = False

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people each stratum has."""
        return self.people

    @property
    def width(self) -> int:
        """Numbers per resample."""
        # Of the genuine pairs only those are looked at that a threshold excludes: seldom many.
        return max(self.genuine.size // 4, self._tail.size, sum(self.people))

    def at(self, counts: Counts) -> NDArray[np.float64]:
        """Return TAR in each resample, at its own threshold."""
        return shares_above(
            self.genuine[self._rising],
            self.owner[self._rising],
            counts,
            self._bounds(counts),
            per_person=self.per_person,
        )

    @property
    def bound(self) -> float:
        """The score to exceed, without any resampling."""
        return float(self._bounds(np.ones((1, sum(self.people))))[0])

    def _bounds(self, counts: Counts) -> NDArray[np.float64]:
        tail = self._tail
        weights = pair_weights(counts, self.first[tail], self.second[tail])
        totals = weights.sum(axis=1) if self.totals is None else self.totals.at(counts)
        # A tail that ends too early would hide a looser threshold: its end is the stricter bound.
        beyond = float(self.impostor[tail[-1]]) if tail.size < self.pairs else -math.inf
        return cutoffs(self.impostor[tail], weights, totals, self.far, beyond=beyond)

    @cached_property
    def _rising(self) -> NDArray[np.intp]:
        return np.argsort(self.genuine, kind="stable")

    @cached_property
    def pairs(self) -> int:
        """How many impostor pairs there are."""
        if self.totals is None:
            return self.impostor.size
        return round(float(self.totals.at(np.ones((1, sum(self.people))))[0]))

    @cached_property
    def _tail(self) -> NDArray[np.intp]:
        """The highest impostor pairs from the top: as many as a resample may need."""
        order = np.argsort(-self.impostor, kind="stable")
        if self.totals is None:
            return order
        return order[: tail_size(self.far, self.pairs)]
