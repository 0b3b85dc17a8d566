"""The linear attack A1 on exactly what is sent: from an upload to the luminance it gives away.

The adversary knows the features, their calibration and the law of the noise; `parties.adversary`
says what it knows of pictures. Colour maps are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parties.adversary.clamping import Clamped
from parties.adversary.linear_inversion import LinearAttack, recover
from parties.adversary.uploads import ChannelLaw, Gathered, Law, MeanLaw
from protocol.features import Calibration, FeatureSpec, ProtectedBatch, dequantise
from protocol.features.pixels import PIXEL_RANGE
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE
from protocol.features.wire import wire_variance

__all__ = ["PLANE", "ROUNDING", "Reader", "upload_values"]

Planes = NDArray[np.float32]

PLANE: Final = 63
"""Coefficients of one plane of a block."""
ROUNDING: Final = 1 / 12
"""Variance of rounding a pixel to whole grey levels."""
LEAST_VARIANCE: Final = 1e-3
"""Least variance credited to a coefficient: less would only slow the attack's solver."""
_SHRUNK: Final = {"mean": 3.0}
"""Luminance in units of the fused coefficients: colour planes add next to nothing to a mean."""


class Reader:
    """The attack, prepared for one kind of upload."""

    def __init__(
        self, spec: FeatureSpec, calibration: Calibration, attack: LinearAttack, uploads: int = 1
    ) -> None:
        """Prepare.

        Args:
            spec: the features.
            calibration: their public bounds and shares.
            attack: the adversary.
            uploads: of the same picture, whose values were averaged.
        """
        self._spec, self._calibration = spec, calibration
        self._clamped = _clamped(spec, calibration)
        self.laws = _laws_of(spec, calibration, self._clamped, uploads)
        self._solvers = [attack.against(law) for law in self.laws]

    def read(self, sent: ProtectedBatch) -> Planes:
        """Return the luminance planes, minus 128, that uploads give away, [B,112,112]."""
        return self.recovered(self.gather(upload_values(sent, self._spec, self._calibration)))

    def gather(self, values: Planes) -> list[Gathered]:
        """Return what is kept of values under each law."""
        if self._clamped is not None:
            values = self._clamped.undone(values)
        return [law.gather(values) for law in self.laws]

    def recovered(self, gathered: Sequence[Gathered]) -> Planes:
        """Return the planes of what was gathered under each law."""
        return recover(self._solvers, gathered)


def upload_values(sent: ProtectedBatch, spec: FeatureSpec, calibration: Calibration) -> Planes:
    """Return what the attack reads: means [B,S,S], or luminance coefficients [B,F,112,112]."""
    values = dequantise(sent, spec, calibration)
    if spec.fusion == "plane":
        block = spec.pixel_block
        return np.ascontiguousarray(values[:, 0, ::block, ::block])
    return values[:, : len(sent_channels(PLANE, spec.selection)[0])]


def _laws_of(
    spec: FeatureSpec, calibration: Calibration, clamped: Clamped | None, uploads: int
) -> list[Law]:
    """Return what values may be: one law, or one for each group of channels that may be drawn."""
    if spec.fusion == "plane":
        noise = 0.0 if clamped is None else clamped.variance(uploads)
        return [MeanLaw(noise + ROUNDING / uploads, spec.pixel_block)]
    groups, unit = sent_channels(PLANE, spec.selection), _SHRUNK.get(spec.fusion, 1.0)
    sent = wire_variance(spec, calibration)[: len(groups[0])] / uploads
    variance = np.maximum(sent, LEAST_VARIANCE / unit**2)
    return [ChannelLaw(group, variance, unit) for group in groups]


def _clamped(spec: FeatureSpec, calibration: Calibration) -> Clamped | None:
    """Return how noisy pixels or means arrive; None for other features, or without noise."""
    if spec.fusion != "plane" or spec.pixel_epsilon is None:
        return None
    places = np.ones((EDGE // spec.pixel_block,) * 2)
    if spec.allocation == "learned" and calibration.allocation is not None:
        places = calibration.allocation.places.astype(np.float64)
    return Clamped.of(PIXEL_RANGE / (spec.pixel_epsilon * places))
