"""DCTDP as its released code has it: every sensitivity is taken for 1 (method reference, 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.frontier.ladders import Ladder
from orchestration.benchmarks.inputs.mechanisms import AsReleased, Mechanism
from parties.model_provider import ClientMaker
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, ProtectedBatch
from protocol.features.noise import NoiseSource
from protocol.features.pipeline import laplace
from protocol.features.wire import NOISE_MARGIN

__all__ = ["ReleasedClient", "ReleasedLadder"]

BITS: Final = 16


class ReleasedClient:
    """Adds Laplace noise of one scale to every coefficient, whatever its range.

    It bounds nothing, and no party of a scenario sends such noise. Drawn anew for every picture,
    where the released code draws once a batch.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        calibration: Calibration,
        random_bytes: Callable[[int], bytes],
        *,
        epsilon: float,
    ) -> None:
        """Take features without noise in 16 bits, and bounds with room for the noise."""
        self._extractor = FeatureExtractor(spec, calibration, random_bytes)
        self._noise = NoiseSource(random_bytes)
        self._largest = 2**spec.wire_bits - 1
        self._scale = np.float32(self._largest / epsilon) / calibration.sensitivity

    def protect(self, pictures: NDArray[np.uint8]) -> ProtectedBatch:
        """Protect uint8 [B,112,112,3]."""
        sent = self._extractor.protect(pictures)
        for codes in sent.frequency:
            drawn = laplace(*self._noise.laplace_words(codes.size)).reshape(codes.shape)
            noisy = np.rint(codes + self._scale * drawn)
            np.clip(noisy, 0, self._largest, out=codes, casting="unsafe")
        return sent


class ReleasedLadder(Ladder):
    """Rungs with uncalibrated noise; an epsilon is what the code calls so, times the elements."""

    anew: ClassVar[bool] = True

    @property
    def variant(self) -> str:
        """What is special about its noise."""
        return "as released"

    @property
    def can_learn(self) -> bool:
        """Return that there is no budget to divide."""
        return False

    def at(self, epsilon: float | None) -> FeatureSpec | None:
        """Return the features, on a finer grid under noise; they know nothing of it."""
        if epsilon is None:
            return self.quiet
        return msgspec.structs.replace(self.quiet, wire_bits=BITS)

    def spent(self, epsilon: float | None) -> None:  # noqa: ARG002
        """Return that there is no bound."""
        return

    def calibrated(self, calibration: Calibration, epsilon: float | None) -> Calibration:
        """Return bounds with room for the noise, and deviations with the noise."""
        if epsilon is None:
            return calibration
        noise = np.float32(self.values / epsilon)
        deviation = np.sqrt(np.square(calibration.scale) + 2 * np.square(noise))
        return replace(calibration.with_room(NOISE_MARGIN * float(noise)), scale=deviation)

    def client(self, epsilon: float | None) -> ClientMaker:
        """Return who protects a rung's pictures."""
        if epsilon is None:
            return FeatureExtractor
        return partial(ReleasedClient, epsilon=epsilon / self.values)

    def attacked(self, calibration: Calibration, epsilon: float | None) -> Mechanism:
        """Return the mechanism as the linear attack knows it."""
        if epsilon is None:
            return super().attacked(calibration, None)
        return AsReleased(self.title_at(epsilon), calibration, epsilon / self.values)
