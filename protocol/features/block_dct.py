"""Block DCT of an eightfold upsampled picture, without ever upsampling it.

Upsampling (bilinear, corners aligned), colour conversion and the orthonormal 8x8 DCT-II are
linear, so coefficient (u, v) of a plane X is `A_u X A_v^T`, and row i of every A_u is non-zero
at columns i-1, i, i+1 only. The transform is therefore a stencil of three taps along each axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.features.spec import EDGE

if TYPE_CHECKING:
    from numpy import float32, float64
    from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "COLUMN_TAPS",
    "ROW_TAPS",
    "analysis_operators",
    "dct_basis",
]

BLOCK: Final = 8


def dct_basis() -> NDArray[float64]:
    """Return the orthonormal DCT-II basis [8,8]; row u is frequency u."""
    frequency, sample = np.mgrid[0:BLOCK, 0:BLOCK]
    basis = np.sqrt(2.0 / BLOCK) * np.cos(np.pi * frequency * (2 * sample + 1) / (2 * BLOCK))
    basis[0] /= np.sqrt(2.0)
    return np.asarray(basis)


def analysis_operators() -> NDArray[float64]:
    """Return the dense operators A_u, float64 [8,112,112] (the adjoint is their transpose)."""
    fine = EDGE * BLOCK
    position = np.arange(fine) * (EDGE - 1) / (fine - 1)
    left = np.minimum(position.astype(np.int64), EDGE - 2)
    upsampling = np.zeros((fine, EDGE))
    upsampling[np.arange(fine), left] = 1 - (position - left)
    upsampling[np.arange(fine), left + 1] = position - left
    blocks = upsampling.reshape(EDGE, BLOCK, EDGE)
    return np.asarray(np.einsum("uk,ikj->uij", dct_basis(), blocks))


def _taps() -> NDArray[float32]:
    """Return the non-zeros of the operators, float32 [8,112,3], at columns i-1, i, i+1."""
    padded = np.pad(analysis_operators(), ((0, 0), (0, 0), (1, 1)))
    row = np.arange(EDGE)
    return np.stack([padded[:, row, row + tap] for tap in range(3)], axis=-1).astype(np.float32)


COLUMN_TAPS: Final = _taps()
"""Taps of the pass across block rows, float32 [8,112,3]."""

ROW_TAPS: Final = np.ascontiguousarray(COLUMN_TAPS.transpose(0, 2, 1))
"""The same taps for the pass along a line, float32 [8,3,112]."""
