"""TPIR at a target FPIR, where the threshold is estimated from the strangers of the same trial.

Only two numbers of every probe matter: of a mated one the best score of its own rows (minus
infinity where another row must not, but does, come first), of a stranger's the best score of any
row. A resample draws people and strangers, finds the threshold among the drawn strangers, and the
share of drawn people's probes above it; the gallery stays as it is.

A threshold at FPIR q is the score that a share q of strangers exceeds. Of S strangers none exceeds
it with probability (1 - q)^S. Where that is above 2.5 %, the true threshold may well lie above
every stranger that was seen, and no resampling of those seen can show how far: the lower bound of
TPIR is then no bound (`enough_strangers` is false), whatever number the resamples give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.intervals.quantiles import cutoffs
from reports.intervals.resampling import Counts, numbered, shares_of
from reports.intervals.wilson import CONFIDENCE

__all__ = ["OpenSearch", "enough_strangers", "shares_above"]

TAIL: Final = (1 - CONFIDENCE) / 2
DIGITS: Final = 12


def enough_strangers(strangers: int, fpir: float) -> bool:
    """Return whether so many strangers can bound TPIR at this FPIR from below."""
    return bool((1 - fpir) ** strangers <= TAIL)


@dataclass(frozen=True)
class OpenSearch:
    """TPIR at the loosest threshold whose FPIR does not exceed the target.

    Attributes:
        person: whose mated probe each is, [M].
        mate: its best own score, [M]; minus infinity where it is not found at any threshold.
        stranger: whose unmated probe each is, [S].
        impostor: its best score, [S].
        fpir: the target.
        per_person: every mated person weighs one.
    """

    person: NDArray[Any]
    mate: NDArray[np.floating[Any]]
    stranger: NDArray[Any]
    impostor: NDArray[np.floating[Any]]
    fpir: float
    per_person: bool = False

    @property
    def strata(self) -> tuple[int, ...]:
        """How many mated people, and how many strangers."""
        return numbered(self.person)[1], numbered(self.stranger)[1]

    @property
    def width(self) -> int:
        """Numbers per resample."""
        return max(self.mate.size, self.impostor.size)

    def at(self, counts: Counts) -> NDArray[np.float64]:
        """Return TPIR in each resample, at its own threshold."""
        index, people = numbered(self.person)
        stranger, _ = numbered(self.stranger)
        order = np.argsort(-self.impostor, kind="stable")
        weights = counts[:, people:][:, stranger[order]]
        bounds = cutoffs(self.impostor[order], weights, weights.sum(axis=1), self.fpir)
        found = np.argsort(self.mate, kind="stable")
        return shares_above(
            self.mate[found], index[found], counts[:, :people], bounds, per_person=self.per_person
        )


def shares_above(
    rising: NDArray[Any],
    owner: NDArray[np.int64],
    counts: Counts,
    bounds: NDArray[np.float64],
    *,
    per_person: bool,
) -> NDArray[np.float64]:
    """Return which share of what resampled people own exceeds the bound of each resample.

    Only what some bound excludes is looked at one by one, which is little.

    Args:
        rising: scores [M] from the lowest up.
        owner: the person of each, [M].
        counts: how often each person was drawn, [B, people].
        bounds: the score to exceed in each resample, [B].
        per_person: every person who owns anything weighs one.
    """
    owned = np.bincount(owner, minlength=counts.shape[1])
    scale = 1 / np.maximum(owned, 1) if per_person else np.ones(owned.size)
    totals = counts @ (owned * scale)
    places = np.searchsorted(rising, bounds, side="right")
    some = owner[: int(places.max())]
    below = np.cumsum(counts[:, some] * scale[some], axis=1)
    below = np.concatenate([np.zeros((len(counts), 1)), below], axis=1)
    missed = np.take_along_axis(below, places[:, None], axis=1)[:, 0]
    # Sums of parts of a person are whole again: everybody missed is 0, not a rounding error.
    return np.round(shares_of(np.maximum(totals - missed, 0.0), totals), DIGITS)
