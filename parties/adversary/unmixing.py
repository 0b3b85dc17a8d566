"""Undoing a secret orthogonal mixing of channels from intercepted uploads, without any pair.

A deployment may send y = Q x instead of x, with one secret orthogonal Q, and train its network
on y. What is known of faces in general then betrays Q: the covariance of y is Q S Q^T with a
public S, so the eigenvectors of both agree up to signs, and third moments tell the signs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Statistics", "statistics_of", "unmixing"]

Samples = NDArray[np.float32]


class Statistics(NamedTuple):
    """What is kept of samples.

    Attributes:
        axes: principal axes in columns, largest variance first, float64 [C,C].
        third: mean of p_i^2 p_j over samples in these axes, each component scaled to unit variance
            and centred, float64 [C,C]; column j changes its sign with axis j.
    """

    axes: NDArray[np.float64]
    third: NDArray[np.float64]


def statistics_of(samples: Samples) -> Statistics:
    """Return the statistics of samples [N,C], N well above C."""
    centred = samples - samples.mean(axis=0)
    covariance = centred.T.astype(np.float64) @ centred / len(centred)
    powers, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1]
    deviation = np.sqrt(np.maximum(powers[::-1], 1e-12))
    components = (centred @ axes) / deviation
    # A few large coefficients would otherwise decide the third moments alone.
    components = np.clip(components, -4, 4)
    third = np.square(components).T @ components / len(components)
    return Statistics(axes, third)


def unmixing(public: Statistics, seen: Statistics) -> NDArray[np.float64]:
    """Return the estimate of Q [C,C] for which seen samples are Q times public-like ones."""
    signs = np.sign((public.third * seen.third).sum(axis=0))
    signs[signs == 0] = 1
    estimate: NDArray[np.float64] = (seen.axes * signs) @ public.axes.T
    return estimate
