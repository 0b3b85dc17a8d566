"""Accuracy on a pair list in folds, each judged with the threshold that is best on the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.intervals.pairs import pair_weights
from reports.intervals.resampling import Counts, shares_of

__all__ = ["FoldedPairs"]


@dataclass(frozen=True)
class FoldedPairs:
    """The share of pairs judged rightly; a resample of people finds every fold's threshold again.

    Attributes:
        scores: [P].
        same: which pairs are of one person, [P].
        fold: the fold of each pair, [P].
        first: the person of its one picture, [P], numbered from 0.
        second: of its other picture, [P]; as `first` where they are the same person.
        people: how many people the list has.
    """

    scores: NDArray[np.floating[Any]]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    people: int

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people there are."""
        return (self.people,)

    @property
    def width(self) -> int:
        """Numbers per resample."""
        return max(self.people, self.scores.size)

    def at(self, counts: Counts) -> NDArray[np.float64]:
        """Return the share of pairs judged rightly in each resample."""
        order = np.argsort(self.scores, kind="stable")
        scores, same, fold = self.scores[order], self.same[order], self.fold[order]
        weights = pair_weights(counts, self.first[order], self.second[order])
        cuts = np.concatenate([[0], np.flatnonzero(np.diff(scores)) + 1, [scores.size]])
        right = np.zeros(len(counts))
        for number in np.unique(fold):
            held_out = fold == number
            bounds = _best_thresholds(scores, weights * ~held_out, same, cuts)
            judged = (scores[held_out][None] > bounds[:, None]) == same[held_out]
            right += (judged * weights[:, held_out]).sum(axis=1)
        return shares_of(right, weights.sum(axis=1))


def _best_thresholds(
    rising: NDArray[Any],
    weights: NDArray[np.float64],
    same: NDArray[np.bool_],
    cuts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return each resample's best threshold, between two scores that count (the lowest of equals).

    Args:
        rising: scores [P].
        weights: how often each counts, [B, P].
        same: which pairs are of one person, [P].
        cuts: how many scores may lie below a threshold, so that equal ones stay together.
    """
    gain = np.cumsum(np.where(same, -weights, weights), axis=1)
    gain = np.concatenate([np.zeros((len(gain), 1)), gain], axis=1)[:, cuts]
    below = cuts[np.argmax(gain, axis=1)]
    places = np.where(weights > 0, np.arange(rising.size), rising.size)
    following = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    following = np.concatenate([following, np.full((len(gain), 1), rising.size)], axis=1)
    above = np.take_along_axis(following, below[:, None], axis=1)[:, 0]
    padded = np.concatenate([rising.astype(np.float64), [np.inf]])
    lower = np.where(below > 0, padded[np.maximum(below - 1, 0)], -np.inf)
    bounds: NDArray[np.float64] = np.where(
        (below > 0) & (above < rising.size), (lower + padded[above]) / 2, lower
    )
    return np.where(above == rising.size, np.inf, bounds)
