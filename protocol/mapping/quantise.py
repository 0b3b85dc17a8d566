"""Rounding real vectors to integers whose inner products cannot leave the ring.

A vector is rounded so that its integer norm stays within a declared bound; two such vectors
then have a score bounded by Cauchy-Schwarz, whatever their dimension, so the secure score is
the integer score and never wraps. Everything here is public arithmetic on one party's own data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MAX_SCALE",
    "check_scale",
    "clamp_round",
    "largest_scale",
    "quantise_template",
    "unit_rows",
]

MAX_SCALE = 1 << 20
"""Largest norm bound: float64 and int64 stay exact far beyond it, int32 holds any entry."""

BLOCK_ROWS = 128
"""Rows rounded together: few enough to stay in the cache."""


def largest_scale(ring_bits: int) -> int:
    """Return the largest norm bound s with 2 s^2 < 2^(ring_bits - 1).

    Score and threshold both lie in [-s^2, s^2], so their difference keeps its sign in the ring.
    """
    limit = (1 << (ring_bits - 2)) - 1
    return min(int(np.floor(np.sqrt(limit))), MAX_SCALE)


def check_scale(scale: int, ring_bits: int) -> None:
    """Refuse a norm bound for which score minus threshold could wrap in the ring.

    Raises:
        ScenarioError: the bound is below 1 or 2 scale^2 reaches 2^(ring_bits - 1).
    """
    largest = largest_scale(ring_bits)
    if not 1 <= scale <= largest:
        message = f"scale {scale} does not fit a ring of {ring_bits} bits"
        hint = f"take a scale from 1 to {largest}, or a larger ring"
        raise ScenarioError(message, where="search.scale", hint=hint)


def unit_rows(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Divide vectors along the last axis by their Euclidean norm, without under- or overflow.

    Args:
        x: float [..., d], finite, no vector all zero.

    Raises:
        LocalProtocolError: an entry is not finite, or a vector has no direction.
    """
    values = np.asarray(x, dtype=np.float64)
    largest = np.max(np.abs(values), axis=-1, keepdims=True, initial=0.0)
    if not np.all(np.isfinite(largest)):
        message = "a vector to be normalised has an entry that is not finite"
        raise LocalProtocolError(message, hint="check the network that made the embedding")
    if not np.all(largest > 0.0):
        message = "a vector of zeros has no direction and cannot be normalised"
        raise LocalProtocolError(message, hint="check the network that made the embedding")
    scaled = values / largest
    return np.asarray(scaled / np.linalg.norm(scaled, axis=-1, keepdims=True), dtype=np.float64)


def clamp_round(x: NDArray[np.float64], bound: int) -> NDArray[np.int32]:
    """Round to integers with integer norm^2 <= bound^2, exactly.

    A real vector longer than the bound is first shrunk to it. Where rounding still pushes the
    integer norm over it, the entries that rounding moved furthest from zero take their
    truncated value instead, as few as are needed; with all of them truncated the vector is
    no longer than the real one, so this always ends within the bound.

    Args:
        x: float64 [..., d], finite.
        bound: largest integer norm allowed, 1..MAX_SCALE.

    Returns:
        int32 [..., d].

    Raises:
        LocalProtocolError: an entry is not finite or the bound is out of range.
    """
    _check_input(x, bound)
    rows = x.reshape(-1, x.shape[-1])
    result = np.empty(rows.shape, dtype=np.int32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        result[block] = _clamped(rows[block], bound)
    return result.reshape(x.shape)


def _clamped(rows: NDArray[np.float64], bound: int) -> NDArray[np.int64]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    target = rows * (bound / np.maximum(norms, bound))
    rounded: NDArray[np.int64] = np.rint(target).astype(np.int64)
    excess = np.einsum("bd,bd->b", rounded, rounded) - bound * bound
    _truncate_worst(target, rounded, excess)
    return rounded


def _check_input(x: NDArray[np.float64], bound: int) -> None:
    if not 1 <= bound <= MAX_SCALE:
        message = f"norm bound {bound} is not in 1..{MAX_SCALE}"
        raise LocalProtocolError(message)
    if not np.all(np.isfinite(x)):
        message = "a vector to be rounded has an entry that is not finite"
        raise LocalProtocolError(message, hint="check the network that made the embedding")


@kernel
def _truncate_worst(
    target: NDArray[np.float64], rounded: NDArray[np.int64], excess: NDArray[np.int64]
) -> None:
    """Move the fewest entries one step towards zero until each row has lost its excess."""
    for row in range(rounded.shape[0]):
        while excess[row] > 0:
            worst, furthest = -1, 0.0
            for entry in range(rounded.shape[1]):
                moved = abs(rounded[row, entry]) - abs(target[row, entry])
                if moved > furthest:
                    worst, furthest = entry, moved
            if worst < 0:
                break
            # One step towards zero; the entry is now short of its target, so it is not met again.
            excess[row] -= 2 * abs(rounded[row, worst]) - 1
            rounded[row, worst] -= 1 if rounded[row, worst] > 0 else -1


def quantise_template(x: NDArray[np.floating], scale: int) -> NDArray[np.int32]:
    """Round vectors to integer norm about `scale`, never above it.

    The inner product of two results, divided by scale^2, is the cosine of the inputs with a
    standard deviation of about 0.41 / scale, independent of d.

    Args:
        x: float [..., d], any positive length.
        scale: norm bound, 1..MAX_SCALE.

    Returns:
        int32 [..., d] with sum of squares <= scale^2.

    Raises:
        LocalProtocolError: an entry is not finite, a vector is zero, or the scale is out of range.
    """
    return clamp_round(unit_rows(x) * scale, scale)
