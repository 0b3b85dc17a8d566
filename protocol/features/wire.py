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

    from protocol.features.allocation import Allocation
    from protocol.features.calibration import Calibration
    from protocol.features.spec import FeatureSpec

__all__ = ["NOISE_MARGIN", "WireGrid", "wire_error", "wire_variance"]

NOISE_MARGIN: Final = 6.0
"""With noise the grid reaches this many noise scales beyond the bounds (1 draw in 400 is cut)."""


@dataclass(frozen=True, slots=True)
class WireGrid:
    """The grid of one feature specification, in units of each element's clip width.

    Attributes:
        amplitude: Laplace scale of the noise, 1/epsilon, float32 [F,112,112], or [1,1,1] where it
            is the same for all; 0 without noise.
        largest: largest code, 255 or 65535.
    """

    amplitude: NDArray[float32]
    largest: int

    @classmethod
    def of(cls, spec: FeatureSpec, allocation: Allocation | None = None) -> WireGrid:
        """Return the grid that `spec` implies, with the shares it may ask for."""
        mean = 0.0 if spec.epsilon is None else 1.0 / spec.epsilon
        amplitude = np.full((1, 1, 1), mean, dtype=np.float32)
        if spec.epsilon is not None and spec.allocation == "learned" and allocation is not None:
            amplitude = amplitude / allocation.elements()
        return cls(amplitude, 2**spec.wire_bits - 1)

    @property
    def offset(self) -> NDArray[float32]:
        """How far the grid reaches beyond the bounds on either side, shaped as `amplitude`."""
        return np.asarray(np.float32(NOISE_MARGIN) * self.amplitude)

    @property
    def gain(self) -> NDArray[float32]:
        """Codes per clip width, shaped as `amplitude`."""
        return np.asarray(np.float32(self.largest) / (1 + 2 * self.offset))

    def kernel_constants(self) -> NDArray[float32]:
        """Return margin and largest code, float32 [2]."""
        return np.array([NOISE_MARGIN, self.largest], dtype=np.float32)


def wire_variance(spec: FeatureSpec, calibration: Calibration) -> NDArray[float32]:
    """Return the variance that noise on coefficients and rounding add to each element.

    In coefficient units, float32 [F,112,112]; of values inside their clip bounds.
    """
    require_sensitivity(spec, calibration)
    grid = WireGrid.of(spec, calibration.allocation)
    step = np.float32(1) / grid.gain
    unit = 2 * np.square(grid.amplitude) + np.square(step) / np.float32(12)
    return np.asarray(unit * np.square(calibration.sensitivity), dtype=np.float32)


def wire_error(spec: FeatureSpec, calibration: Calibration) -> float:
    """Return the largest dequantisation error of any element, in units of its channel's scale.

    Half a grid step plus float32 rounding. It speaks of values inside the grid: without noise,
    coefficients inside the clip bounds; with noise, noisy values within the margin.
    """
    require_sensitivity(spec, calibration)
    grid = WireGrid.of(spec, calibration.allocation)
    width = calibration.sensitivity / calibration.scale[:, None, None]
    magnitude = np.maximum(abs(calibration.lower), abs(calibration.upper))
    rounding = 4 * np.finfo(np.float32).eps * magnitude / calibration.scale[:, None, None]
    return float((0.5 * width / grid.gain + rounding + 2e-6 * width * (1 + grid.offset)).max())
