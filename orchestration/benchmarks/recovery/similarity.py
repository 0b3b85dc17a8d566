"""How alike two luminance planes are: SSIM and PSNR of grey levels from 0 to 255."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["psnr_db", "ssim"]

Planes = NDArray[np.float32]

LARGEST: Final = 255.0
WINDOW: Final = 11
SPREAD: Final = 1.5
C1: Final = (0.01 * LARGEST) ** 2
C2: Final = (0.03 * LARGEST) ** 2


def ssim(first: Planes, second: Planes) -> NDArray[np.float64]:
    """Return the mean structural similarity of each pair of planes [B,H,W], float64 [B].

    Wang, Bovik, Sheikh and Simoncelli 2004: a Gaussian window of 11 by 11 pixels and deviation
    1.5, K1 = 0.01, K2 = 0.03, over the places at which the window lies inside.
    """
    x, y = first.astype(np.float64), second.astype(np.float64)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x**2
    variance_y = _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    upper = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    lower = (mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2)
    return np.asarray((upper / lower).mean(axis=(1, 2)))


def psnr_db(found: Planes, true: Planes) -> NDArray[np.float64]:
    """Return the peak signal-to-noise ratio of each plane [B,H,W]; infinite where they agree."""
    errors = np.square(found.astype(np.float64) - true).mean(axis=(1, 2))
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(LARGEST**2 / errors))


def _windowed(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh each window's pixels: [B,H,W] to [B,H-10,W-10]."""
    rows, columns = (_slid(length) for length in planes.shape[1:])
    return np.asarray(rows @ planes @ columns.T)


def _slid(length: int) -> NDArray[np.float64]:
    """Return the window at each of its places along an axis, [length-10, length]."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SPREAD**2))
    slid = np.zeros((length - WINDOW + 1, length))
    for place, row in enumerate(slid):
        row[place : place + WINDOW] = weights / weights.sum()
    return slid
