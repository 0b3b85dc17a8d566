"""What an upload says of a picture, as linear attacks need it.

An upload is y = A x + noise: x is the luminance plane minus 128, A is public, and so is the
variance of every value, noise and rounding together. All that a linear attack ever needs of y is
`A^T W y` and `y^T W y`, where W holds inverse variances: of many values a plane is left, and
uploads of one kind share the operator `A^T W A`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from parties.adversary.block_normal import Planes, adjoint_of, apply_normal, normal_matrices
from protocol.features.block_dct import BLOCK
from protocol.features.spec import EDGE

__all__ = ["ChannelLaw", "Gathered", "Law", "MeanLaw", "joined"]


class Gathered(NamedTuple):
    """What is kept of uploads.

    Attributes:
        back: `A^T W y`, float32 [B,112,112].
        energy: `y^T W y`, float64 [B].
    """

    back: Planes
    energy: NDArray[np.float64]


class Law(Protocol):
    """How values of one kind of upload follow from a plane, and how noisy they are."""

    def normal(self, planes: Planes) -> Planes:
        """Apply `A^T W A` to planes [B,112,112]."""
        ...

    def gather(self, values: Planes) -> Gathered:
        """Return what attacks need of uploads' values [B,...]."""
        ...


class ChannelLaw:
    """Coefficients of the block transform, each with a variance of its own."""

    def __init__(
        self, channels: NDArray[np.intp], variance: NDArray[np.float64], unit: float = 1.0
    ) -> None:
        """Prepare.

        Args:
            channels: which coefficients are sent, [C]; coefficient (u, v) is 8 u + v - 1.
            variance: of the values, [C,112,112] or what broadcasts to it; infinite for one that
                was not sent.
            unit: luminance coefficients in units of the values.
        """
        shape = (len(channels), EDGE, EDGE)
        self._slots = np.asarray(channels) + 1
        self._unit = np.float32(unit)
        self._weights = np.broadcast_to(1.0 / variance, shape).astype(np.float32) / self._unit**2
        weights = np.zeros((BLOCK * BLOCK, EDGE, EDGE), np.float32)
        weights[self._slots] = self._weights
        self._matrices = normal_matrices(weights)

    def normal(self, planes: Planes) -> Planes:
        """Apply `A^T W A` to planes [B,112,112]."""
        return apply_normal(self._matrices, np.ascontiguousarray(planes, dtype=np.float32))

    def gather(self, values: Planes) -> Gathered:
        """Return what attacks need of values [B,C,112,112]; one picture at a time, to save room."""
        backs, energies = [], []
        weighted = np.zeros((1, BLOCK * BLOCK, EDGE, EDGE), np.float32)
        for one in values:
            scaled = self._unit * one
            weighted[0, self._slots] = self._weights * scaled
            backs.append(adjoint_of(weighted))
            energies.append(np.vdot(weighted[0, self._slots], scaled))
        return Gathered(np.concatenate(backs), np.array(energies, dtype=np.float64))


class MeanLaw:
    """Means of squares of pixels, or the pixels themselves."""

    def __init__(self, variance: float | NDArray[np.float64], pool: int = 1) -> None:
        """Prepare.

        Args:
            variance: of the means, or of each of them [112/pool,112/pool].
            pool: side of the squares that were averaged.
        """
        shape = (EDGE // pool,) * 2
        self._weights = np.broadcast_to(1.0 / np.asarray(variance), shape).astype(np.float32)
        square = np.repeat(np.eye(EDGE // pool, dtype=np.float32), pool, axis=1)
        self._means = square / np.float32(pool)

    def normal(self, planes: Planes) -> Planes:
        """Apply `A^T W A` to planes [B,112,112]."""
        return self._spread(self._weights * (self._means @ planes @ self._means.T))

    def gather(self, values: Planes) -> Gathered:
        """Return what attacks need of values [B,112/pool,112/pool]."""
        weighted = self._weights * values
        energy = np.einsum("bij,bij->b", weighted, values, dtype=np.float64)
        return Gathered(self._spread(weighted), energy)

    def _spread(self, values: Planes) -> Planes:
        return np.asarray(self._means.T @ values @ self._means, dtype=np.float32)


def joined(parts: list[Gathered]) -> Gathered:
    """Return what was gathered of several batches as that of one."""
    backs, energies = zip(*parts, strict=True)
    return Gathered(np.concatenate(backs), np.concatenate(energies))
