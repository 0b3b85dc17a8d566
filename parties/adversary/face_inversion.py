"""Attack A1 with a prior of faces: the mean of all faces that could have led to an upload.

With x = mean + L z, where z is standard normal and L holds the components and the deviations of
what they leave over (`face_prior`), and y = A x + noise, the posterior mean of z solves

    (I + L^T N L) z = L^T (A^T W y - N mean),   N = A^T W A.

It is found by conjugate gradients, all pictures of one kind of upload at once. The part of the
matrix that belongs to the components is inverted exactly, once for each kind; the rest is
taken for diagonal, which it is where all pixels have the same noise. So few rounds are needed.
Nothing is trained and nothing is tuned; the result is linear in the upload.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parties.adversary.block_normal import Planes
from parties.adversary.face_prior import FacePrior, cosines
from parties.adversary.linear_inversion import Solver
from parties.adversary.uploads import Gathered, Law
from protocol.features.spec import EDGE

__all__ = ["FaceAttack"]

ROUNDS: Final = 40
TOLERANCE: Final = 1e-3
"""Residual, relative to the first, at which rounds end."""
PROBES: Final = 8
NEIGHBOURS: Final = 4
"""Frequencies on either side over which the estimate of the diagonal is averaged."""
TINY: Final = np.finfo(np.float32).tiny


class FaceAttack:
    """The linear attack that knows what faces look like."""

    name = "face"

    def __init__(self, prior: FacePrior) -> None:
        """Take what it knows of faces."""
        self.prior = prior

    def against(self, law: Law) -> Solver:
        """Prepare the attack on uploads of a kind."""
        return _FaceSolver(self.prior, law)

    def described(self) -> bytes:
        """Return what is known of faces."""
        return b"".join(
            part.tobytes() for part in (self.prior.mean, self.prior.components, self.prior.spread)
        )


class _Latent(NamedTuple):
    """Standard normal numbers of pictures: of components [B,K], of the rest [B,112,112]."""

    weights: Planes
    rest: Planes

    def dot(self, other: _Latent) -> NDArray[np.float64]:
        """Return the product of each picture's numbers with another's, [B]."""
        weights = np.einsum("bk,bk->b", self.weights, other.weights, dtype=np.float64)
        rest = np.einsum("bij,bij->b", self.rest, other.rest, dtype=np.float64)
        return np.asarray(weights + rest)

    def plus(self, rate: NDArray[np.float64], other: _Latent) -> _Latent:
        """Return these numbers plus another's, each picture's at its rate [B]."""
        each = rate.astype(np.float32)
        return _Latent(
            self.weights + each[:, None] * other.weights,
            self.rest + each[:, None, None] * other.rest,
        )


class _FaceSolver:
    def __init__(self, prior: FacePrior, law: Law) -> None:
        self._prior, self._law = prior, law
        self._basis = cosines()
        self._shift = law.normal(prior.mean[None])
        planes = prior.components.reshape(-1, EDGE, EDGE)
        seen = law.normal(planes).reshape(len(planes), -1)
        matrix = np.eye(len(planes)) + (prior.components @ seen.T).astype(np.float64)
        matrix = (matrix + matrix.T) / 2
        self._inverse = np.linalg.inv(matrix).astype(np.float32)
        self._volume = float(np.linalg.slogdet(matrix).logabsdet)
        gain = 1 / (1 + np.square(prior.spread) * self._response())
        self._gain = np.asarray(gain, dtype=np.float32)

    def recover(self, gathered: Gathered) -> Planes:
        residual = self._down(gathered.back - self._shift)
        found = _Latent(np.zeros_like(residual.weights), np.zeros_like(residual.rest))
        step = self._preconditioned(residual)
        direction, size = step, residual.dot(step)
        enough = TOLERANCE**2 * size
        for _ in range(ROUNDS):
            image = self._down(self._law.normal(self._up(direction)))
            image = _Latent(image.weights + direction.weights, image.rest + direction.rest)
            rate = size / np.maximum(direction.dot(image), TINY)
            found, residual = found.plus(rate, direction), residual.plus(-rate, image)
            step = self._preconditioned(residual)
            following = residual.dot(step)
            if np.all(following <= enough):
                break
            direction, size = step.plus(following / np.maximum(size, TINY), direction), following
        return np.asarray(self._prior.mean + self._up(found))

    def plausibility(self, gathered: Gathered) -> NDArray[np.float64]:
        """Return the logarithm of the evidence, up to a constant; faces without their rest."""
        mean, back = self._prior.mean, gathered.back
        away = gathered.energy + np.einsum(
            "ij,bij->b", mean, self._shift - 2 * back, dtype=np.float64
        )
        right = (back - self._shift).reshape(len(back), -1) @ self._prior.components.T
        explained = np.einsum("bk,bk->b", right @ self._inverse, right, dtype=np.float64)
        return np.asarray((explained - away - self._volume) / 2)

    def _up(self, latent: _Latent) -> Planes:
        rest = self._basis.T @ (self._prior.spread * latent.rest) @ self._basis
        return np.asarray((latent.weights @ self._prior.components).reshape(rest.shape) + rest)

    def _down(self, planes: Planes) -> _Latent:
        rest = self._prior.spread * (self._basis @ planes @ self._basis.T)
        weights = planes.reshape(len(planes), -1) @ self._prior.components.T
        return _Latent(weights, np.asarray(rest, dtype=np.float32))

    def _preconditioned(self, latent: _Latent) -> _Latent:
        return _Latent(latent.weights @ self._inverse, self._gain * latent.rest)

    def _response(self) -> Planes:
        """Estimate the diagonal of N in frequencies: the mean over signs drawn for all of them."""
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (PROBES, EDGE, EDGE))
        signs = signs.astype(np.float32)
        images = self._law.normal(self._basis.T @ signs @ self._basis)
        found = (signs * (self._basis @ images @ self._basis.T)).mean(axis=0)
        window = _window()
        return np.asarray(np.maximum(window @ found @ window.T, 0))


def _window() -> Planes:
    """Return the matrix that averages a frequency with its neighbours, mirrored at the ends."""
    window, place = np.zeros((EDGE, EDGE), np.float32), np.arange(EDGE)
    for offset in range(-NEIGHBOURS, NEIGHBOURS + 1):
        other = place + offset
        other = np.where(other < 0, -other - 1, np.minimum(other, 2 * EDGE - 1 - other))
        np.add.at(window, (place, other), np.float32(1 / (2 * NEIGHBOURS + 1)))
    return window
