"""The network for protected inputs: a public input transform, a new stem, the RGB trunk.

The 63 coefficients of one block carry eight degrees of freedom (method, section 2.3), so a 1×1
convolution first reduces the channels; a strided convolution with a larger kernel then does
what the RGB stem does. Both are linear, and both are started in closed form (module `ridge`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet
from protocol.features import Calibration, FeatureSpec, ProtectedBatch, network_input

__all__ = ["InputTransform", "StudentDesign", "StudentNetwork"]

_EDGE = 112
_CLIP = 1.0  # noise is clipped at this many Laplace scales; see InputTransform


class StudentDesign(NamedTuple):
    """Sizes of a student; all public.

    Attributes:
        channels: channels of the protected input.
        reduced: channels after the 1×1 reduction.
        stem_kernel: side of the strided stem.
        dimension: entries of an embedding.
        width: factor on the trunk's channels.
        columns: columns the trunk reads, cut from the middle of the 112.
    """

    channels: int
    reduced: int = 16
    stem_kernel: int = 7
    dimension: int = 128
    width: float = 1.0
    columns: int = 112


class StudentNetwork(nn.Module):
    """Protected input `[B,C,112,112]` float32 to embeddings `[B,dimension]`, not normalised."""

    def __init__(self, design: StudentDesign) -> None:
        super().__init__()
        self.design = design
        self.reduce = nn.Conv2d(design.channels, design.reduced, 1, bias=False)
        architecture = Architecture(
            design.reduced, design.dimension, design.width, design.columns, design.stem_kernel
        )
        self.face = MobileFaceNet(architecture)

    def reduced(self, features: Tensor) -> Tensor:
        """Cut the trunk's columns and mix the channels: `[B,reduced,112,columns]`."""
        first = (_EDGE - self.design.columns) // 2
        output: Tensor = self.reduce(features[..., first : first + self.design.columns])
        return output

    def features(self, features: Tensor) -> Tensor:
        """Return the trunk's last map before pooling."""
        return self.face.features(self.reduced(features))

    def forward(self, features: Tensor) -> Tensor:
        """Embed protected inputs as `InputTransform` prepares them."""
        return self.face(self.reduced(features))  # type: ignore[no-any-return]


class InputTransform:
    """Wire codes to the student's input, in one pass and channels-last.

    Without noise this is `network_input`. With noise of Laplace scale b (in units of the
    channel's standard deviation, public through the calibration) each element becomes
    clip(x, ±b)/√(1+2b²), so that reliable elements weigh more. Clipping a weak signal at one
    scale keeps 0.63 of it and 0.26 of the noise power, which is half as much again in
    signal-to-noise ratio as reading it linearly. Noisy pixels are not clipped, and weighed only
    where their shares of the budget differ.

    Attributes:
        spec: the features that are read.
        start: value of code 0 of each element, [112,F,112], rows first.
        step: value of one code more.
        noise: Laplace scale of each element; zeros without noise.
        limit: where values are clipped.
        gain: what they are then multiplied by.
    """

    def __init__(self, spec: FeatureSpec, calibration: Calibration) -> None:
        self.spec = spec
        self.start, self.step = _affine(spec, calibration)
        self.noise = _noise_scale(spec, calibration)
        unclipped = spec.epsilon is None
        self.limit = np.full_like(self.start, np.inf) if unclipped else _CLIP * self.noise
        self.gain = _gain(spec, self.noise, calibration)

    def __call__(self, batch: ProtectedBatch) -> Tensor:
        """Return float32 `[B,C,112,112]` in channels-last memory."""
        shape = (len(batch.frequency), _EDGE, _EDGE, self.spec.channels)
        output = np.empty(shape, dtype=np.float32)
        for frequency, colour, target in zip(batch.frequency, batch.colour, output, strict=True):
            _fill(frequency, self.step, self.start, self.limit, self.gain, target)
            _fill_colour(colour, target)
        return torch.from_numpy(output).permute(0, 3, 1, 2)


def _affine(
    spec: FeatureSpec, calibration: Calibration
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read value of code 0 and step per element off `network_input`, rows first."""
    kind = np.uint8 if spec.wire_bits == 8 else np.uint16
    shape = (spec.frequency_channels, _EDGE, _EDGE)
    codes = np.stack([np.zeros(shape, kind), np.full(shape, np.iinfo(kind).max, kind)])
    colour = np.zeros((2, spec.colour_channels, _EDGE, _EDGE), np.uint8)
    values = network_input(ProtectedBatch(codes, colour), spec, calibration).numpy()
    low, high = values[:, : spec.frequency_channels]
    return _rows(low), _rows((high - low) / np.float32(np.iinfo(kind).max))


def _noise_scale(spec: FeatureSpec, calibration: Calibration) -> NDArray[np.float32]:
    """Laplace scale of each element in units of its channel's deviation, rows first."""
    shape = (spec.frequency_channels, _EDGE, _EDGE)
    if not spec.noisy or (spec.pixel_epsilon is not None and spec.fusion != "plane"):
        return np.zeros((_EDGE, shape[0], _EDGE), np.float32)
    mean = spec.epsilon or spec.pixel_epsilon or np.inf
    shares = np.ones(shape, np.float32)
    if spec.allocation == "learned" and calibration.allocation is not None:
        shares = calibration.allocation.elements()
    scale = calibration.scale[:, None, None] * np.float32(mean)
    return _rows(calibration.sensitivity / scale / shares)


def _gain(
    spec: FeatureSpec, noise: NDArray[np.float32], calibration: Calibration
) -> NDArray[np.float32]:
    """Gain that gives a signal of unit variance under that noise unit variance again.

    Of pixels, relative to the gain at the mean budget: equal shares leave them as they are.
    """
    if spec.epsilon is not None:
        return _whitening(noise)
    if spec.allocation == "uniform":
        return np.ones_like(noise)
    uniform = _noise_scale(msgspec.structs.replace(spec, allocation="uniform"), calibration)
    return np.asarray(_whitening(noise) / _whitening(uniform))


def _whitening(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / np.sqrt(1 + 2 * noise**2), dtype=np.float32)


def _rows(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Reorder `[F,112,112]` to `[112,F,112]`, the order the kernel walks in."""
    return np.ascontiguousarray(values.transpose(1, 0, 2), dtype=np.float32)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _fill(codes, step, start, limit, gain, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    channels, rows, columns = codes.shape
    for row in range(rows):
        for channel in range(channels):
            for column in range(columns):
                value = codes[channel, row, column] * step[row, channel, column]
                value += start[row, channel, column]
                bound = limit[row, channel, column]
                value = min(max(value, -bound), bound) * gain[row, channel, column]
                target[row, column, channel] = value


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _fill_colour(codes, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    channels, rows, columns = codes.shape
    first = target.shape[2] - channels
    for row in range(rows):
        for channel in range(channels):
            for column in range(columns):
                value = np.float32(codes[channel, row, column]) / np.float32(255)
                target[row, column, first + channel] = value - np.float32(0.5)
