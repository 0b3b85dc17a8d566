"""Attack A1: recover a face from noisy frequency features by linear least squares, no training.

The transform of method reference 2.2 is linear and known. With noise of known scale, the most
plausible luminance plane X under a Gaussian smoothness prior minimises

    sum_uv w_uv |A_u X A_v^T - F_uv|^2 + smooth |grad X|^2 + level |X|^2

and is found by conjugate gradients. Weights are one number per channel, so the normal operator is
eight pairs of small matrix products. Fused channels are read as luminance, which they mostly are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.features.block_dct import BLOCK, analysis_operators
from protocol.features.spec import EDGE

__all__ = ["recover_from_channels", "recover_from_plane"]

Planes = NDArray[np.float32]

STEP_SPREAD: Final = 12.0
"""Standard deviation of the difference of neighbouring pixels the prior assumes."""
LEVEL_SPREAD: Final = 60.0
"""Standard deviation of a pixel around mid grey the prior assumes."""
ROUNDS: Final = 120
TOLERANCE: Final = 1e-6
"""Squared residual, relative to the right side, at which rounds end."""


def recover_from_channels(channels: Planes, noise_variance: NDArray[np.float64]) -> Planes:
    """Return the luminance planes, minus 128, most plausible given noisy AC channels.

    Args:
        channels: float32 [B, 63, 112, 112], coefficient (u, v) at index 8 u + v - 1.
        noise_variance: mean noise variance of each channel [63], not below a rounding error,
            infinite for channels that were not sent.

    Returns:
        float32 [B, 112, 112].
    """
    operators = analysis_operators().astype(np.float32)
    weights = np.zeros(BLOCK * BLOCK)
    weights[1:] = 1.0 / noise_variance
    grid = weights.reshape(BLOCK, BLOCK).astype(np.float32)
    squares = operators.transpose(0, 2, 1) @ operators
    columns = np.einsum("uv,vij->uij", grid, squares)

    def normal(planes: Planes) -> Planes:
        terms = (squares[u] @ planes @ columns[u] for u in range(BLOCK))
        return np.asarray(sum(terms))

    return _solve(normal, _adjoint(channels, operators, grid))


def recover_from_plane(plane: Planes, noise_variance: float, pool: int = 1) -> Planes:
    """Return the planes most plausible given noisy means of pool x pool pixels.

    Args:
        plane: float32 [B, 112 / pool, 112 / pool], minus 128.
        noise_variance: of each mean.
        pool: side of the squares that were averaged.

    Returns:
        float32 [B, 112, 112].
    """
    weight = np.float32(1.0 / noise_variance)
    means = np.repeat(np.eye(EDGE // pool, dtype=np.float32), pool, axis=1) / np.float32(pool)

    def normal(planes: Planes) -> Planes:
        return np.asarray(weight * (means.T @ (means @ planes @ means.T) @ means))

    return _solve(normal, np.asarray(weight * (means.T @ plane @ means)))


def _adjoint(channels: Planes, operators: Planes, grid: Planes) -> Planes:
    found = np.zeros((len(channels), EDGE, EDGE), np.float32)
    for u in range(BLOCK):
        along = np.zeros((len(channels), EDGE, EDGE), np.float32)
        for v in range(BLOCK):
            if u + v:
                along += grid[u, v] * (channels[:, BLOCK * u + v - 1] @ operators[v])
        found += operators[u].T @ along
    return found


def _solve(normal: Callable[[Planes], Planes], right: Planes) -> Planes:
    """Solve (normal + prior) X = right by conjugate gradients, all pictures at once."""
    step = np.diff(np.eye(EDGE, dtype=np.float32), axis=0)
    smooth = (step.T @ step) / np.float32(STEP_SPREAD**2)
    level = np.float32(1.0 / LEVEL_SPREAD**2)

    def operator(planes: Planes) -> Planes:
        return np.asarray(normal(planes) + smooth @ planes + planes @ smooth + level * planes)

    found = np.zeros_like(right)
    residual = right.copy()
    direction, size = residual.copy(), _squares(residual)
    start = size
    for _ in range(ROUNDS):
        image = operator(direction)
        rate = size / np.maximum(_dots(direction, image), 1e-20)
        found += rate * direction
        residual -= rate * image
        following = _squares(residual)
        if np.all(following <= TOLERANCE * start):
            break
        direction *= following / np.maximum(size, 1e-20)
        direction += residual
        size = following
    return found


def _dots(first: Planes, second: Planes) -> Planes:
    return np.asarray((first * second).sum(axis=(1, 2), keepdims=True))


def _squares(values: Planes) -> Planes:
    return _dots(values, values)
