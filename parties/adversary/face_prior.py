"""What faces look like, as a Gaussian: a mean, principal components, and what they leave over.

Four of five pictures give the mean and the components. The others say how much faces vary along
each component and how large the rest is, frequency by frequency of a cosine transform of the
whole picture: variances measured on the pictures the components were fitted to would be too small
for other people. Everything is a mean of squares; nothing is tuned. The prior is of luminance:
what colours add to an upload it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.errors import DataError
from protocol.features.spec import EDGE

__all__ = ["COMPONENTS", "FacePrior", "cosines", "fit_face_prior"]

Planes = NDArray[np.float32]

COMPONENTS: Final = 500
HELD: Final = 5
"""One picture in so many measures variances."""
FEWEST: Final = 8
LEAST_VARIANCE: Final = 1 / 12
"""Variance of whole grey levels: what is left over is never smaller."""
CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class FacePrior:
    """x = mean + weights @ components + C^T (spread * rest) C, with standard normal weights, rest.

    Attributes:
        mean: luminance minus 128, float32 [112,112].
        components: principal components times their deviations, float32 [K,112*112].
        spread: deviation of every frequency of what components leave over, float32 [112,112].
        pictures: how many it was fitted to.
    """

    mean: Planes
    components: Planes
    spread: Planes
    pictures: int


def fit_face_prior(planes: Planes, components: int = COMPONENTS) -> FacePrior:
    """Return the prior of luminance planes minus 128, float32 [N,112,112], of different people.

    Args:
        planes: best one picture of each person.
        components: how many are kept, at most one fewer than there are pictures to fit them to.

    Raises:
        DataError: fewer than eight pictures.
    """
    if len(planes) < FEWEST:
        hint = "give the adversary more training people"
        text = f"{len(planes)} pictures, at least {FEWEST} are needed"
        raise DataError(text, where="the prior of faces", hint=hint)
    held = np.arange(len(planes)) % HELD == 0
    fitted = planes[~held].reshape(-1, EDGE**2)
    mean = fitted.mean(axis=0, dtype=np.float64).astype(np.float32)
    axes = _axes(fitted - mean, min(components, len(fitted) - 1))
    others = planes[held].reshape(-1, EDGE**2) - mean
    weights = others @ axes.T
    deviations = np.sqrt(np.square(weights).mean(axis=0))
    rest = np.zeros((EDGE, EDGE))
    basis = cosines()
    for start in range(0, len(others), CHUNK):
        part = slice(start, start + CHUNK)
        left = (others[part] - weights[part] @ axes).reshape(-1, EDGE, EDGE)
        rest += np.square(basis @ left @ basis.T).sum(axis=0, dtype=np.float64)
    spread = np.sqrt(np.maximum(rest / len(others), LEAST_VARIANCE))
    return FacePrior(
        mean=mean.reshape(EDGE, EDGE),
        components=np.asarray(deviations[:, None] * axes, dtype=np.float32),
        spread=spread.astype(np.float32),
        pictures=len(planes),
    )


def cosines() -> Planes:
    """Return the orthonormal cosine transform of a line of pixels, float32 [112,112]."""
    frequency, place = np.mgrid[0:EDGE, 0:EDGE]
    basis = np.sqrt(2 / EDGE) * np.cos(np.pi * frequency * (2 * place + 1) / (2 * EDGE))
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, dtype=np.float32)


def _axes(centred: Planes, count: int) -> Planes:
    """Return the first principal axes of rows, float32 [count,P], from the matrix of products."""
    products = (centred @ centred.T).astype(np.float64)
    values, vectors = np.linalg.eigh(products)
    largest = slice(None, -count - 1, -1)
    kept, weights = values[largest], vectors[:, largest]
    scaled = weights / np.sqrt(np.maximum(kept, np.finfo(np.float32).tiny))
    return np.asarray(scaled.T.astype(np.float32) @ centred)
