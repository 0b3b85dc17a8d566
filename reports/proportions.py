"""Shares as they are written to results: what was counted, and what it tells with its interval."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import Estimate, Share, estimate, numbered, wilson_interval

__all__ = ["PersonMean", "Proportion", "mean_of", "person_mean", "proportion", "share_of"]

Identities = NDArray[np.int64]
Hits = NDArray[np.bool_]


class Proportion(msgspec.Struct, frozen=True, kw_only=True):
    """`count` out of `total`, with its interval; all None when total is 0.

    The bounds alone are None where one person gave all trials, or where a threshold was chosen so
    that the share is what it is.
    """

    count: int
    total: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


class PersonMean(msgspec.Struct, frozen=True, kw_only=True):
    """Mean over people, each weighing one, with an interval over people; None from one person."""

    people: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


def proportion(hits: Hits, person: Identities | None = None) -> Proportion:
    """Return how many of `hits` are true; `person` [T] tells whose trials are not independent."""
    count, total = int(np.count_nonzero(hits)), int(hits.size)
    if total == 0:
        return Proportion(count=0, total=0)
    if person is None or numbered(person)[1] == total > 1:
        low, high = wilson_interval(count, total)
        return Proportion(count=count, total=total, value=count / total, low=low, high=high)
    found = estimate(Share(person, hits))
    return Proportion(count=count, total=total, value=count / total, low=found.low, high=found.high)


def person_mean(hits: Hits, identity: Identities) -> PersonMean:
    """Return the mean of `hits` with every person weighing one, however many probes each has."""
    if hits.size == 0:
        return PersonMean(people=0)
    return mean_of(numbered(identity)[1], estimate(Share(identity, hits, per_person=True)))


def share_of(count: int, total: int, found: Estimate | None) -> Proportion:
    """Return a proportion with the bounds of an estimate, or without bounds."""
    low, high = (None, None) if found is None else (found.low, found.high)
    return Proportion(count=count, total=total, value=count / total, low=low, high=high)


def mean_of(people: int, found: Estimate) -> PersonMean:
    """Return an estimate over so many people as their mean."""
    return PersonMean(people=people, value=found.value, low=found.low, high=found.high)
