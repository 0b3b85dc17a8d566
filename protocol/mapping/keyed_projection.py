"""A keyed projection that is fast: secret signs, Hadamard transform, secret choice of entries.

K = S H D: D flips signs, H is the orthonormal Walsh-Hadamard transform of the next power of two,
S keeps a secret subset. Rows of K are orthonormal, so K^T K is a projection. Signs and subset come
from a 32-byte key; without it a projected vector tells its length and nothing else about its
direction. A *lifted* vector, which is what a gallery row is, lies near the original without any
key: at a cosine of sqrt(kept) or more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.sharing.prg import Seed

__all__ = ["KeyedProjection"]

Floats = NDArray[np.float64]


class KeyedProjection:
    """The projection of one key; made, used and dropped by the client that enrols."""

    def __init__(self, seed: Seed, length: int, kept: float) -> None:
        """Expand a key.

        Args:
            seed: the key.
            length: entries of the vectors to be projected.
            kept: share of the transformed entries the projection keeps, in (0, 1].
        """
        self._length = length
        self._size = 1 << (length - 1).bit_length()
        words = seed.expand("mapping projection", (2, self._size), np.dtype("<u8"))
        self._signs = np.where(words[0] >> np.uint64(63), 1.0, -1.0)
        count = max(1, round(kept * self._size))
        # Sorting random words permutes uniformly; two of 2^64 values coincide practically never.
        self._chosen = np.sort(np.argsort(words[1], kind="stable")[:count])

    def project(self, vectors: Floats) -> Floats:
        """Return K x, the protected template [..., k] of features [..., D]."""
        padded = np.zeros((*vectors.shape[:-1], self._size))
        padded[..., : self._length] = vectors
        return _hadamard(padded * self._signs)[..., self._chosen]

    def lift(self, templates: Floats) -> Floats:
        """Return K^T y, a row [..., D] whose product with features equals that of templates."""
        spread = np.zeros((*templates.shape[:-1], self._size))
        spread[..., self._chosen] = templates
        return (_hadamard(spread) * self._signs)[..., : self._length]


def _hadamard(vectors: Floats) -> Floats:
    """Return the orthonormal Walsh-Hadamard transform along the last axis, a power of two."""
    shape, size = vectors.shape, vectors.shape[-1]
    values, half = vectors, 1
    while half < size:
        pairs = values.reshape(*shape[:-1], size // (2 * half), 2, half)
        first, second = pairs[..., 0, :], pairs[..., 1, :]
        values = np.stack([first + second, first - second], axis=-2)
        half *= 2
    return np.asarray(values.reshape(shape) / np.sqrt(size))
