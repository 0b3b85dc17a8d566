"""Noise mechanisms at a common price: epsilon of the whole picture.

Each mechanism sends another description of a picture, and says how a linear attack reads it.
`epsilon` is pure differential privacy of one picture's luminance description (all
descriptions inside their clip bounds are neighbours); for Gaussian noise it is the epsilon at delta
1e-6 through zero-concentrated privacy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.reading import (
    PLANE,
    ROUNDING,
    Reader,
    upload_values,
)
from parties.adversary.linear_inversion import LinearAttack
from parties.adversary.uploads import ChannelLaw, Law, MeanLaw, joined
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
    "NAMES",
    "AsReleased",
    "Attempt",
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
CHUNK: Final = 8
"""Pictures whose values are held at a time: 63 channels of one are three megabytes."""
CLEAREST: Final = 32.0
"""Largest epsilon of a value that is tried: the noise on a pixel is eleven grey levels there."""


class Mechanism(Protocol):
    """One way to spend a picture's budget.

    Attributes:
        name: how the table calls it.
        elements: numbers the noise is drawn for.
        averages: whether several uploads of a picture have a mean.
    """

    name: str
    elements: int
    averages: bool

    def can_spend(self, epsilon: float | None) -> bool:
        """Return whether there is such a mechanism."""
        ...

    def recovered(self, pictures: Pictures, epsilon: float | None, attempt: Attempt) -> Planes:
        """Protect luminance at this budget (None: no noise) and attack it; planes minus 128."""
        ...

    def described(self, epsilon: float | None) -> bytes:
        """Return bytes that differ between mechanisms that send something else."""
        ...


_Maker = Callable[[Sequence[Pictures]], Mechanism]


class Attempt(NamedTuple):
    """How uploads are attacked.

    Attributes:
        attack: the adversary.
        rng: of the noise.
        uploads: of every picture, each with noise of its own; their mean is attacked.
    """

    attack: LinearAttack
    rng: np.random.Generator
    uploads: int = 1


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
        self.averages = self._quiet.selection != "random"
        self._calibration = calibration

    def can_spend(self, epsilon: float | None) -> bool:
        """Return whether the sampler resolves the noise of such a budget, and it hides anything."""
        clear = epsilon is not None and epsilon > CLEAREST * self.elements
        return not clear and self._at(epsilon) is not None

    def recovered(self, pictures: Pictures, epsilon: float | None, attempt: Attempt) -> Planes:
        """Protect and attack."""
        spec = self._at(epsilon)
        if spec is None:
            raise ScenarioError(f"{self.name} cannot spend {epsilon:g}", where="features.epsilon")
        if attempt.uploads > 1 and not self.averages:
            text = "uploads of channels drawn anew each time have no mean"
            raise ScenarioError(text, where="features.selection", hint="attack one upload")
        extractor = FeatureExtractor(spec, self._calibration, attempt.rng.bytes)

        def values(chunk: Pictures) -> Planes:
            each = (extractor.protect(chunk) for _ in range(attempt.uploads))
            total = sum(upload_values(sent, spec, self._calibration) for sent in each)
            return np.asarray(total / np.float32(attempt.uploads), dtype=np.float32)

        reader = Reader(spec, self._calibration, attempt.attack, attempt.uploads)
        chunks = (pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK))
        parts = [reader.gather(values(chunk)) for chunk in chunks]
        return reader.recovered([joined(list(each)) for each in zip(*parts, strict=True)])

    def described(self, epsilon: float | None) -> bytes:
        """Return specification and calibration; of a plane the shares alone matter, and its law."""
        arrays = sorted(self._calibration.to_arrays().items())
        if self._quiet.fusion == "plane":
            arrays = [each for each in arrays if each[0].endswith(("_channels", "_places"))]
        spec = msgspec.json.encode(self._at(epsilon), order="sorted")
        read = b"clamped" if self._quiet.fusion == "plane" else b""
        return b"".join(
            [read, spec, *(name.encode() + values.tobytes() for name, values in arrays)]
        )

    def _at(self, epsilon: float | None) -> FeatureSpec | None:
        learned = self._calibration.allocation is not None
        return at_budget(self._quiet, epsilon, learned=learned)


class AsReleased:
    """DCTDP as its released code has it: every sensitivity is 1, whatever the coefficients' ranges.

    No budget is spent: without true sensitivities the noise promises nothing, and this client
    refuses to send it. Values are not rounded.
    """

    averages = True

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

    def recovered(self, pictures: Pictures, epsilon: float | None, attempt: Attempt) -> Planes:
        """Add the noise and attack."""
        del epsilon
        scale = self._scale / np.sqrt(attempt.uploads)

        def values(chunk: Pictures) -> Planes:
            exact = self._extractor.exact(chunk)[:, :PLANE]
            noise = _mean_laplace(exact.shape, attempt)
            return np.asarray(exact + np.float32(self._scale) * noise, dtype=np.float32)

        law = ChannelLaw(np.arange(PLANE), np.full((PLANE, 1, 1), 2 * scale**2))
        return _attacked(pictures, values, law, attempt.attack)

    def described(self, epsilon: float | None) -> bytes:
        """Return the scale of the noise; bounds do not matter, values are not rounded."""
        return repr(("released", epsilon, self._scale)).encode()


class GaussianPixels:
    """Gaussian noise on the luminance plane; no client sends it, so its values are not rounded."""

    elements = EDGE**2
    averages = True

    def __init__(self, name: str) -> None:
        """Keep the name."""
        self.name = name

    def can_spend(self, epsilon: float | None) -> bool:
        """Return whether the noise of such a budget hides anything."""
        return epsilon is None or epsilon <= CLEAREST * self.elements

    def recovered(self, pictures: Pictures, epsilon: float | None, attempt: Attempt) -> Planes:
        """Protect and attack."""
        deviation = 0.0 if epsilon is None else self.deviation(epsilon) / np.sqrt(attempt.uploads)

        def values(chunk: Pictures) -> Planes:
            plane = luminance(chunk)
            noise = attempt.rng.standard_normal(plane.shape)
            return np.asarray(plane + deviation * noise, dtype=np.float32)

        law = MeanLaw(deviation**2 + ROUNDING)
        return _attacked(pictures, values, law, attempt.attack)

    def described(self, epsilon: float | None) -> bytes:
        """Return that pixels are sent, and the budget."""
        return repr(("gaussian", epsilon)).encode()

    def deviation(self, epsilon: float) -> float:
        """Return the standard deviation of the noise; pixels lie in a range of 255."""
        # epsilon = rho + 2 sqrt(rho ln(1/delta)), rho = n 255^2 / (2 sigma^2)
        log = np.log(1.0 / DELTA)
        rho = (np.sqrt(log + epsilon) - np.sqrt(log)) ** 2
        return float(255.0 * np.sqrt(self.elements / (2.0 * rho)))


def _attacked(
    pictures: Pictures, values: Callable[[Pictures], Planes], law: Law, attack: LinearAttack
) -> Planes:
    """Simulate uploads a few at a time, keep what the attack needs of each, and attack them all."""
    chunks = (pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK))
    gathered = joined([law.gather(values(chunk)) for chunk in chunks])
    return attack.against(law).recover(gathered)


def _mean_laplace(shape: tuple[int, ...], attempt: Attempt) -> Planes:
    draws = (attempt.rng.laplace(size=shape) for _ in range(attempt.uploads))
    return np.asarray(sum(draws) / attempt.uploads, dtype=np.float32)


def luminance(pictures: Pictures) -> Planes:
    """Return Y - 128 of pictures, float32 [B, 112, 112]."""
    weights = JFIF[0, :3].astype(np.float32)
    return np.asarray(pictures @ weights - np.float32(128), dtype=np.float32)


def narrowed(calibration: Calibration, share: float) -> Calibration:
    """Return the calibration with clip bounds of so much of their width, about the same centre."""
    centre = (calibration.lower + calibration.upper) / 2
    half = calibration.sensitivity * np.float32(share / 2)
    return replace(calibration, lower=centre - half, upper=centre + half)


def _sent(name: str, spec: FeatureSpec, share: float = 1.0) -> tuple[str, _Maker]:
    """Return a mechanism that clients use, clipped to a share of the calibrated width."""

    def made(training: Sequence[Pictures]) -> Mechanism:
        bounds = calibrate(training, spec.fusion, spec.selection)
        return Sent(name, spec, bounds if share == 1 else narrowed(bounds, share))

    return name, made


def _released(epsilon: float) -> tuple[str, _Maker]:
    name = f"DCTDP as released, sensitivity 1, eps {epsilon:g}"
    return name, lambda training: AsReleased(name, calibrate(training, "none"), epsilon)


def _plane(block: int) -> FeatureSpec:
    return msgspec.convert({"fusion": "plane", "colour": "none", "pixel_block": block}, FeatureSpec)


_MAKERS: Final[dict[str, _Maker]] = dict(
    [
        _sent("63 maxabs, Laplace (HFCF)", FeatureSpec(colour="none")),
        _sent("pixels, Laplace", _plane(1)),
        _sent("2x2 means, Laplace", _plane(2)),
        _sent("4x4 means, Laplace", _plane(4)),
        _sent("8x8 means, Laplace", _plane(8)),
        _sent("189 coefficients, Laplace (DCTDP)", FeatureSpec(fusion="none", colour="none")),
        _sent(
            "162 high (DuetFace-style)",
            FeatureSpec(fusion="none", selection="high", colour="none"),
        ),
        _sent(
            "27 of 162, drawn (PartialFace-style)",
            FeatureSpec(fusion="none", selection="random", colour="none"),
        ),
        _released(4.0),
        _released(0.5),
        _sent("63 maxabs, clipped to 1/4 width", FeatureSpec(colour="none"), 0.25),
        ("pixels, Gaussian", lambda _: GaussianPixels("pixels, Gaussian")),
    ]
)

NAMES: Final = tuple(_MAKERS)
"""Mechanisms in the order of the table."""


def mechanisms(training: Sequence[Pictures], names: Sequence[str] = NAMES) -> list[Mechanism]:
    """Return mechanisms, calibrated on batches of training pictures."""
    return [_MAKERS[name](training) for name in names]
