"""Attack A1: recover a face from noisy features by linear algebra, no training.

The adversary knows how uploads follow from a plane (`uploads`), and what pictures look like: a
Gaussian prior. What it returns is the most plausible plane, a linear function of the upload. The
standard prior is that of faces (`face_inversion`); this module has the weak one for comparison,
smoothness. It minimises

    (y - A x)^T W (y - A x) + smooth |grad x|^2 + level |x|^2

and is found by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from parties.adversary.block_normal import Planes
from parties.adversary.uploads import Gathered, Law
from protocol.features.spec import EDGE

__all__ = ["LinearAttack", "SmoothAttack", "Solver", "recover"]

STEP_SPREAD: Final = 12.0
"""Standard deviation of the difference of neighbouring pixels the prior assumes."""
LEVEL_SPREAD: Final = 60.0
"""Standard deviation of a pixel around mid grey the prior assumes."""
ROUNDS: Final = 120
TOLERANCE: Final = 1e-6
"""Squared residual, relative to the right side, at which rounds end."""


class Solver(Protocol):
    """An attack on one kind of upload."""

    def recover(self, gathered: Gathered) -> Planes:
        """Return the most plausible luminance planes minus 128, float32 [B,112,112]."""
        ...

    def plausibility(self, gathered: Gathered) -> NDArray[np.float64]:
        """Return how plausible it is that uploads are of this kind, [B]; more is likelier."""
        ...


class LinearAttack(Protocol):
    """A linear attack; `name` says which prior it has."""

    name: str

    def against(self, law: Law) -> Solver:
        """Prepare the attack on uploads of a kind."""
        ...

    def described(self) -> bytes:
        """Return bytes that differ between adversaries who know something else."""
        ...


def recover(solvers: Sequence[Solver], gathered: Sequence[Gathered]) -> Planes:
    """Return the most plausible planes of uploads that follow one of several laws.

    Args:
        solvers: the attack against each law; which of them an upload follows it has to find out.
        gathered: what was gathered of the same uploads under each law.
    """
    if len(solvers) == 1:
        return solvers[0].recover(gathered[0])
    likely = np.argmax(
        [solver.plausibility(each) for solver, each in zip(solvers, gathered, strict=True)], axis=0
    )
    planes = np.empty_like(gathered[0].back)
    for which in np.unique(likely):
        mine, each = likely == which, gathered[which]
        planes[mine] = solvers[which].recover(Gathered(each.back[mine], each.energy[mine]))
    return planes


class SmoothAttack:
    """The linear attack that knows of pictures only that neighbouring pixels are alike."""

    name = "smooth"

    def against(self, law: Law) -> Solver:
        """Prepare the attack on uploads of a kind."""
        return _SmoothSolver(law)

    def described(self) -> bytes:
        """Return the assumed deviations."""
        return repr((self.name, STEP_SPREAD, LEVEL_SPREAD)).encode()


class _SmoothSolver:
    def __init__(self, law: Law) -> None:
        self._law = law

    def recover(self, gathered: Gathered) -> Planes:
        return _solve(self._law.normal, gathered.back)

    def plausibility(self, gathered: Gathered) -> NDArray[np.float64]:
        """Return minus the weighted squares that the recovered planes leave unexplained."""
        planes = self.recover(gathered)
        explained = 2 * gathered.back - self._law.normal(planes)
        products = np.einsum("bij,bij->b", planes, explained, dtype=np.float64)
        return np.asarray(products - gathered.energy)


def _solve(normal: Callable[[Planes], Planes], right: Planes) -> Planes:
    """Solve (normal + prior) X = right by conjugate gradients, all pictures at once."""
    step = np.diff(np.eye(EDGE, dtype=np.float32), axis=0)
    smooth = (step.T @ step) / np.float32(STEP_SPREAD**2)
    level = np.float32(1.0 / LEVEL_SPREAD**2)

    def operator(planes: Planes) -> Planes:
        return np.asarray(normal(planes) + smooth @ planes + planes @ smooth + level * planes)

    found = np.zeros_like(right)
    residual = right.copy()
    direction, size = residual.copy(), _squares(residual)
    start = size
    for _ in range(ROUNDS):
        image = operator(direction)
        rate = size / np.maximum(_dots(direction, image), 1e-20)
        found += rate * direction
        residual -= rate * image
        following = _squares(residual)
        if np.all(following <= TOLERANCE * start):
            break
        direction *= following / np.maximum(size, 1e-20)
        direction += residual
        size = following
    return found


def _dots(first: Planes, second: Planes) -> Planes:
    return np.asarray((first * second).sum(axis=(1, 2), keepdims=True))


def _squares(values: Planes) -> Planes:
    return _dots(values, values)
