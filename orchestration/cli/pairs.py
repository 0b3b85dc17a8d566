"""Pair lists of a trial, as reports judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.accuracy.trials import Pairs
    from reports.recognition import PairList

__all__ = ["listed"]


def listed(found: Pairs) -> PairList:
    """Return the cosines of a list with the people they are of."""
    from reports.recognition import PairList

    return PairList(found.name, found.scores, found.same, found.folds, found.first, found.second)
