"""Mixed products of a probe's entries: what the power features miss of a mapped probe's norm.

The squared norm of a mapped probe is a sum over windows of (sum of c_i z_i)^2, z_i the centred
power that term i reads. Its squares are linear in power features; of its mixed products
2 c_i c_j z_i z_j those of the first and the second power are by far the largest, since entries of
unit vectors are small. They need one feature for every ordered pair of entries that share a
window, the same for all keys, and the row carries 2 c_i c_j at the pairs its key combines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.mapping.keys import PolynomialKey
from protocol.mapping.polyprotect import window_positions

__all__ = ["CrossFeatures"]

FIRST, SECOND = 1, 2


class CrossFeatures:
    """Products of one entry's first power with another's square, pair by pair; public.

    Attributes:
        length: C, the ordered pairs of entries that share a window.
    """

    def __init__(self, dimension: int, terms: int, overlap: int) -> None:
        """Number the pairs.

        Args:
            dimension: n.
            terms: m; a single term has no pairs.
            overlap: entries neighbouring windows share.
        """
        self._width = dimension + 1
        self._dimension = dimension
        self._windows = window_positions(dimension, terms, overlap)
        first, second = (
            self._windows[:, pair].ravel() for pair in np.nonzero(~np.eye(terms, dtype=np.bool_))
        )
        within = (first < dimension) & (second < dimension)
        self._codes = np.unique(first[within] * self._width + second[within])
        self._first, self._second = np.divmod(self._codes, self._width)
        self.length = len(self._codes)

    def of(self, powers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the features [..., C] of centred powers [..., m, n]."""
        if not self.length:
            return np.zeros((*powers.shape[:-2], 0))
        return np.asarray(
            powers[..., FIRST - 1, self._first] * powers[..., SECOND - 1, self._second]
        )

    def fold(self, key: PolynomialKey) -> NDArray[np.float64]:
        """Return weights [C]: <features, weights> is the sum of a key's mixed products."""
        if not self.length:
            return np.zeros(0)
        one, two = key.exponents.index(FIRST), key.exponents.index(SECOND)
        first, second = self._windows[:, one], self._windows[:, two]
        within = (first < self._dimension) & (second < self._dimension)
        places = np.searchsorted(self._codes, (first * self._width + second)[within])
        weight = 2.0 * key.coefficients[one] * key.coefficients[two]
        counts = np.bincount(places, minlength=self.length)
        return weight * counts.astype(np.float64)
