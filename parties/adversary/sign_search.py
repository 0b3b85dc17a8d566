"""Guessing the signs of a folded template's blocks from what embeddings usually look like.

A folded template gives every block up to its sign. The adversary picks the signs that make the
embedding most plausible under a kernel density of public embeddings,
log sum_i exp(kappa <x, c_i>), by steepest ascent over single signs from several starts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["likely_signs"]

Floats = NDArray[np.float64]

STARTS: Final = 6


def likely_signs(
    blocks: list[Floats], cohort_blocks: list[Floats], kappa: float, rng: np.random.Generator
) -> Floats:
    """Return the most plausible signs [B].

    Args:
        blocks: entries of each block of the whitened template, up to sign.
        cohort_blocks: the same blocks of the public cohort, [c, size] each.
        kappa: concentration of the density; small sees its shape, large its single members.
        rng: draws half of the starts; the others are the signs of the most similar members.
    """
    products = np.stack([known @ block for block, known in zip(blocks, cohort_blocks, strict=True)])
    similar = np.argsort(-np.square(products).sum(axis=0))[:STARTS]
    drawn = rng.choice((-1.0, 1.0), (STARTS, len(blocks)))
    starts = [*np.where(products[:, similar].T < 0, -1.0, 1.0), *drawn]
    climbed = [_climb(start, kappa * products) for start in starts]
    return max(climbed, key=lambda found: found[0])[1]


def _climb(signs: Floats, products: Floats) -> tuple[float, Floats]:
    """Flip the best sign until no flip helps."""
    current = float(_log_sum(signs @ products))
    while True:
        flipped = (signs @ products)[None] - 2 * signs[:, None] * products
        gains = _log_sum(flipped)
        best = int(gains.argmax())
        if gains[best] <= current + 1e-9:
            return current, signs
        signs = signs.copy()
        signs[best] *= -1
        current = float(gains[best])


def _log_sum(values: Floats) -> Floats:
    highest = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - highest).sum(axis=-1)) + highest[..., 0])
