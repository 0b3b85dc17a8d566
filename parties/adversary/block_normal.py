"""Weighted least squares on block coefficients, position by position.

A block's coefficients depend on 3x3 pixels, so whatever weight each of them has, their normal
equations at one position are a 9x9 matrix. Applying those matrices costs far less than applying
the transform and its adjoint, and allows a weight for every single coefficient.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.features.block_dct import BLOCK, COLUMN_TAPS
from protocol.features.spec import EDGE
from protocol.jit import kernel

__all__ = ["Planes", "adjoint_of", "apply_normal", "normal_matrices"]

Planes = NDArray[np.float32]

TAPS: Final = 3


def normal_matrices(weights: Planes) -> Planes:
    """Return the normal matrices of weights [64,112,112], float32 [112,9,9,112], columns last."""
    grid = weights.reshape(BLOCK, BLOCK, EDGE, EDGE)
    pairs = np.einsum("uia,uib->uiab", COLUMN_TAPS, COLUMN_TAPS).reshape(BLOCK, EDGE, TAPS**2)
    found = np.einsum("uvij,uip,vjq->ipqj", grid, pairs, pairs, optimize=True)
    split = found.reshape(EDGE, TAPS, TAPS, TAPS, TAPS, EDGE)  # row, row', column, column'
    return np.ascontiguousarray(split.transpose(0, 1, 3, 2, 4, 5)).reshape(EDGE, 9, 9, EDGE)


def adjoint_of(weighted: Planes) -> Planes:
    """Return the adjoint of the transform on weighted coefficients [B,64,112,112]: [B,112,112]."""
    grid = weighted.reshape(-1, BLOCK, BLOCK, EDGE, EDGE)
    padded = np.zeros((len(grid), EDGE + 2, EDGE + 2), np.float32)
    for down in range(TAPS):
        rows = np.einsum("tuvij,ui->tvij", grid, COLUMN_TAPS[:, :, down], optimize=True)
        for right in range(TAPS):
            found = np.einsum("tvij,vj->tij", rows, COLUMN_TAPS[:, :, right])
            padded[:, down : down + EDGE, right : right + EDGE] += found
    return np.ascontiguousarray(padded[:, 1:-1, 1:-1])


def apply_normal(matrices: Planes, planes: Planes) -> Planes:
    """Apply normal matrices to planes [B,112,112]."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    output = np.zeros_like(padded)
    _apply(matrices, padded, output, np.empty(EDGE, np.float32))
    return np.ascontiguousarray(output[:, 1:-1, 1:-1])


@kernel
def _apply(matrices: Planes, padded: Planes, output: Planes, line: Planes) -> None:
    for row in range(EDGE):
        for picture in range(padded.shape[0]):
            for target in range(9):
                line[:] = np.float32(0)
                for source in range(9):
                    factors = matrices[row, target, source]
                    values = padded[picture, row + source // 3]
                    shift = source % 3
                    for j in range(EDGE):
                        line[j] += factors[j] * values[j + shift]
                sums = output[picture, row + target // 3]
                shift = target % 3
                for j in range(EDGE):
                    sums[j + shift] += line[j]
