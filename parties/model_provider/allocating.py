"""Learning how a picture's budget is divided, by gradients of the recognition loss.

An element reaches the network as g(b) clip(u + b L, +-b), with noise scale b inversely
proportional to its share and L a draw that the client does not tell. Training knows the noise:
what was sent less what would have been sent without noise. That gives the derivative by
log b without a second draw (reparameterisation as in DCTDP, Ji et al., 2022, section 3.3).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from parties.model_provider.student import InputTransform
from protocol.features import Allocation, FeatureSpec, ProtectedBatch

__all__ = ["Noise", "Shares", "share_gradient"]

CELLS: Final = 14
"""Shares of places are learned on so coarse a grid and interpolated: pictures are few."""
LARGEST_LOGIT: Final = 3.0
_ROOM: Final = 0.999
"""Shares stay so far below what the sampler resolves."""


class Shares(nn.Module):
    """Logits of the shares of channels and places; equal shares to begin with.

    Attributes:
        channels: logits [F].
        places: logits [14,14] between which those of places are interpolated.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        self.spec = spec
        self.channels = nn.Parameter(torch.zeros(spec.noise_channels))
        self.places = nn.Parameter(torch.zeros(CELLS, CELLS))

    def start_from(self, earlier: Allocation) -> None:
        """Take over shares learned at another budget, as well as the coarse grid can."""
        side = len(earlier.places)
        cells = torch.from_numpy(earlier.places)[None, None].log()
        coarse = (
            functional.interpolate(cells, (CELLS, CELLS), mode="area") if side > CELLS else cells
        )
        with torch.no_grad():
            self.channels.copy_(torch.from_numpy(earlier.channels).log())
            self.places.copy_(coarse[0, 0])

    def allocation(self) -> Allocation:
        """Return the shares, evened out as far as the sampler's resolution asks for."""
        with torch.no_grad():
            channels, places = self._logits()
            return Allocation.of_logits(
                channels.double().numpy(), places.double().numpy(), _ROOM * self.spec.largest_share
            )

    def keep_within(self) -> None:
        """Bound the logits, so that no share vanishes."""
        with torch.no_grad():
            for logits in self.parameters():
                logits.clamp_(-LARGEST_LOGIT, LARGEST_LOGIT)

    def backward(self, by_element: NDArray[np.float32]) -> None:
        """Set the gradients, given the loss by the log share of each element [F,112,112]."""
        channels, places = self._logits()
        side = len(places)
        gradient = torch.from_numpy(by_element)
        square = gradient.reshape(len(gradient), side, 112 // side, side, 112 // side)
        summed = square.sum(dim=(2, 4))
        of_channels, of_places = summed.sum(dim=(1, 2)), summed.sum(dim=0)
        if len(channels) == 1:
            of_channels = of_channels.sum(dim=0, keepdim=True)
        loss = (of_channels * channels.log_softmax(0)).sum()
        loss = loss + (of_places.flatten() * places.flatten().log_softmax(0)).sum()
        for logits in self.parameters():
            logits.grad = None
        loss.backward()  # type: ignore[no-untyped-call]

    def _logits(self) -> tuple[Tensor, Tensor]:
        side = self.spec.noise_places
        places = functional.interpolate(
            self.places[None, None], (side, side), mode="bilinear", align_corners=False
        )
        return self.channels, places[0, 0]


class Noise(NamedTuple):
    """What training knows of a batch's noise and a provider never learns.

    Attributes:
        sent: with noise.
        quiet: the same pictures without noise.
        read: how a network reads the first.
        plain: how it would read the second.
    """

    sent: ProtectedBatch
    quiet: ProtectedBatch
    read: InputTransform
    plain: InputTransform


def share_gradient(noise: Noise, gradient: Tensor) -> NDArray[np.float32]:
    """Return the derivative of the loss by the log share of each element, float32 [F,112,112].

    Args:
        noise: how the batch was made.
        gradient: of the loss by the network's input, [B,C,112,112].
    """
    noisy, plain = noise.read, noise.plain
    square = np.square(noisy.noise)
    response = np.asarray(-2 * square / (1 + 2 * square), dtype=np.float32)
    by_row = np.zeros_like(noisy.noise)
    rows = gradient.permute(0, 2, 3, 1).contiguous().numpy()
    for codes, calm, slope in zip(noise.sent.frequency, noise.quiet.frequency, rows, strict=True):
        lines = (noisy.start, noisy.step, plain.start, plain.step)
        _accumulate(codes, calm, slope, lines, (noisy.limit, noisy.gain, response), by_row)
    return np.ascontiguousarray(by_row.transpose(1, 0, 2))


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _accumulate(codes, calm, slope, lines, reading, by_row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    start, step, quiet_start, quiet_step = lines
    limit, gain, response = reading
    channels, rows, columns = codes.shape
    for row in range(rows):
        for channel in range(channels):
            for column in range(columns):
                at = (row, channel, column)
                value = codes[channel, row, column] * step[at] + start[at]
                known = calm[channel, row, column] * quiet_step[at] + quiet_start[at]
                bound = limit[at]
                read = min(max(value, -bound), bound)
                inside = abs(value) < bound
                change = (value - known if inside else read) + response[at] * read
                # A larger share is less noise: the sign turns.
                by_row[at] -= slope[row, column, channel] * gain[at] * change
