"""The provider's side: from wire codes to the tensor its network reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from protocol.features.calibration import require_sensitivity
from protocol.features.spec import EDGE
from protocol.features.wire import WireGrid

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from protocol.features.calibration import Calibration
    from protocol.features.spec import FeatureSpec, ProtectedBatch

__all__ = ["dequantise", "network_input"]


def network_input(
    batch: ProtectedBatch, spec: FeatureSpec, calibration: Calibration
) -> torch.Tensor:
    """Return the network's input, float32 [B,F+c,112,112].

    Frequency elements are dequantised and divided by their channel's scale; colour codes become
    code/255 - 0.5.
    """
    step, start = map(torch.from_numpy, _affine(spec, calibration))
    output = torch.empty((len(batch), spec.channels, EDGE, EDGE), dtype=torch.float32)
    frequency, colour = _as_tensor(batch.frequency), _as_tensor(batch.colour)
    for index in range(len(batch)):
        target = output[index]
        torch.addcmul(start, frequency[index].float(), step, out=target[: spec.frequency_channels])
        target[spec.frequency_channels :].copy_(colour[index])
    output[:, spec.frequency_channels :].div_(255).sub_(0.5)
    return output


def dequantise(
    batch: ProtectedBatch, spec: FeatureSpec, calibration: Calibration
) -> NDArray[float32]:
    """Return the frequency part in coefficient units, float32 [B,F,112,112]."""
    step, start = _affine(spec, calibration)
    return (batch.frequency * step + start) * calibration.scale[:, None, None]


def _affine(
    spec: FeatureSpec, calibration: Calibration
) -> tuple[NDArray[float32], NDArray[float32]]:
    """Return step and value of code 0 for each element, in units of the channel's scale."""
    require_sensitivity(spec, calibration)
    grid = WireGrid.of(spec, calibration.allocation)
    scale = calibration.scale[:, None, None]
    width = calibration.sensitivity / scale
    start = calibration.lower / scale - grid.offset * width
    return width / grid.gain, start


def _as_tensor(codes: NDArray[np.generic]) -> torch.Tensor:
    # Received arrays may be read-only views of a frame, which torch refuses to wrap quietly.
    return torch.from_numpy(codes if codes.flags.writeable else codes.copy())
