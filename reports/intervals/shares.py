"""Shares of people's probes that succeed, at no threshold or at one fixed beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.intervals.resampling import Counts, numbered, shares_of

__all__ = ["Share"]


@dataclass(frozen=True)
class Share:
    """The share of trials that succeed, resampled over the people who gave them.

    Attributes:
        person: whose trial each is, [T].
        hits: which trials succeed, [T].
        per_person: every person weighs one, however many trials each has.
    """

    person: NDArray[Any]
    hits: NDArray[np.bool_]
    per_person: bool = False

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people there are."""
        return (numbered(self.person)[1],)

    @property
    def width(self) -> int:
        """Numbers per resample."""
        return self.strata[0]

    def at(self, counts: Counts) -> NDArray[np.float64]:
        """Return the share in each resample."""
        index, people = numbered(self.person)
        trials = np.bincount(index, minlength=people).astype(np.float64)
        successes = np.bincount(index, weights=self.hits, minlength=people).astype(np.float64)
        if self.per_person:
            successes /= trials
            trials = np.ones(people)
        return shares_of(counts @ successes, counts @ trials)
