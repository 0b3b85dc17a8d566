"""The public grid on which frequency elements travel.

Each element has its own grid over its clip bounds. With noise the grid reaches further on both
sides; clipping and rounding after the noise use public numbers only, so they cost no privacy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.features.calibration import require_sensitivity

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from protocol.features.calibration import Calibration
    from protocol.features.spec import FeatureSpec

__all__ = ["NOISE_MARGIN", "WireGrid", "wire_error"]

NOISE_MARGIN: Final = 6.0
"""With noise the grid reaches this many noise scales beyond the bounds (1 draw in 400 is cut)."""


@dataclass(frozen=True, slots=True)
class WireGrid:
    """The grid of one feature specification, in units of each element's clip width.

    Attributes:
        amplitude: Laplace scale of the noise, 1/epsilon; 0 without noise.
        offset: how far the grid reaches beyond the bounds on either side.
        largest: largest code, 255 or 65535.
    """

    amplitude: float
    offset: float
    largest: int

    @classmethod
    def of(cls, spec: FeatureSpec) -> WireGrid:
        """Return the grid that `spec` implies."""
        amplitude = 0.0 if spec.epsilon is None else 1.0 / spec.epsilon
        return cls(amplitude, NOISE_MARGIN * amplitude, 2**spec.wire_bits - 1)

    @property
    def gain(self) -> float:
        """Codes per clip width."""
        return self.largest / (1.0 + 2.0 * self.offset)

    def kernel_constants(self) -> NDArray[float32]:
        """Return amplitude, offset, gain and largest code, float32 [4]."""
        return np.array([self.amplitude, self.offset, self.gain, self.largest], dtype=np.float32)


def wire_error(spec: FeatureSpec, calibration: Calibration) -> float:
    """Return the largest dequantisation error of any element, in units of its channel's scale.

    Half a grid step plus float32 rounding. It speaks of values inside the grid: without noise,
    coefficients inside the clip bounds; with noise, noisy values within the margin.
    """
    require_sensitivity(spec, calibration)
    grid = WireGrid.of(spec)
    width = calibration.sensitivity / calibration.scale[:, None, None]
    magnitude = np.maximum(abs(calibration.lower), abs(calibration.upper))
    rounding = 4 * np.finfo(np.float32).eps * magnitude / calibration.scale[:, None, None]
    return float((0.5 * width / grid.gain + rounding + 2e-6 * width * (1 + grid.offset)).max())
