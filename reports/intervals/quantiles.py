"""Thresholds from impostors' scores: the loosest one whose false alarms stay within a target."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "cutoffs", "fpir_cutoff"]

ROUNDING: Final = 1e-9


def fpir_cutoff(unmated_best: NDArray[Any], fpir: float) -> float:
    """Return the score that entries must exceed so that at most `fpir` of the probes alarm."""
    allowed = math.floor(fpir * unmated_best.size + ROUNDING)
    if allowed >= unmated_best.size:
        return -math.inf
    place = unmated_best.size - allowed - 1
    return float(np.partition(unmated_best, place)[place])


def cutoffs(
    falling: NDArray[Any],
    weights: NDArray[np.float64],
    totals: NDArray[np.float64],
    rate: float,
    *,
    beyond: float = -math.inf,
) -> NDArray[np.float64]:
    """Return for each resample the score to exceed so that at most `rate` of the weight does.

    Args:
        falling: scores [S] from the highest down.
        weights: how often each counts, [B, S].
        totals: the weight of all scores [B], of which `falling` may be the highest only.
        rate: share of the weight that may exceed the score.
        beyond: the answer where even all of `falling` is within the target.
    """
    allowed = np.floor(rate * totals + ROUNDING)
    places = (np.cumsum(weights, axis=1) <= allowed[:, None]).sum(axis=1)
    found: NDArray[np.float64] = np.append(falling.astype(np.float64), beyond)[places]
    return found
