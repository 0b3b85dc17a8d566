"""Folding: quadratic features of a template that forget the signs of its blocks.

A unit embedding v is centred and whitened with public constants, w(v), and cut into B blocks. The
features are all products of two entries of one block. They are the same for v and for every
template that differs from it in the signs of blocks, so 2^(B-1) templates (and their negatives)
share them: whoever knows them, the key included, must still guess. The inner product of two
features is the sum of squared inner products of blocks; an identity's blocks all agree up to
sign, a stranger's do not.

What resists guessing is that the prior of embeddings is nearly symmetric under these signs once
it is centred and white. How nearly depends on how many people an adversary knows: `bauta evaluate
cohorts` measures it. The fold must be the same wherever one network's templates are kept: a second
fold with other blocks or another centre tells the signs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError
from protocol.mapping.quantise import unit_rows
from protocol.mapping.spec import folded_length

__all__ = ["Fold"]

Floats = NDArray[np.float64]

SMALLEST: Final = 0.05
"""Directions with less than this share of the mean variance say nothing but fix the signs."""


class Fold:
    """A public fold, derived from a public cohort.

    Attributes:
        blocks: start and stop of each block in whitened entries.
        length: D, number of features.
        centre: public mean embedding [n].
        whitener: public matrix [n, n'], n' the directions that vary.
        mean: the cohort's mean features [D].
        spread: the mean length of the cohort's features about that mean.
    """

    def __init__(self, cohort: Floats, blocks: int, whitening: float) -> None:
        """Derive centre, whitening and mean features.

        Args:
            cohort: public unit embeddings [c, n].
            blocks: B.
            whitening: share of the mean variance added to every direction's: 0 whitens fully, a
                large value only rotates.

        Raises:
            LocalProtocolError: fewer directions than blocks vary.
        """
        self.centre = cohort.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov((cohort - self.centre).T))
        varied = variance > SMALLEST * variance.mean()
        if varied.sum() < blocks:
            raise LocalProtocolError("the cohort varies in fewer directions than there are blocks")
        order = _dealt(np.argsort(-variance[varied], kind="stable"), blocks)
        scale = np.sqrt(variance[varied] + whitening * variance.mean())
        self.whitener = (axes[:, varied] / scale)[:, order]
        edges = np.cumsum([0, *(len(part) for part in np.array_split(order, blocks))])
        self.blocks = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        self.length = folded_length(len(order), blocks)
        raw = self._raw(self.whiten(cohort))
        self.mean = raw.mean(axis=0)
        self.spread = float(np.linalg.norm(raw - self.mean, axis=1).mean())

    def whiten(self, units: Floats) -> Floats:
        """Return whitened unit vectors [..., n'] of unit embeddings [..., n]."""
        return unit_rows((units - self.centre) @ self.whitener)

    def unwhiten(self, white: Floats) -> Floats:
        """Return the unit embedding [n] whose whitened form points along `white` [n']."""
        step = white @ np.linalg.pinv(self.whitener)
        # |centre + t step| = 1 has one positive root, because the centre lies inside the sphere.
        inside = 1.0 - float(self.centre @ self.centre)
        along, square = float(self.centre @ step), float(step @ step)
        root = (-along + np.sqrt(along * along + square * inside)) / square
        return unit_rows(self.centre + root * step)

    def features(self, units: Floats) -> Floats:
        """Return unit features [..., D] of unit embeddings [..., n], centred on the cohort."""
        return unit_rows(self._raw(self.whiten(units)) - self.mean)

    def _raw(self, white: Floats) -> Floats:
        parts = []
        for start, stop in self.blocks:
            block = white[..., start:stop]
            rows, columns = np.triu_indices(stop - start)
            weight = np.where(rows == columns, 1.0, np.sqrt(2.0))
            parts.append(weight * block[..., rows] * block[..., columns])
        return np.concatenate(parts, axis=-1)


def _dealt(order: NDArray[np.intp], blocks: int) -> NDArray[np.intp]:
    """Deal directions to blocks in turn, so that each has its share of strong and weak ones."""
    return np.concatenate([order[block::blocks] for block in range(blocks)])
