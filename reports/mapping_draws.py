"""Rates of a mapping over several draws of keys, and paired differences between mappings.

A draw has its own keys and its own choice of strangers and cohort; the enrolled people and their
probes are the same in all. A rate is the mean over draws. Its range over draws says what another
draw may give; its interval resamples people and strangers, in all draws alike, and finds each
draw's threshold again. Differences are taken on the same resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import Estimate, OpenSearch, Share, Statistic, difference, estimate
from reports.metrics import rank_probes

__all__ = ["Difference", "DrawnRate", "DrawnRates", "Searches", "drawn_rates", "rate_difference"]

FPIR = 0.01


class DrawnRate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate over draws.

    Attributes:
        mean: over draws, with its 95 % interval over people and strangers.
        draws: the rate of each draw.
    """

    mean: Estimate
    draws: list[float]


class DrawnRates(msgspec.Struct, frozen=True, kw_only=True):
    """Strict 1:N rates of one mapping over draws; TPIR asks the mate to be first, FPIR is 1 %."""

    rank_1: DrawnRate
    tpir: DrawnRate


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping's rates minus another's, on the same people, strangers and draws."""

    against: str
    rank_1: Estimate
    tpir: Estimate


@dataclass(frozen=True)
class _MeanOf:
    """The mean of statistics of the same people."""

    parts: list[Statistic]

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people each group has."""
        return self.parts[0].strata

    @property
    def width(self) -> int:
        """Numbers per resample."""
        return max(part.width for part in self.parts)

    def at(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean in each resample."""
        return np.asarray(np.mean([part.at(counts) for part in self.parts], axis=0))


@dataclass(frozen=True)
class Searches:
    """What the draws of one mapping leave of their scores.

    Attributes:
        first: which mates come first, of each draw.
        open_set: whether they also exceed the threshold of the target FPIR.
    """

    first: list[Statistic] = field(default_factory=list)
    open_set: list[Statistic] = field(default_factory=list)

    def add(self, scores: NDArray[Any], mated: int) -> None:
        """Take the scores [P, N] of one draw; its first `mated` probes are of the rows in order."""
        identity = np.full(len(scores), -1)
        identity[:mated] = np.arange(mated)
        ranking = rank_probes(scores, identity, np.arange(scores.shape[1]))
        people, strangers = np.arange(mated), np.arange(len(scores) - mated)
        first = (ranking.ahead == 0)[:mated]
        mate = np.where(first, ranking.mate[:mated], -np.inf)
        self.first.append(Share(people, first))
        self.open_set.append(OpenSearch(people, mate, strangers, ranking.impostor[mated:], FPIR))


def drawn_rates(searches: Searches) -> DrawnRates:
    """Return rank-1 and TPIR over the draws."""
    return DrawnRates(rank_1=_rate(searches.first), tpir=_rate(searches.open_set))


def rate_difference(one: Searches, other: Searches, against: str) -> Difference:
    """Return the rates of one mapping minus those of another, draw by draw on the same people."""
    return Difference(
        against=against,
        rank_1=difference(_MeanOf(one.first), _MeanOf(other.first)),
        tpir=difference(_MeanOf(one.open_set), _MeanOf(other.open_set)),
    )


def _rate(parts: Sequence[Statistic]) -> DrawnRate:
    whole = np.ones((1, sum(parts[0].strata)))
    draws = [float(part.at(whole)[0]) for part in parts]
    return DrawnRate(mean=estimate(_MeanOf(list(parts))), draws=draws)
