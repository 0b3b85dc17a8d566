"""Fusion of the Y, Cb and Cr coefficients, expressed as a colour mixing before the transform.

`y_only`, `mean` and `sum` are linear, so mixing the planes first gives the same coefficients for
a third of the work. `maxabs` and `none` transform all three planes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy import float32, uint8
    from numpy.typing import NDArray

    from protocol.features.spec import Fusion

__all__ = ["JFIF", "luminance", "plane_mixing"]

JFIF: Final = np.array(
    [
        [0.299, 0.587, 0.114, -128.0],
        [-0.168736, -0.331264, 0.5, 0.0],
        [0.5, -0.418688, -0.081312, 0.0],
    ]
)
"""Weights of R, G, B and a constant for Y-128, Cb-128 and Cr-128, float64 [3,4]."""


def luminance(pictures: NDArray[uint8]) -> NDArray[float32]:
    """Return Y of pictures [...,3], float32 [...] from 0 to 255."""
    return np.asarray(pictures @ JFIF[0, :3].astype(np.float32), dtype=np.float32)


def plane_mixing(fusion: Fusion) -> NDArray[float32]:
    """Return the mixing from RGB to the planes that are transformed, float32 [1 or 3, 4]."""
    planes = {"y_only": JFIF[:1], "mean": JFIF.mean(0)[None], "sum": JFIF.sum(0)[None]}
    return np.ascontiguousarray(planes.get(fusion, JFIF), dtype=np.float32)
