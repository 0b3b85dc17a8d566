"""The linear attack A1 on exactly what is sent, for the same uploads the trained attack reads.

Least squares under a smoothness prior, without training; colour maps are not read. What the
adversary has to know of noise, clipping and rounding it measures on pictures of its own.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.mechanisms import ChannelNoise, luminance
from orchestration.benchmarks.recovery.visits import Oracle
from parties.adversary.linear_inversion import recover_from_channels, recover_from_plane
from protocol.features import ProtectedBatch, dequantise
from protocol.features.fusion import plane_mixing
from protocol.features.pipeline import exact_coefficients
from protocol.features.selection import sent_channels
from protocol.features.spec import EDGE

__all__ = ["LinearAttack", "linear_attack"]

Pictures = NDArray[np.uint8]
Planes = NDArray[np.float32]

PLANE: Final = 63
"""Coefficients of one plane of a block."""
LEAST_ERROR: Final = 1e-3
"""Least variance credited to what is sent: less would only slow the solver."""


class LinearAttack(Protocol):
    """The attack on one kind of input."""

    def recovered(self, sent: ProtectedBatch, pictures: Pictures) -> Planes:
        """Return planes, minus 128, read from what was sent for these pictures."""
        ...


def linear_attack(oracle: Oracle, own: Pictures) -> LinearAttack:
    """Return the attack on what `oracle` sends; `own` pictures are not the attacked ones."""
    if oracle.spec.fusion == "plane":
        return _OnPlane(oracle, own)
    if oracle.spec.selection == "random":
        return _OnKnownGroup(oracle)
    return _OnChannels(oracle, own)


class _OnPlane:
    """Reads means of pixels; each has the same variance of error."""

    def __init__(self, oracle: Oracle, own: Pictures) -> None:
        self._oracle, self._block = oracle, oracle.spec.pixel_block
        error = self._found(oracle.protect(own, "own")) - self._means(luminance(own))
        self._variance = max(float(np.square(error).mean()), LEAST_ERROR)

    def recovered(self, sent: ProtectedBatch, pictures: Pictures) -> Planes:  # noqa: ARG002
        return recover_from_plane(self._found(sent), self._variance, self._block)

    def _found(self, sent: ProtectedBatch) -> Planes:
        return self._means(dequantise(sent, self._oracle.spec, self._oracle.calibration))

    def _means(self, planes: Planes) -> Planes:
        side = EDGE // self._block
        squares = planes.reshape(-1, side, self._block, side, self._block)
        return np.asarray(squares.mean(axis=(2, 4)), dtype=np.float32)


class _OnChannels:
    """Reads fused coefficients as those of luminance times a factor; of three planes, the first.

    Each channel has its variance of noise, clipping and rounding.
    """

    def __init__(self, oracle: Oracle, own: Pictures) -> None:
        self._oracle = oracle
        self._channels = sent_channels(PLANE, oracle.spec.selection)[0]
        true, found = self._true(own), self._found(oracle.protect(own, "own"))
        self._factor = float(np.vdot(found, true) / np.vdot(true, true))
        exact = oracle.exact(own)[:, : len(self._channels)]
        error = np.square(found - exact, dtype=np.float64).mean(axis=(0, 2, 3))
        self._variance = np.full(PLANE, np.inf)
        self._variance[self._channels] = np.maximum(error / self._factor**2, LEAST_ERROR)

    def recovered(self, sent: ProtectedBatch, pictures: Pictures) -> Planes:  # noqa: ARG002
        channels = np.zeros((len(sent), PLANE, EDGE, EDGE), np.float32)
        channels[:, self._channels] = self._found(sent) / np.float32(self._factor)
        return recover_from_channels(channels, self._variance)

    def _found(self, sent: ProtectedBatch) -> Planes:
        values = dequantise(sent, self._oracle.spec, self._oracle.calibration)
        return values[:, : len(self._channels)]

    def _true(self, pictures: Pictures) -> Planes:
        mixing = plane_mixing("y_only")
        whole = np.stack([exact_coefficients(picture, mixing, PLANE) for picture in pictures])
        return whole[:, self._channels]


class _OnKnownGroup:
    """Of channels drawn for every picture, protects again with a group that is known.

    There are six of them, so an adversary would try all.
    """

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._known = ChannelNoise("known group", oracle.calibration)
        self._generator = np.random.default_rng(oracle.seed)

    def recovered(self, sent: ProtectedBatch, pictures: Pictures) -> Planes:  # noqa: ARG002
        element = self._oracle.spec.epsilon
        budget = None if element is None else element * self._known.elements
        return self._known.recovered(pictures, budget, self._generator)
