"""The quantised plaintext oracle: the same integers, no shares. Every secure result must equal it.

This file shares no code with the secure path on purpose.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["matches", "scores"]


def scores(rows: npt.NDArray[np.integer], probes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return exact integer inner products [B,N] of probes [B,D] and rows [N,D].

    Double precision is exact here: every partial sum stays below 2^53 for both rings.
    """
    product = probes.astype(np.float64) @ rows.astype(np.float64).T
    return product.astype(np.int64)


def matches(scores: npt.NDArray[np.int64], threshold: int) -> npt.NDArray[np.bool_]:
    """Return which scores reach the threshold."""
    return scores >= threshold
