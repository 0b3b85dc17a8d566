"""Noise mechanisms at a common price: epsilon of the whole picture.

Each mechanism sends another description of a picture and is attacked with the matching linear
inversion. `epsilon` is pure differential privacy of one picture's luminance description (all
descriptions inside their clip bounds are neighbours); for Gaussian noise it is the epsilon at delta
1e-6 through zero-concentrated privacy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.reading import ROUNDING, recovered_planes, upload_values
from parties.adversary.linear_inversion import recover_from_channels, recover_from_plane
from protocol.errors import ScenarioError
from protocol.features import (
    Calibration,
    FeatureExtractor,
    FeatureSpec,
    calibrate,
)
from protocol.features.fusion import JFIF
from protocol.features.spec import EDGE

__all__ = [
    "AsReleased",
    "GaussianPixels",
    "Mechanism",
    "Sent",
    "at_budget",
    "mechanisms",
    "narrowed",
]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

DELTA: Final = 1e-6


class Mechanism(Protocol):
    """One way to spend a picture's budget.

    Attributes:
        name: how the table calls it.
        elements: numbers the noise is drawn for.
    """

    name: str
    elements: int

    def can_spend(self, epsilon: float | None) -> bool:
        """Return whether there is such a mechanism."""
        ...

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Protect luminance at this budget (None: no noise) and attack it; planes minus 128."""
        ...


def at_budget(
    quiet: FeatureSpec, epsilon: float | None, *, learned: bool = False
) -> FeatureSpec | None:
    """Return features with noise at a budget of the picture; None where they cannot be had."""
    if epsilon is None:
        return quiet
    field = "pixel_epsilon" if quiet.fusion == "plane" else "epsilon"
    shares = "learned" if learned else "uniform"
    try:
        return msgspec.structs.replace(
            quiet, **{field: epsilon / quiet.noise_values, "allocation": shares}
        )
    except ScenarioError:
        return None


class Sent:
    """Laplace noise as a client adds it: the attack reads the very bytes that are sent."""

    def __init__(self, name: str, quiet: FeatureSpec, calibration: Calibration) -> None:
        """Prepare.

        Args:
            name: how the table calls it.
            quiet: the features without noise; colour maps are not attacked.
            calibration: clip bounds from training pictures, and shares of the budget where they
                were learned. Where three planes are sent the attack reads the luminance.
        """
        self.name = name
        self._quiet = msgspec.structs.replace(quiet, colour="none")
        self.elements = self._quiet.noise_values
        self._calibration = calibration

    def can_spend(self, epsilon: float | None) -> bool:
        """Return whether the sampler resolves the noise of such a budget."""
        return self._at(epsilon) is not None

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Protect and attack."""
        spec = self._at(epsilon)
        if spec is None:
            raise ScenarioError(f"{self.name} cannot spend {epsilon:g}", where="features.epsilon")
        extractor = FeatureExtractor(spec, self._calibration, rng.bytes)
        values = [
            upload_values(extractor.protect(pictures[i : i + 1]), spec, self._calibration)
            for i in range(len(pictures))
        ]
        return recovered_planes(np.concatenate(values), spec, self._calibration)

    def _at(self, epsilon: float | None) -> FeatureSpec | None:
        learned = self._calibration.allocation is not None
        return at_budget(self._quiet, epsilon, learned=learned)


class AsReleased:
    """DCTDP as its released code has it: every sensitivity is 1, whatever the coefficients' ranges.

    No budget is spent: without true sensitivities the noise promises nothing, and this client
    refuses to send it. Values are not rounded.
    """

    def __init__(self, name: str, calibration: Calibration, epsilon: float) -> None:
        """Keep the luminance's part; `epsilon` is what the code calls its mean."""
        self.name = name
        self.elements = calibration.sensitivity.size
        self._scale = 1.0 / epsilon
        self._extractor = FeatureExtractor(
            FeatureSpec(fusion="none", colour="none"), calibration, bytes
        )

    def can_spend(self, epsilon: float | None) -> bool:
        """Return whether no budget is asked for."""
        return epsilon is None

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Add the noise and attack."""
        del epsilon
        exact = [self._extractor.exact(pictures[i : i + 1])[:, :63] for i in range(len(pictures))]
        values = np.concatenate(exact)
        noisy = values + self._scale * rng.laplace(size=values.shape).astype(np.float32)
        return recover_from_channels(noisy.astype(np.float32), np.full(63, 2 * self._scale**2))


class GaussianPixels:
    """Gaussian noise on the luminance plane; no client sends it, so its values are not rounded."""

    elements = EDGE**2

    def __init__(self, name: str) -> None:
        """Keep the name."""
        self.name = name

    def can_spend(self, epsilon: float | None) -> bool:  # noqa: ARG002 - any budget will do
        """Return that every budget can be spent."""
        return True

    def recovered(
        self, pictures: Pictures, epsilon: float | None, rng: np.random.Generator
    ) -> Planes:
        """Protect and attack."""
        plane = luminance(pictures)
        deviation = 0.0 if epsilon is None else self.deviation(epsilon)
        noisy = (plane + deviation * rng.standard_normal(plane.shape)).astype(np.float32)
        return recover_from_plane(noisy, deviation**2 + ROUNDING)

    def deviation(self, epsilon: float) -> float:
        """Return the standard deviation of the noise; pixels lie in a range of 255."""
        # epsilon = rho + 2 sqrt(rho ln(1/delta)), rho = n 255^2 / (2 sigma^2)
        log = np.log(1.0 / DELTA)
        rho = (np.sqrt(log + epsilon) - np.sqrt(log)) ** 2
        return float(255.0 * np.sqrt(self.elements / (2.0 * rho)))


def luminance(pictures: Pictures) -> Planes:
    """Return Y - 128 of pictures, float32 [B, 112, 112]."""
    weights = JFIF[0, :3].astype(np.float32)
    return np.asarray(pictures @ weights - np.float32(128), dtype=np.float32)


def narrowed(calibration: Calibration, share: float) -> Calibration:
    """Return the calibration with clip bounds of so much of their width, about the same centre."""
    centre = (calibration.lower + calibration.upper) / 2
    half = calibration.sensitivity * np.float32(share / 2)
    return replace(calibration, lower=centre - half, upper=centre + half)


def mechanisms(training: Sequence[Pictures]) -> list[Mechanism]:
    """Return all mechanisms, calibrated on batches of training pictures."""

    def sent(name: str, **fields: Any) -> Sent:  # noqa: ANN401 - fields of the specification
        spec = msgspec.convert({"colour": "none", **fields}, FeatureSpec)
        return Sent(name, spec, calibrate(training, spec.fusion, spec.selection))

    fused = FeatureSpec(colour="none")
    narrow = narrowed(calibrate(training, "maxabs"), 0.25)
    whole = calibrate(training, "none")
    return [
        sent("189 coefficients, Laplace (DCTDP)", fusion="none"),
        AsReleased("DCTDP as released, sensitivity 1, eps 4", whole, 4.0),
        AsReleased("DCTDP as released, sensitivity 1, eps 0.5", whole, 0.5),
        sent("63 maxabs, Laplace (HFCF)"),
        sent("63 of Y, Laplace", fusion="y_only"),
        Sent("63 maxabs, clipped to 1/4 width", fused, narrow),
        sent("162 high (DuetFace-style)", fusion="none", selection="high"),
        sent("27 of 162, drawn (PartialFace-style)", fusion="none", selection="random"),
        sent("pixels, Laplace", fusion="plane"),
        GaussianPixels("pixels, Gaussian"),
        sent("2x2 means, Laplace", fusion="plane", pixel_block=2),
        sent("4x4 means, Laplace", fusion="plane", pixel_block=4),
        sent("8x8 means, Laplace", fusion="plane", pixel_block=8),
    ]
