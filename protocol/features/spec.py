"""What is computed on the client: the public feature parameters and the wire form they imply."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from protocol.errors import LocalProtocolError, ScenarioError

if TYPE_CHECKING:
    from numpy import uint8, uint16
    from numpy.typing import NDArray

__all__ = [
    "EDGE",
    "LARGEST_EPSILON",
    "FeatureSpec",
    "Fusion",
    "ProtectedBatch",
    "Selection",
    "check_pictures",
    "frequency_channels",
    "upload_complaint",
]

EDGE: Final = 112
"""Height and width of every picture and of every feature channel."""

LARGEST_EPSILON: Final = 10.0
"""Largest per-element epsilon; beyond it the sampler's tail resolution would not support it."""

LARGEST_PIXEL_EPSILON: Final = 1024.0
"""Largest epsilon of a pixel value; beyond it the noise is less than the rounding."""

Fusion = Literal["maxabs", "y_only", "mean", "sum", "none", "plane"]
Selection = Literal["all", "high", "random"]
AllocationKind = Literal["uniform", "learned"]
Colour = Literal["none", "lbp_y", "lbp_rgb", "malbp", "dlbp"]

_COLOUR_CHANNELS: Final = {"none": 0, "lbp_y": 1, "lbp_rgb": 3, "malbp": 4, "dlbp": 8}
_FREQUENCY_CHANNELS: Final = {"none": 189, "plane": 1}
_SELECTED: Final = {"all": 63, "high": 54, "random": 9}
_COLOUR_PLANES: Final = {"none": 0, "lbp_y": 1, "lbp_rgb": 3, "malbp": 3, "dlbp": 3}


class FeatureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Public parameters of the hybrid frequency-colour features.

    Attributes:
        fusion: how the Y, Cb and Cr coefficients become one; `none` keeps all 189 channels,
            `plane` sends the luminance plane itself.
        selection: which channels of the coefficients are sent: `all`, `high` without the ten lowest
            frequencies, or `random`, nine of those that are drawn for every picture.
        colour: colour descriptor sent beside the frequency part.
        epsilon: Laplace epsilon of each frequency element; None means no noise.
        colour_epsilon: randomised-response epsilon of each colour bit; None means no noise.
        wire_bits: bits per frequency element on the wire.
        pixel_epsilon: Laplace epsilon of each pixel value, from which both parts are then
            computed; it takes the place of the other two. The values are luminance where nothing
            else is sent, else red, green and blue.
        pixel_block: side of the squares whose means are the pixel values.
        allocation: how the budget of a picture is divided among its noisy numbers: `uniform`, or in
            shares that were `learned` with the network and belong to its calibration. `epsilon` and
            `pixel_epsilon` are then means.

    Raises:
        ScenarioError: an epsilon is out of range, `colour_epsilon` has no colour to act on,
            noise is asked for twice, or there is no noise whose budget could be divided.
    """

    fusion: Fusion = "maxabs"
    selection: Selection = "all"
    colour: Colour = "dlbp"
    epsilon: float | None = None
    colour_epsilon: float | None = None
    wire_bits: Literal[8, 16] = 8
    pixel_epsilon: float | None = None
    pixel_block: Literal[1, 2, 4, 8] = 1
    allocation: AllocationKind = "uniform"

    def __post_init__(self) -> None:
        """Refuse parameters that cannot mean anything."""
        _check_epsilon(self.epsilon, "features.epsilon")
        _check_epsilon(self.colour_epsilon, "features.colour_epsilon")
        _check_epsilon(self.pixel_epsilon, "features.pixel_epsilon", LARGEST_PIXEL_EPSILON)
        if self.pixel_epsilon is not None and (self.epsilon or self.colour_epsilon):
            message = "noise on pixels covers both parts; more noise would only cost accuracy"
            hint = "set epsilon and colour_epsilon to null"
            raise ScenarioError(message, where="features.pixel_epsilon", hint=hint)
        if self.epsilon is not None and self.fusion == "plane":
            message, hint = "the plane has no coefficients", "set pixel_epsilon instead"
            raise ScenarioError(message, where="features.epsilon", hint=hint)
        if self.selection != "all" and self.fusion == "plane":
            message, hint = "the plane has no coefficients", "set selection to all"
            raise ScenarioError(message, where="features.selection", hint=hint)
        if self.colour_epsilon is not None and self.colour == "none":
            message = "colour noise is set but no colour descriptor is computed"
            hint = "choose a colour descriptor or set colour_epsilon to null"
            raise ScenarioError(message, where="features.colour_epsilon", hint=hint)
        if self.allocation == "learned":
            self._check_allocation()

    def _check_allocation(self) -> None:
        message, hint = "there is no noise whose budget could be divided", "set an epsilon"
        if not self.noisy:
            raise ScenarioError(message, where="features.allocation", hint=hint)
        if self.selection == "random":
            message, hint = "shares belong to channels, these change", "set selection to all"
            raise ScenarioError(message, where="features.allocation", hint=hint)
        if self.pixel_epsilon is not None and self.fusion != "plane":
            message, hint = "shares of pixels are learned for the plane", "set fusion to plane"
            raise ScenarioError(message, where="features.allocation", hint=hint)

    def quiet(self) -> FeatureSpec:
        """Return the same features without any noise."""
        return msgspec.structs.replace(
            self, epsilon=None, pixel_epsilon=None, colour_epsilon=None, allocation="uniform"
        )

    @property
    def noisy(self) -> bool:
        """Whether the frequency part carries noise, of coefficients or of pixels."""
        return self.epsilon is not None or self.pixel_epsilon is not None

    @property
    def largest_share(self) -> float:
        """Largest share of a mean budget that the sampler still resolves."""
        if self.pixel_epsilon is not None:
            return LARGEST_PIXEL_EPSILON / self.pixel_epsilon
        return math.inf if self.epsilon is None else LARGEST_EPSILON / self.epsilon

    @property
    def noise_places(self) -> int:
        """Side of the square of places that noise is drawn at."""
        return EDGE if self.pixel_epsilon is None else EDGE // self.pixel_block

    @property
    def noise_channels(self) -> int:
        """Channels whose shares of the budget may differ; of pixels, all planes count as one."""
        return self.frequency_channels if self.pixel_epsilon is None else 1

    @property
    def noise_values(self) -> int:
        """Numbers of a picture that noise is drawn for where there is noise, colour bits apart."""
        if self.pixel_epsilon is not None or self.fusion == "plane":
            return self.pixel_values
        return self.frequency_channels * EDGE**2

    @property
    def frequency_channels(self) -> int:
        """Number of frequency channels sent: 63 fused, 189 unfused, 1 of the plane itself."""
        return frequency_channels(self.fusion, self.selection)

    @property
    def grey(self) -> bool:
        """Whether nothing but luminance is sent, so that only luminance needs noise."""
        return self.fusion in {"y_only", "plane"} and self.colour in {"none", "lbp_y"}

    @property
    def pixel_values(self) -> int:
        """Number of values of a picture that noise on pixels is drawn for."""
        return (1 if self.grey else 3) * (EDGE // self.pixel_block) ** 2

    @property
    def colour_channels(self) -> int:
        """Number of colour maps, 0 to 8."""
        return _COLOUR_CHANNELS[self.colour]

    @property
    def channels(self) -> int:
        """Number of input channels of the network."""
        return self.frequency_channels + self.colour_channels

    @property
    def colour_bits(self) -> int:
        """Number of independent local-binary-pattern bits of one picture."""
        return 8 * _COLOUR_PLANES[self.colour] * EDGE * EDGE

    @property
    def picture_bytes(self) -> int:
        """Tensor bytes one picture costs on the wire, headers not counted."""
        return EDGE * EDGE * (self.frequency_channels * self.wire_bits // 8 + self.colour_channels)


def frequency_channels(fusion: Fusion, selection: Selection = "all") -> int:
    """Return the number of frequency channels a fusion leaves and a selection sends."""
    channels = _FREQUENCY_CHANNELS.get(fusion, 63)
    return channels if selection == "all" else channels // 63 * _SELECTED[selection]


@dataclass(frozen=True, slots=True, eq=False)
class ProtectedBatch:
    """Exactly what goes over the wire for B pictures.

    Attributes:
        frequency: codes on the public grid, uint8 or uint16 [B,F,112,112].
        colour: descriptor codes, uint8 [B,c,112,112]; c may be 0.
    """

    frequency: NDArray[uint8] | NDArray[uint16]
    colour: NDArray[uint8]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.frequency)

    @property
    def nbytes(self) -> int:
        """Tensor bytes of the batch."""
        return self.frequency.nbytes + self.colour.nbytes


def upload_complaint(batch: ProtectedBatch, spec: FeatureSpec) -> str | None:
    """Say what is wrong with protected inputs that a peer sent for `spec`; None if nothing is."""
    tail, kind = (EDGE, EDGE), "uint8" if spec.wire_bits == 8 else "uint16"
    agreed = (
        ("frequencies", batch.frequency, (spec.frequency_channels, *tail), kind),
        ("colour maps", batch.colour, (spec.colour_channels, *tail), "uint8"),
    )
    for name, array, shape, dtype in agreed:
        if array.shape != (len(batch.frequency), *shape) or array.dtype != dtype:
            return f"{name} {array.shape} {array.dtype} where {shape} {dtype} each were agreed"
    return None


def check_pictures(pictures: NDArray[uint8]) -> None:
    """Raise LocalProtocolError unless `pictures` is uint8 [B,112,112,3]."""
    fits = pictures.ndim == 4 and pictures.shape[1:] == (EDGE, EDGE, 3)
    if pictures.dtype.name != "uint8" or not fits:
        message = (
            f"pictures must be uint8 [B,{EDGE},{EDGE},3], got "
            f"{pictures.dtype.name} {list(pictures.shape)}"
        )
        raise LocalProtocolError(message, where="protocol.features")


def _check_epsilon(epsilon: float | None, where: str, largest: float = LARGEST_EPSILON) -> None:
    if epsilon is None:
        return
    if not math.isfinite(epsilon) or not 0 < epsilon <= largest:
        message = f"epsilon must lie in (0, {largest:g}], got {epsilon}"
        raise ScenarioError(message, where=where, hint="use null for no noise")
