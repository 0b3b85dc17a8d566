"""Resampling people: how every interval of this project is made.

Theory of operation. A rate has two sources of chance: whose pictures were taken, and, where it has
a threshold, whose pictures set that threshold. Pictures of one person are alike, so the unit that
is drawn is the person, never the picture, the pair or the probe. A resample draws as many people
with replacement as there are, enrolled people and strangers each from their own; person i then
counts w_i times (0, 1, 2, ...). A statistic is a function of these counts that does *all* of its
work again: it finds the threshold that keeps its false alarms within the target among the
resampled strangers or impostor pairs, and the share of resampled people above it. The interval is
the range of the middle 95 % of 1,000 resamples (percentile bootstrap, fixed seed).

- Someone drawn twice is two people who happen to look alike, but never an impostor of themselves:
  a pair of people i and j counts w_i * w_j times, pairs within a person w_i times (`pairs.py`).
- Two systems on the same pictures are compared on the *same* resamples, each with its own
  threshold; the interval is that of the difference. A system minus itself is exactly 0, always.
- Where everybody succeeds, or nobody, resamples agree and say nothing about the next person: the
  bound is then at least as far as Wilson's, with one trial per person.
- From fewer than two people nothing is known about others: there is no interval.

What the intervals do not cover: another gallery (identification is resampled with the enrolled
rows as they are, "for this gallery": drawing rows too would make a person an impostor of their own
copy, and changes the size of the search), another choice of which picture is enrolled, another
training run or seed, other key draws, and mislabelled pictures. Fewer than about 3.7 / FPIR
strangers cannot bound a rate from below at all (`open_set.py`); the estimate says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals.wilson import CONFIDENCE, wilson_interval

__all__ = ["Counts", "Estimate", "Statistic", "difference", "estimate", "numbered", "shares_of"]

Counts = NDArray[np.float64]
Identities = NDArray[np.int64]

RESAMPLES: Final = 1000
SEED: Final = 0
BLOCK_ELEMENTS: Final = 2_000_000
LEAST_PEOPLE: Final = 2


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval; the bounds are None where too few people were drawn from."""

    value: float
    low: float | None = None
    high: float | None = None


class Statistic(Protocol):
    """Something measured on people, that can be measured again on a resample of them."""

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people each group has that is drawn from on its own."""

    @property
    def width(self) -> int:
        """How many numbers one resample takes in memory, to bound a block of them."""

    def at(self, counts: Counts) -> NDArray[np.float64]:
        """Return the rate [B] of resamples [B, people of all strata]; NaN where there is none."""


def estimate(statistic: Statistic, *, seed: int = SEED) -> Estimate:
    """Return a rate with its interval over resamples of its people."""
    value = _whole(statistic)
    if min(statistic.strata) < LEAST_PEOPLE:
        return Estimate(value=value)
    blocks = _draws(statistic.strata, statistic.width, seed)
    found = np.concatenate([statistic.at(counts) for counts in blocks])
    drawn = _summary(value, found)
    if value not in (0.0, 1.0) or drawn.low is None or drawn.high is None:
        return drawn
    people = statistic.strata[0]
    low, high = wilson_interval(round(value * people), people)
    return Estimate(value=value, low=min(low, drawn.low), high=max(high, drawn.high))


def difference(one: Statistic, other: Statistic, *, seed: int = SEED) -> Estimate:
    """Return one rate minus the other, paired: both on the same resamples of the same people.

    Raises:
        ValueError: the two were not measured on equally many people.
    """
    if one.strata != other.strata:
        raise ValueError(f"not measured on the same people: {one.strata} and {other.strata}")
    value = _whole(one) - _whole(other)
    if min(one.strata) < LEAST_PEOPLE:
        return Estimate(value=value)
    blocks = _draws(one.strata, max(one.width, other.width), seed)
    return _summary(value, np.concatenate([one.at(counts) - other.at(counts) for counts in blocks]))


def numbered(person: NDArray[Any]) -> tuple[Identities, int]:
    """Return people as numbers from 0, in order of their labels, and how many there are."""
    labels, index = np.unique(person, return_inverse=True)
    return index.astype(np.int64), int(labels.size)


def shares_of(hits: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weighted hits over weights; NaN where nothing weighs anything."""
    found: NDArray[np.float64] = np.full(hits.shape, np.nan)
    np.divide(hits, weights, out=found, where=weights > 0)
    return found


def _whole(statistic: Statistic) -> float:
    return float(statistic.at(np.ones((1, sum(statistic.strata))))[0])


def _summary(value: float, found: NDArray[np.float64]) -> Estimate:
    known = found[~np.isnan(found)]
    if known.size == 0:
        return Estimate(value=value)
    low, high = np.quantile(known, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def _draws(strata: tuple[int, ...], width: int, seed: int) -> Iterator[Counts]:
    """Yield how often each person was drawn, [B, people], a block of resamples at a time."""
    generators = [np.random.default_rng([seed, stratum]) for stratum in range(len(strata))]
    step = max(1, min(RESAMPLES, BLOCK_ELEMENTS // max(1, width, *strata)))
    for start in range(0, RESAMPLES, step):
        block = min(step, RESAMPLES - start)
        yield np.concatenate(
            [
                _counts(generator.integers(0, people, (block, people)), people)
                for generator, people in zip(generators, strata, strict=True)
            ],
            axis=1,
        )


def _counts(drawn: Identities, people: int) -> Counts:
    places = drawn + people * np.arange(len(drawn))[:, None]
    found = np.bincount(places.ravel(), minlength=len(drawn) * people)
    return found.reshape(len(drawn), people).astype(np.float64)
