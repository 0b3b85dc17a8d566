"""The client's side: from a picture to exactly what goes over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from protocol.features.calibration import plane_values, require_sensitivity
from protocol.features.colour import describe, patterns, recode
from protocol.features.fusion import plane_mixing
from protocol.features.noise import NoiseSource, flip_threshold
from protocol.features.pipeline import exact_coefficients, protect_picture
from protocol.features.pixels import noisy_pictures
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE, ProtectedBatch, check_pictures, frequency_channels
from protocol.features.wire import WireGrid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import float32, uint8, uint16
    from numpy.typing import NDArray

    from protocol.features.calibration import Calibration
    from protocol.features.pipeline import NoiseWords
    from protocol.features.spec import FeatureSpec

__all__ = ["FeatureExtractor"]


class FeatureExtractor:
    """Turns pictures into protected features; one instance serves one thread at a time."""

    def __init__(
        self,
        spec: FeatureSpec,
        calibration: Calibration,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Prepare the pipeline.

        `random_bytes(n)` must return n fresh bytes of a cryptographic generator; it is asked for
        32 bytes per picture and noisy part, and for nothing when there is no noise.

        Raises:
            ScenarioError: the calibration does not fit the specification or cannot carry noise.
        """
        require_sensitivity(spec, calibration)
        self.spec = spec
        self.calibration = calibration
        self._mixing = plane_mixing(spec.fusion)
        self._noise = NoiseSource(random_bytes)
        self._channels = frequency_channels(spec.fusion)
        self._groups = sent_channels(self._channels, spec.selection)
        self._grid = (
            np.ascontiguousarray(self._spread(calibration.lower).transpose(1, 0, 2)),
            _inverse(self._spread(calibration.sensitivity).transpose(1, 0, 2)),
            *self._amplitudes(),
            WireGrid.of(spec).kernel_constants(),
        )

    def protect(self, pictures: NDArray[uint8]) -> ProtectedBatch:
        """Protect pictures, uint8 [B,112,112,3], with fresh noise for each.

        Noise on pixels where asked for; transform, fusion, clipping, noise, rounding to the public
        grid; colour patterns, randomised response, recoding.

        Raises:
            LocalProtocolError: wrong shape or type of the pictures.
        """
        check_pictures(pictures)
        pictures = self._noisy(pictures)
        shape = (len(pictures), self.spec.frequency_channels, EDGE, EDGE)
        frequency = np.empty(shape, dtype=np.uint8 if self.spec.wire_bits == 8 else np.uint16)
        if self.spec.fusion == "plane":
            frequency[...] = self._plane_codes(pictures)
        else:
            for picture, codes in zip(pictures, frequency, strict=True):
                self._protect(picture, codes)
        return ProtectedBatch(frequency, self._protected_colour(pictures))

    def exact(self, pictures: NDArray[uint8]) -> NDArray[float32]:
        """Return features before clipping, noise and rounding, float32 [B,F+c,112,112].

        Frequency coefficients are un-normalised, colour codes divided by 255; of a random
        selection, the first group. Never sent.
        """
        check_pictures(pictures)
        channels = self.spec.frequency_channels
        output = np.empty((len(pictures), self.spec.channels, EDGE, EDGE), dtype=np.float32)
        if self.spec.fusion == "plane":
            output[:, :1] = plane_values(pictures)
        else:
            for picture, features in zip(pictures, output, strict=True):
                exact = exact_coefficients(picture, self._mixing, self._channels)
                features[:channels] = exact[self._groups[0]]
        output[:, channels:] = describe(pictures, self.spec.colour) / np.float32(255)
        return output

    def _protect(self, picture: NDArray[uint8], codes: NDArray[uint8] | NDArray[uint16]) -> None:
        """Write the codes of the channels that are sent."""
        if self.spec.selection == "all":
            protect_picture(picture, self._mixing, self._grid, self._laplace_words(), codes)
            return
        whole = np.empty((self._channels, EDGE, EDGE), dtype=codes.dtype)
        protect_picture(picture, self._mixing, self._grid, self._laplace_words(), whole)
        count = len(self._groups)
        codes[...] = whole[self._groups[0 if count == 1 else self._noise.draw(count)]]

    def _spread(self, values: NDArray[float32]) -> NDArray[float32]:
        """Return bounds of sent channels for every channel: 0 where a channel is never sent."""
        whole = np.zeros((self._channels, EDGE, EDGE), dtype=np.float32)
        for group in self._groups:
            whole[group] = values
        return whole

    def _amplitudes(self) -> tuple[NDArray[float32], NDArray[float32]]:
        """Return Laplace scales in clip widths as factors of channels [F] and places [112,112].

        Where places are alike there are no factors for them.
        """
        mean = 0.0 if self.spec.epsilon is None else 1.0 / self.spec.epsilon
        channels = np.full(self._channels, mean, dtype=np.float32)
        places = np.empty((0, EDGE), dtype=np.float32)
        shares = self.calibration.allocation
        if self.spec.epsilon is not None and self.spec.allocation == "learned" and shares:
            for group in self._groups:
                channels[group] /= shares.channels
            places = np.asarray(1 / shares.places, dtype=np.float32)
        return channels, places

    def _noisy(self, pictures: NDArray[uint8]) -> NDArray[uint8]:
        spec = self.spec
        if spec.pixel_epsilon is None and spec.pixel_block == 1:
            return pictures
        shares = self.calibration.allocation if spec.allocation == "learned" else None
        return noisy_pictures(
            pictures,
            spec.pixel_epsilon,
            self._noise,
            block=spec.pixel_block,
            grey=spec.grey,
            shares=None if shares is None else shares.places,
        )

    def _plane_codes(self, pictures: NDArray[uint8]) -> NDArray[float32]:
        """Return the codes of the luminance plane, whole numbers as float32 [B,1,112,112]."""
        lower, largest = self.calibration.lower, WireGrid.of(self.spec).largest
        unit = (plane_values(pictures) - lower) / self.calibration.sensitivity
        return np.asarray(np.rint(np.clip(unit, 0, 1) * np.float32(largest)))

    def _laplace_words(self) -> NoiseWords:
        if self.spec.epsilon is None:
            return _NO_WORDS
        return self._noise.laplace_words(self._channels * EDGE * EDGE)

    def _protected_colour(self, pictures: NDArray[uint8]) -> NDArray[uint8]:
        """Return the colour maps, with randomised response where the specification asks for it.

        The response acts on the patterns, before the recoding: the recoding is then mere
        post-processing, each decoder map stays consistent with the others, and the budget is the
        same 24 bits per pixel whichever recoding is sent (noise on the eight maps themselves
        would have to account for 64 bits and would drown their sparsity).
        """
        codes = patterns(pictures, self.spec.colour)
        if self.spec.colour_epsilon is not None:
            threshold = flip_threshold(self.spec.colour_epsilon)
            for index in range(len(codes)):
                codes[index] ^= self._noise.flips(codes.shape[1], threshold)
        return recode(codes, self.spec.colour)


_NO_WORDS = (np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.uint16))


def _inverse(width: NDArray[float32]) -> NDArray[float32]:
    """Return 1/width, and 0 for elements without width: their only code is the lower bound's."""
    safe = np.where(width > 0, width, np.float32(1))
    return np.ascontiguousarray(np.where(width > 0, 1 / safe, np.float32(0)), dtype=np.float32)
