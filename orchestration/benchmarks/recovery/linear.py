"""The linear attack A1 on exactly what is sent, for the same uploads the trained attack reads."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.mechanisms import ChannelNoise, luminance
from orchestration.benchmarks.recovery.visits import Oracle
from parties.adversary.linear_inversion import recover_from_channels, recover_from_plane
from protocol.features import ProtectedBatch, dequantise
from protocol.features.fusion import plane_mixing
from protocol.features.pipeline import exact_coefficients
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE

__all__ = ["LinearAttack"]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

PLANE: Final = 63
"""Coefficients of one plane of a block."""
LEAST_ERROR: Final = 1e-3
"""Least variance credited to what is sent: less would only slow the solver."""


class LinearAttack:
    """Least squares under a smoothness prior, without training; colour maps are not read.

    On pictures the adversary protects itself it measures one variance of noise, clipping and
    rounding for each channel, and one factor between fused coefficients and those of luminance.
    """

    def __init__(self, oracle: Oracle, own: Pictures) -> None:
        """Measure on `own` pictures, which are not the attacked ones."""
        self._oracle, self._block = oracle, oracle.spec.pixel_block
        sent = oracle.protect(own, "own")
        if oracle.spec.fusion == "plane":
            error = self._means(self._plane(sent)) - self._means(luminance(own))
            self._plane_variance = max(float(np.square(error).mean()), LEAST_ERROR)
        elif oracle.spec.selection != "random":
            self._channels = sent_channels(PLANE, oracle.spec.selection)[0]
            true, found = self._true(own), self._found(sent)
            self._factor = float(np.vdot(found, true) / np.vdot(true, true))
            exact = oracle.exact(own)[:, : len(self._channels)]
            error = np.square(found - exact, dtype=np.float64).mean(axis=(0, 2, 3))
            self._variance = np.full(PLANE, np.inf)
            self._variance[self._channels] = np.maximum(error / self._factor**2, LEAST_ERROR)

    def recovered(self, sent: ProtectedBatch, pictures: Pictures) -> Planes:
        """Return planes, minus 128, read from what was sent for these pictures.

        Of channels drawn for every picture the group is taken as known, of which there are six:
        they are protected again with one that is.
        """
        spec = self._oracle.spec
        if spec.fusion == "plane":
            return recover_from_plane(
                self._means(self._plane(sent)), self._plane_variance, self._block
            )
        if spec.selection == "random":
            return self._of_known_group(pictures)
        channels = np.zeros((len(sent), PLANE, EDGE, EDGE), np.float32)
        channels[:, self._channels] = self._found(sent) / np.float32(self._factor)
        return recover_from_channels(channels, self._variance)

    def _of_known_group(self, pictures: Pictures) -> Planes:
        known = ChannelNoise("known group", self._oracle.calibration)
        element = self._oracle.spec.epsilon
        budget = None if element is None else element * known.elements
        return known.recovered(pictures, budget, np.random.default_rng(self._oracle.seed))

    def _plane(self, sent: ProtectedBatch) -> Planes:
        return dequantise(sent, self._oracle.spec, self._oracle.calibration)[:, 0]

    def _means(self, planes: Planes) -> Planes:
        side = EDGE // self._block
        squares = planes.reshape(-1, side, self._block, side, self._block)
        return np.asarray(squares.mean(axis=(2, 4)), dtype=np.float32)

    def _found(self, sent: ProtectedBatch) -> Planes:
        """Return what is read as the coefficients of Y: of three planes, the first one's."""
        values = dequantise(sent, self._oracle.spec, self._oracle.calibration)
        return values[:, : len(self._channels)]

    def _true(self, pictures: Pictures) -> Planes:
        mixing = plane_mixing("y_only")
        whole = np.stack([exact_coefficients(picture, mixing, PLANE) for picture in pictures])
        return whole[:, self._channels]
