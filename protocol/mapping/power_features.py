"""The linear form of a mapped comparison: every strict 1:N score is one inner product.

With power features phi(v) = (1, v, v^2, ..., v^m), the numerator of a score under any key is
<phi(v), M>, where the row M folds key and protected template together at enrolment. The client
that enrols keeps its key; the provider computes phi(v) without any key. Source: method
reference, section 7 (linear form) and 6.3 (centring per key).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.mapping.keys import MappingKey
from protocol.mapping.polyprotect import protect, window_positions

__all__ = ["KeyStatistics", "fold", "key_statistics", "mapped_row", "power_features"]


class KeyStatistics(NamedTuple):
    """What a key does to the public cohort: mean mapped template [k] and mean distance to it."""

    mean: NDArray[np.float64]
    norm: float


def power_features(embeddings: NDArray[np.float64], terms: int) -> NDArray[np.float64]:
    """Return phi(v) as [..., m + 1, n]: the powers 1..m of each entry, after a constant block.

    Block 0 holds the constant 1 in its first entry and zeros elsewhere.
    """
    constant = np.zeros_like(embeddings)
    constant[..., 0] = 1.0
    powers = [embeddings**exponent for exponent in range(1, terms + 1)]
    return np.stack([constant, *powers], axis=-2)


def fold(
    key: MappingKey, weights: NDArray[np.float64], dimension: int, overlap: int
) -> NDArray[np.float64]:
    """Return M [m + 1, n] with <phi(v), M> = sum over w of P_w(v) * weights_w for every v.

    Block 0 is left at zero for the caller's constant.
    """
    terms = len(key.exponents)
    positions = window_positions(dimension, terms, overlap)
    folded = np.zeros((terms + 1, dimension + 1))
    blocks = np.broadcast_to(np.array(key.exponents), positions.shape)
    values = weights[:, None] * np.array(key.coefficients, dtype=np.float64)[None, :]
    np.add.at(folded, (blocks, positions), values)
    return folded[:, :dimension]


def key_statistics(
    key: MappingKey, cohort: NDArray[np.float64], overlap: int, *, centred: bool
) -> KeyStatistics:
    """Return a key's statistics on public unit embeddings [c, n]; mean 0 unless centred."""
    mapped = protect(cohort, key, overlap)
    mean = mapped.mean(axis=0) if centred else np.zeros(mapped.shape[1])
    return KeyStatistics(mean, float(np.linalg.norm(mapped - mean, axis=1).mean()))


def mapped_row(
    unit: NDArray[np.float64], key: MappingKey, statistics: KeyStatistics, overlap: int
) -> NDArray[np.float64]:
    """Return the row M [m + 1, n] whose product with phi(v) approximates a cosine.

    The score is <P(v) - mean, G> / (|G| * norm) with G = P(unit) - mean: the probe's own norm
    is replaced by the key's mean norm on the cohort, so that it stays linear in phi(v).
    """
    template = protect(unit, key, overlap) - statistics.mean
    weights = template / (float(np.linalg.norm(template)) * statistics.norm)
    row = fold(key, weights, unit.shape[-1], overlap)
    row[0, 0] = -float(statistics.mean @ weights)
    return row
