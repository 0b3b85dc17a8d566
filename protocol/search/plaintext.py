"""The quantised plaintext oracle: the same integers, no shares. Every secure result must equal it.

This file shares no code with the secure path on purpose.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["best", "matches", "scores", "settle_ties"]

BLOCK_ROWS = 1 << 14
"""Rows widened to double precision at a time."""


def scores(rows: npt.NDArray[np.integer], probes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return exact integer inner products [B,N] of probes [B,D] and rows [N,D].

    Double precision is exact here: every partial sum stays below 2^53 for both rings.
    """
    wide, exact = probes.astype(np.float64), np.empty((len(probes), len(rows)), dtype=np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        exact[:, block] = wide @ rows[block].astype(np.float64).T
    return exact


def matches(scores: npt.NDArray[np.int64], threshold: int) -> npt.NDArray[np.bool_]:
    """Return which scores reach the threshold."""
    return scores >= threshold


def best(scores: npt.NDArray[np.int64], threshold: int, k: int) -> npt.NDArray[np.int64]:
    """Return the rows [B,k] of the k largest scores that reach the threshold, -1 beyond them.

    Of equal scores the lower row comes first; a secure search may order them otherwise.
    """
    k = min(k, scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    reached = np.take_along_axis(scores, order, axis=1) >= threshold
    return np.where(reached, order, -1).astype(np.int64)


def settle_ties(
    found: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64], scores: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return `wanted` [B,k] with rows of equal score named as `found` names them.

    A probe's answer is taken over only if it names different rows with the wanted scores, in
    order; otherwise its wanted rows stay.
    """
    settled = wanted.copy()
    for probe, (named, right) in enumerate(zip(found, wanted, strict=True)):
        rows, expected = named[named >= 0], right[right >= 0]
        distinct = len(np.unique(rows)) == len(rows) == len(expected)
        if distinct and np.array_equal(scores[probe, rows], scores[probe, expected]):
            settled[probe] = named
    return settled
