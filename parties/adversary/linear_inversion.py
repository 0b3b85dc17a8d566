"""Attack A1: recover a face from noisy frequency features by linear least squares, no training.

The transform of method reference 2.2 is linear and known. With noise of known scale, the most
plausible luminance plane X under a Gaussian smoothness prior minimises

    sum_uv |A_u X A_v^T - F_uv|^2 / variance + smooth |grad X|^2 + level |X|^2

and is found by conjugate gradients. Every element has a weight of its own, as its noise has (see
`block_normal`). Fused channels are read as luminance, which they mostly are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parties.adversary.block_normal import (
    Planes,
    adjoint_of,
    apply_normal,
    normal_matrices,
)
from protocol.features.block_dct import BLOCK, analysis_operators
from protocol.features.spec import EDGE

__all__ = ["misfit", "recover_from_channels", "recover_from_plane"]

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
        noise_variance: noise variance of each channel [63] or of each element [63, 112, 112], not
            below a rounding error, infinite for what was not sent.

    Returns:
        float32 [B, 112, 112].
    """
    weights = np.zeros((BLOCK * BLOCK, EDGE, EDGE), np.float32)
    variance = noise_variance if noise_variance.ndim > 1 else noise_variance[:, None, None]
    weights[1:] = 1.0 / variance
    matrices = normal_matrices(weights)
    right = np.concatenate(
        [_right_side(channels[i : i + 1], weights) for i in range(len(channels))]
    )
    return _solve(lambda planes: apply_normal(matrices, planes), right)


def misfit(
    planes: Planes, channels: Planes, noise_variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far planes are from explaining noisy channels: weighted squares, [B].

    Args:
        planes: float32 [B, 112, 112].
        channels: float32 [B, 63, 112, 112].
        noise_variance: of each element [63, 112, 112], infinite for what was not sent.
    """
    operators = analysis_operators().astype(np.float32)
    total = np.zeros(len(planes))
    for channel in np.flatnonzero(np.isfinite(noise_variance).any(axis=(1, 2))):
        down, right = divmod(int(channel) + 1, BLOCK)
        explained = operators[down] @ planes @ operators[right].T
        squares = np.square(explained - channels[:, channel]) / noise_variance[channel]
        total += squares.sum(axis=(1, 2))
    return total


def _right_side(channels: Planes, weights: Planes) -> Planes:
    weighted = np.zeros((len(channels), BLOCK * BLOCK, EDGE, EDGE), np.float32)
    np.multiply(channels, weights[1:], out=weighted[:, 1:])
    return adjoint_of(weighted)


def recover_from_plane(
    plane: Planes, noise_variance: float | NDArray[np.float64], pool: int = 1
) -> Planes:
    """Return the planes most plausible given noisy means of pool x pool pixels.

    Args:
        plane: float32 [B, 112 / pool, 112 / pool], minus 128.
        noise_variance: of the means, or of each of them [112 / pool, 112 / pool].
        pool: side of the squares that were averaged.

    Returns:
        float32 [B, 112, 112].
    """
    weight = np.asarray(1.0 / np.asarray(noise_variance), dtype=np.float32)
    means = np.repeat(np.eye(EDGE // pool, dtype=np.float32), pool, axis=1) / np.float32(pool)

    def normal(planes: Planes) -> Planes:
        return np.asarray(means.T @ (weight * (means @ planes @ means.T)) @ means)

    return _solve(normal, np.asarray(means.T @ (weight * plane) @ means))


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
