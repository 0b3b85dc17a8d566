"""Noise on the pixels themselves: every later number is computed from the noisy picture.

A block's 63 coefficients carry eight degrees of freedom, and colour patterns come from the same
pixels again: noise drawn per coefficient and per bit pays for each of them. Noise drawn once per
pixel value pays for 3 * 112 * 112 numbers, and its budget covers all that is sent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.features.pipeline import laplace

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from protocol.features.noise import NoiseSource

__all__ = ["PIXEL_RANGE", "noisy_pictures", "pixel_sampling_slack"]

PIXEL_RANGE: Final = 255.0


def noisy_pictures(pictures: NDArray[uint8], epsilon: float, source: NoiseSource) -> NDArray[uint8]:
    """Add Laplace noise of scale 255/epsilon to every value of uint8 [B,112,112,3] pictures.

    Rounding to whole grey levels and clamping to 0..255 come after the noise and cost nothing.
    """
    noisy = np.empty_like(pictures)
    for picture, target in zip(pictures, noisy, strict=True):
        draws = laplace(*source.laplace_words(picture.size)).reshape(picture.shape)
        values = picture + np.float32(PIXEL_RANGE / epsilon) * draws
        target[...] = np.rint(np.clip(values, 0, PIXEL_RANGE)).astype(np.uint8)
    return noisy


def pixel_sampling_slack(epsilon: float) -> float:
    """Bound how much finite resolution adds to epsilon per pixel value.

    As for coefficients: a grey level's probability is off by at most two steps of the 47-bit
    uniform and by the float32 error of its two edges, relative to the rarest level.
    """
    cell = epsilon / PIXEL_RANGE
    rarest = 0.5 * math.exp(-epsilon) * (1.0 - math.exp(-cell))
    edge_error = 4.0 * float(np.finfo(np.float32).eps) * 2.0 * max(epsilon, 1.0)
    return 2.0 * (2.0 * 2.0**-47 / rarest + 2.0 * edge_error / cell)
