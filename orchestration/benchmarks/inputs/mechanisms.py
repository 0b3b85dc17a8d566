"""Noise mechanisms at a common price: epsilon of the whole picture.

Each mechanism adds noise to another description of a picture and is attacked with the matching
linear inversion. `epsilon` is pure differential privacy of one picture's luminance description
(all descriptions inside their clip bounds are neighbours); for Gaussian noise it is the epsilon
at delta 1e-6 through zero-concentrated privacy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from parties.adversary.linear_inversion import recover_from_channels, recover_from_plane
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate
from protocol.features.fusion import JFIF
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE

__all__ = ["ChannelNoise", "Mechanism", "PixelNoise", "mechanisms"]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

DELTA: Final = 1e-6
ROUNDING: Final = 0.25
"""Variance credited to pixels without noise, so that weights stay finite."""
LEAST_ROUNDING: Final = 1e-3
"""Least variance credited to a coefficient: less would only slow the attack's solver."""


class Mechanism(Protocol):
    """One way to spend a picture's budget.

    Attributes:
        name: how the table calls it.
        elements: numbers the noise is drawn for.
    """

    name: str
    elements: int

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Protect luminance at this budget (None: no noise) and attack it; planes minus 128."""
        ...


class ChannelNoise:
    """Laplace noise on each frequency coefficient, scaled to its clip width."""

    def __init__(self, name: str, calibration: Calibration, quantile: float = 1.0) -> None:
        """Prepare.

        Args:
            name: how the table calls it.
            calibration: clip bounds from training pictures, for the channels that are sent. Where
                three planes are sent the attack reads the luminance; of a random selection it knows
                the group, of which there are six.
            quantile: share of the calibrated width to clip to instead.
        """
        self.name = name
        fusion, selection = calibration.fusion, calibration.selection
        spec = FeatureSpec(fusion=fusion, colour="none", selection=selection)
        self._sent = sent_channels(63, selection)[0]
        self.elements = spec.frequency_channels * EDGE * EDGE
        self._extractor = FeatureExtractor(spec, calibration, bytes)
        centre = (calibration.lower + calibration.upper) / 2
        half = calibration.sensitivity * np.float32(quantile / 2)
        self._lower, self._upper = centre - half, centre + half

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Protect and attack."""
        exact = self._extractor.exact(pictures)
        sent = len(self._sent)
        values = np.clip(exact, self._lower, self._upper)[:, :sent]
        width = (self._upper - self._lower)[:sent]
        scale = np.zeros_like(width) if epsilon is None else width * (self.elements / epsilon)
        noisy = values + scale * rng.laplace(size=values.shape).astype(np.float32)
        channels = np.zeros((len(noisy), 63, EDGE, EDGE), dtype=np.float32)
        channels[:, self._sent] = noisy
        variance = np.full(63, np.inf)
        variance[self._sent] = self._variances(scale, width)
        return recover_from_channels(channels, variance)

    @staticmethod
    def _variances(scale: NDArray[Any], width: Planes) -> NDArray[np.float64]:
        """Return the mean variance of each channel: of the noise, and of rounding to eight bits."""
        total = 2 * np.square(scale, dtype=np.float64) + np.square(width / 255) / 12
        return np.asarray(np.maximum(total.mean(axis=(1, 2)), LEAST_ROUNDING))


class PixelNoise:
    """Noise on the luminance plane itself, or on means of squares of it: no redundancy."""

    def __init__(self, name: str, pool: int, *, gaussian: bool) -> None:
        """Prepare; `pool` is the side of the squares, 1 for every pixel."""
        self.name, self._pool, self._gaussian = name, pool, gaussian
        self.elements = (EDGE // pool) ** 2

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Protect and attack."""
        plane = luminance(pictures)
        side = EDGE // self._pool
        means = plane.reshape(-1, side, self._pool, side, self._pool).mean(axis=(2, 4))
        deviation = 0.0 if epsilon is None else self.deviation(epsilon)
        drawn = (
            rng.standard_normal(means.shape)
            if self._gaussian
            else rng.laplace(scale=np.sqrt(0.5), size=means.shape)
        )
        noisy = (means + deviation * drawn).astype(np.float32)
        return recover_from_plane(noisy, deviation**2 + ROUNDING, self._pool)

    def deviation(self, epsilon: float) -> float:
        """Return the standard deviation of the noise; pixels lie in a range of 255."""
        if not self._gaussian:
            return float(np.sqrt(2.0) * 255.0 * self.elements / epsilon)
        # epsilon = rho + 2 sqrt(rho ln(1/delta)), rho = n 255^2 / (2 sigma^2)
        log = np.log(1.0 / DELTA)
        rho = (np.sqrt(log + epsilon) - np.sqrt(log)) ** 2
        return float(255.0 * np.sqrt(self.elements / (2.0 * rho)))


def luminance(pictures: Pictures) -> Planes:
    """Return Y - 128 of pictures, float32 [B, 112, 112]."""
    weights = JFIF[0, :3].astype(np.float32)
    return np.asarray(pictures @ weights - np.float32(128), dtype=np.float32)


def mechanisms(training: Sequence[Pictures]) -> list[Mechanism]:
    """Return all mechanisms, calibrated on batches of training pictures."""
    maxabs = calibrate(training, "maxabs")
    return [
        ChannelNoise("189 coefficients, Laplace (DCTDP)", calibrate(training, "none")),
        ChannelNoise("63 maxabs, Laplace (HFCF)", maxabs),
        ChannelNoise("63 of Y, Laplace", calibrate(training, "y_only")),
        ChannelNoise("63 maxabs, clipped to 1/4 width", maxabs, 0.25),
        ChannelNoise("162 high (DuetFace-style)", calibrate(training, "none", "high")),
        ChannelNoise("27 of 162, drawn (PartialFace-style)", calibrate(training, "none", "random")),
        PixelNoise("pixels, Laplace", 1, gaussian=False),
        PixelNoise("pixels, Gaussian", 1, gaussian=True),
        PixelNoise("2x2 means, Laplace", 2, gaussian=False),
        PixelNoise("4x4 means, Laplace", 4, gaussian=False),
    ]
