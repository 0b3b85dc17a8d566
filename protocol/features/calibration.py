"""Public calibration of a deployment: clip bounds, sensitivities and channel scales.

Estimated once on a training split and shared by client and provider. The sensitivity of an
element is the width of its clip bounds, so it holds for every picture, not only for those it
was estimated from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from protocol.errors import DataError, ScenarioError
from protocol.features.allocation import TOLERANCE, Allocation
from protocol.features.fusion import luminance, plane_mixing
from protocol.features.pipeline import exact_coefficients
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE, check_pictures, frequency_channels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy import float16, float32, float64, uint8
    from numpy.typing import NDArray

    from protocol.features.spec import FeatureSpec, Fusion, Selection

__all__ = [
    "MINIMUM_PICTURES",
    "MINIMUM_WIDTH",
    "Calibration",
    "calibrate",
    "plane_values",
    "require_sensitivity",
]

MINIMUM_PICTURES: Final = 100
"""Fewest training pictures whose ranges count as a calibration when noise is wanted."""

MINIMUM_WIDTH: Final = 0.125
"""Bounds are widened to at least this many coefficient units; wider bounds mean more noise."""


_MID_GREY: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Public parameters estimated from a training split.

    Attributes:
        fusion: the fusion the bounds belong to.
        lower: lower clip bound of each element, float32 [F,112,112], float16 representable.
        upper: upper clip bound of each element; `upper - lower` is its sensitivity.
        scale: standard deviation of each channel, float32 [F].
        pictures: number of pictures it was estimated from.
        selection: the selection the bounds belong to; of `random`, they hold for every group.
        allocation: shares of a budget learned with the network, where they were.

    Raises:
        DataError: shapes do not fit fusion and selection, a bound is not finite, or a scale not
            positive.
    """

    fusion: Fusion
    lower: NDArray[float32]
    upper: NDArray[float32]
    scale: NDArray[float32]
    pictures: int
    selection: Selection = "all"
    allocation: Allocation | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that cannot be a calibration."""
        channels = frequency_channels(self.fusion, self.selection)
        shape = (channels, EDGE, EDGE)
        if (self.lower.shape, self.upper.shape, self.scale.shape) != (shape, shape, (channels,)):
            message = f"bounds must be {list(shape)} and scale [{channels}]"
            raise DataError(message, where="calibration")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            message = "clip bounds must be finite"
            raise DataError(message, where="calibration")
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            message = "channel scales must be finite and positive"
            raise DataError(message, where="calibration.scale", hint="do the pictures vary at all?")

    @property
    def sensitivity(self) -> NDArray[float32]:
        """Width of the clip bounds, float32 [F,112,112]."""
        return self.upper - self.lower

    def with_room(self, room: float) -> Calibration:
        """Return the calibration with bounds so much further out, in coefficient units."""
        lower, upper = _outward(self.lower - room, -np.inf), _outward(self.upper + room, np.inf)
        return replace(self, lower=lower.astype(np.float32), upper=upper.astype(np.float32))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return compact arrays for an npz file; the bounds lose nothing as float16."""
        shares = {} if self.allocation is None else _share_arrays(self.allocation)
        return shares | {
            "calibration_fusion": np.frombuffer(self.fusion.encode(), dtype=np.uint8),
            "calibration_selection": np.frombuffer(self.selection.encode(), dtype=np.uint8),
            "calibration_lower": _outward(self.lower, -np.inf),
            "calibration_upper": _outward(self.upper, np.inf),
            "calibration_scale": self.scale,
            "calibration_pictures": np.array(self.pictures, dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Calibration:
        """Rebuild from `to_arrays`; raise DataError when an array is missing or misshapen."""
        try:
            fusion = arrays["calibration_fusion"].tobytes().decode("ascii")
            lower = arrays["calibration_lower"].astype(np.float32)
            upper = arrays["calibration_upper"].astype(np.float32)
            scale = arrays["calibration_scale"].astype(np.float32)
            pictures = int(arrays["calibration_pictures"].item())
            # Files from before there was a choice send everything.
            chosen = arrays.get("calibration_selection", np.frombuffer(b"all", np.uint8))
            selection = chosen.tobytes().decode("ascii")
        except (KeyError, ValueError) as error:
            message = "calibration arrays are missing or malformed"
            raise DataError(message, where="calibration") from error
        if fusion not in {"maxabs", "y_only", "mean", "sum", "none", "plane"}:
            message = "calibration names an unknown fusion"
            raise DataError(message, where="calibration.fusion")
        if selection not in {"all", "high", "random"}:
            message = "calibration names an unknown selection"
            raise DataError(message, where="calibration.selection")
        kinds = cast("Fusion", fusion), cast("Selection", selection)
        return cls(kinds[0], lower, upper, scale, pictures, kinds[1], _shares(arrays))


def calibrate(
    pictures_batches: Iterable[NDArray[uint8]], fusion: Fusion, selection: Selection = "all"
) -> Calibration:
    """Estimate bounds and scales from batches of training pictures, uint8 [B,112,112,3].

    Streams: memory does not grow with the number of pictures. Bounds are rounded outward to
    float16, so they still contain every picture and survive `to_arrays` unchanged.

    Raises:
        DataError: no pictures, or pictures that do not vary.
    """
    channels = frequency_channels(fusion)
    lower = np.full((channels, EDGE, EDGE), np.inf, dtype=np.float32)
    upper = np.full((channels, EDGE, EDGE), -np.inf, dtype=np.float32)
    moments = np.zeros((2, channels))
    mixing, pictures = plane_mixing(fusion), 0
    for batch in pictures_batches:
        check_pictures(batch)
        for picture in batch:
            values = (
                plane_values(picture[None])[0]
                if fusion == "plane"
                else exact_coefficients(picture, mixing, channels)
            )
            np.minimum(lower, values, out=lower)
            np.maximum(upper, values, out=upper)
            moments[0] += values.mean((1, 2))
            moments[1] += np.einsum("cij,cij->c", values, values) / EDGE**2
            pictures += 1
    if pictures == 0:
        message = "calibration needs at least one picture"
        raise DataError(message, where="calibration")
    if fusion == "plane":  # every picture's values lie here, not only those of the training split
        lower[...], upper[...] = 0 - _MID_GREY, 255 - _MID_GREY
    groups = sent_channels(channels, selection)
    lower, upper = _widened(lower[groups].min(axis=0), upper[groups].max(axis=0))
    scale = _deviation(moments[:, groups].mean(axis=1) / pictures)
    return Calibration(fusion, lower, upper, scale, pictures, selection)


def plane_values(pictures: NDArray[uint8]) -> NDArray[float32]:
    """Return the luminance plane minus mid grey of pictures, float32 [B,1,112,112]."""
    return luminance(pictures)[:, None] - np.float32(_MID_GREY)


def require_sensitivity(spec: FeatureSpec, calibration: Calibration) -> None:
    """Raise ScenarioError unless `calibration` can serve `spec`, noise included."""
    if spec.fusion != calibration.fusion:
        message = f"calibrated for fusion {calibration.fusion!r}, asked for {spec.fusion!r}"
        raise ScenarioError(message, where="features.fusion", hint="calibrate again")
    if spec.selection != calibration.selection:
        message = f"calibrated for selection {calibration.selection!r}, not {spec.selection!r}"
        raise ScenarioError(message, where="features.selection", hint="calibrate again")
    _require_allocation(spec, calibration.allocation)
    if spec.epsilon is None:
        return
    width = calibration.sensitivity
    hint = "calibrate on a training split"
    if calibration.pictures < MINIMUM_PICTURES:
        message = (
            f"noise needs sensitivities from at least {MINIMUM_PICTURES} pictures, "
            f"these come from {calibration.pictures}"
        )
        raise ScenarioError(message, where="features.epsilon", hint=hint)
    if not (width > 0).all():
        message = "some elements have no sensitivity: upper bound not above lower bound"
        raise ScenarioError(message, where="features.epsilon", hint=hint)
    if (width == width.flat[0]).all():
        message = "all sensitivities are equal: a placeholder, not a calibration"
        raise ScenarioError(message, where="features.epsilon", hint=hint)


def _require_allocation(spec: FeatureSpec, shares: Allocation | None) -> None:
    """Raise ScenarioError unless shares fit what noise is drawn for; unused ones do no harm."""
    if spec.allocation == "uniform":
        return
    where = "features.allocation"
    if shares is None:
        message, hint = "no shares were learned", "adapt a network to these features: bauta train"
        raise ScenarioError(message, where=where, hint=hint)
    found = len(shares.channels), len(shares.places)
    wanted = spec.noise_channels, spec.noise_places
    if found != wanted:
        message = f"shares of {found} channels and places, the noise has {wanted}"
        raise ScenarioError(message, where=where, hint="adapt a network to these features")
    if shares.extremes[1] > spec.largest_share * (1 + TOLERANCE):
        message = f"the largest share is {shares.extremes[1]:.3g}, {spec.largest_share:.3g} at most"
        raise ScenarioError(message, where=where, hint="adapt a network to these features")


def _share_arrays(shares: Allocation) -> dict[str, NDArray[np.generic]]:
    return {"calibration_channels": shares.channels, "calibration_places": shares.places}


def _shares(arrays: Mapping[str, NDArray[np.generic]]) -> Allocation | None:
    if "calibration_channels" not in arrays or "calibration_places" not in arrays:
        return None
    channels, places = arrays["calibration_channels"], arrays["calibration_places"]
    return Allocation(channels.astype(np.float32), places.astype(np.float32))


def _deviation(mean_moments: NDArray[float64]) -> NDArray[float32]:
    variance = mean_moments[1] - mean_moments[0] ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)), dtype=np.float32)


def _widened(
    lower: NDArray[float32], upper: NDArray[float32]
) -> tuple[NDArray[float32], NDArray[float32]]:
    """Round outward to float16 and give every element at least the minimum width."""
    missing = np.maximum(MINIMUM_WIDTH - (upper - lower), 0) / 2
    low, high = _outward(lower - missing, -np.inf), _outward(upper + missing, np.inf)
    return low.astype(np.float32), high.astype(np.float32)


def _outward(values: NDArray[float32], direction: float) -> NDArray[float16]:
    """Round to float16 towards `direction` (minus or plus infinity)."""
    rounded = values.astype(np.float16)
    inside = rounded > values if direction < 0 else rounded < values
    return np.asarray(np.where(inside, np.nextafter(rounded, np.float16(direction)), rounded))
