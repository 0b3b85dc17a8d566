"""Block DCT of an eightfold upsampled picture, without ever upsampling it.

Upsampling (bilinear, corners aligned), colour conversion and the orthonormal 8x8 DCT-II are
linear, so coefficient (u, v) of a plane X is `A_u X A_v^T`, and row i of every A_u is non-zero
at columns i-1, i, i+1 only. The transform is therefore a stencil of three taps along each axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.features.jit import inlined
from protocol.features.spec import EDGE

if TYPE_CHECKING:
    from numpy import float32, float64, uint8
    from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "COLUMN_TAPS",
    "ROW_TAPS",
    "analysis_operators",
    "dct_basis",
    "fill_line",
    "fill_planes",
    "fused_line",
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


@inlined
def fill_planes(
    picture: NDArray[uint8], mixing: NDArray[float32], planes: NDArray[float32]
) -> None:
    """Mix RGB into planes, float32 [P,114,114] with a border of zeros.

    `mixing` is float32 [P,4]: weights of R, G, B and a constant.
    """
    for plane in range(mixing.shape[0]):
        red, green, blue, constant = mixing[plane]
        for i in range(EDGE):
            target = planes[plane, i + 1]
            source = picture[i]
            for j in range(EDGE):
                target[j + 1] = (
                    red * np.float32(source[j, 0])
                    + green * np.float32(source[j, 1])
                    + blue * np.float32(source[j, 2])
                    + constant
                )


@inlined
def fill_line(
    planes: NDArray[float32], line: int, row_taps: NDArray[float32], target: NDArray[float32]
) -> None:
    """Transform padded line `line` of each plane along itself into `target` [P,8,112]."""
    for plane in range(planes.shape[0]):
        source = planes[plane, line]
        for v in range(BLOCK):
            first, second, third = row_taps[v, 0], row_taps[v, 1], row_taps[v, 2]
            output = target[plane, v]
            for j in range(EDGE):
                output[j] = (
                    first[j] * source[j] + second[j] * source[j + 1] + third[j] * source[j + 2]
                )


@inlined
def fused_line(
    above: NDArray[float32],
    here: NDArray[float32],
    below: NDArray[float32],
    taps: NDArray[float32],
    output: NDArray[float32],
) -> None:
    """Combine three transformed lines [P,8,112] into the channels [F,112] of one block row.

    With three planes and 63 channels, the coefficient of largest magnitude is kept with its
    sign (the first plane wins a tie); otherwise the planes' channels are stacked.
    `taps` is float32 [8,3].
    """
    largest = above.shape[0] == 3 and output.shape[0] == 63
    for u in range(BLOCK):
        first, second, third = taps[u, 0], taps[u, 1], taps[u, 2]
        for v in range(BLOCK):
            channel = BLOCK * u + v - 1
            if channel < 0:
                continue
            if largest:
                y0, y1, y2 = above[0, v], here[0, v], below[0, v]
                b0, b1, b2 = above[1, v], here[1, v], below[1, v]
                r0, r1, r2 = above[2, v], here[2, v], below[2, v]
                target = output[channel]
                for j in range(EDGE):
                    value = first * y0[j] + second * y1[j] + third * y2[j]
                    blue = first * b0[j] + second * b1[j] + third * b2[j]
                    red = first * r0[j] + second * r1[j] + third * r2[j]
                    value = blue if abs(blue) > abs(value) else value
                    target[j] = red if abs(red) > abs(value) else value
            else:
                for plane in range(above.shape[0]):
                    y0, y1, y2 = above[plane, v], here[plane, v], below[plane, v]
                    target = output[63 * plane + channel]
                    for j in range(EDGE):
                        target[j] = first * y0[j] + second * y1[j] + third * y2[j]
