"""The Wilson score interval, for trials that are independent at a threshold fixed beforehand."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

__all__ = ["CONFIDENCE", "wilson_interval"]

CONFIDENCE: Final = 0.95


def wilson_interval(count: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion; (0, 1) when nothing was observed."""
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = count / total
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    centre, scale = share + z * z / (2 * total), 1 + z * z / total
    low = 0.0 if count == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if count == total else min(1.0, (centre + spread) / scale)
    return low, high
