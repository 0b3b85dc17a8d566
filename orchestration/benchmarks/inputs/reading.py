"""The linear attack A1 on exactly what is sent: from an upload to the luminance it gives away.

Least squares under a smoothness prior, without training. The adversary knows the features, their
calibration and the law of the noise. Colour maps are not read.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parties.adversary.linear_inversion import misfit, recover_from_channels, recover_from_plane
from protocol.features import Calibration, FeatureSpec, ProtectedBatch, dequantise
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE
from protocol.features.wire import wire_variance

__all__ = ["ROUNDING", "read_upload", "recovered_planes", "upload_values"]

Planes = NDArray[np.float32]

PLANE: Final = 63
"""Coefficients of one plane of a block."""
ROUNDING: Final = 1 / 12
"""Variance of rounding a pixel to whole grey levels."""
LEAST_VARIANCE: Final = 1e-3
"""Least variance credited to a coefficient: less would only slow the attack's solver."""
_SHRUNK: Final = {"mean": 3.0}
"""Luminance in units of the fused coefficients: colour planes add next to nothing to a mean."""


def read_upload(sent: ProtectedBatch, spec: FeatureSpec, calibration: Calibration) -> Planes:
    """Return the luminance planes, minus 128, that pictures' uploads give away, [B,112,112]."""
    return recovered_planes(upload_values(sent, spec, calibration), spec, calibration)


def upload_values(sent: ProtectedBatch, spec: FeatureSpec, calibration: Calibration) -> Planes:
    """Return what the attack reads: the plane, or the luminance's coefficients [B,F,112,112]."""
    values = dequantise(sent, spec, calibration)
    return values[
        :, : 1 if spec.fusion == "plane" else len(sent_channels(PLANE, spec.selection)[0])
    ]


def recovered_planes(values: Planes, spec: FeatureSpec, calibration: Calibration) -> Planes:
    """Return the most plausible luminance planes of uploads' values."""
    if spec.fusion == "plane":
        block = spec.pixel_block
        return recover_from_plane(
            values[:, 0, ::block, ::block], _pixel_variance(spec, calibration), block
        )
    return _from_channels(values, spec, calibration)


def _pixel_variance(spec: FeatureSpec, calibration: Calibration) -> NDArray[np.float64]:
    places = np.ones((EDGE // spec.pixel_block,) * 2)
    if spec.pixel_epsilon is None:
        return places * ROUNDING
    if spec.allocation == "learned" and calibration.allocation is not None:
        places = calibration.allocation.places.astype(np.float64)
    return np.asarray(2 * np.square(255.0 / (spec.pixel_epsilon * places)) + ROUNDING)


def _from_channels(values: Planes, spec: FeatureSpec, calibration: Calibration) -> Planes:
    """Attack coefficients; of a random selection, keep the most plausible of its groups."""
    groups, unit = sent_channels(PLANE, spec.selection), _SHRUNK.get(spec.fusion, 1.0)
    sent = wire_variance(spec, calibration)[: len(groups[0])] * unit**2
    best, least = np.zeros((len(values), EDGE, EDGE), np.float32), np.full(len(values), np.inf)
    for group in groups:
        channels = np.zeros((len(values), PLANE, EDGE, EDGE), dtype=np.float32)
        channels[:, group] = np.float32(unit) * values
        variance = np.full((PLANE, EDGE, EDGE), np.inf)
        variance[group] = np.maximum(sent, LEAST_VARIANCE)
        planes = recover_from_channels(channels, variance)
        if len(groups) == 1:
            return planes
        error = misfit(planes, channels, variance)
        better = error < least
        best[better], least[better] = planes[better], error[better]
    return best
