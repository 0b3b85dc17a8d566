"""Guessing the signs of a folded template's blocks from what embeddings usually look like.

A folded template gives every block up to its sign. The adversary picks the signs that make the
embedding most plausible under a kernel density of public embeddings,
log sum_i exp(kappa <x, c_i>). Up to `EXHAUSTIVE` blocks all patterns are tried; for more the search
is a steepest ascent over single signs from several starts. Trying all is cheap because a member's
term is a product over blocks: with the products of either half of the blocks under the 2^(B/2)
patterns of that half, the densities of all patterns are one matrix product.

Records of further photos of the same person help. Blocks of one person point the same way in all
photos, but for the sign, so the sign of the product of two records' blocks says how they were
flipped against each other: what is left to guess is one pattern for all records together, whose
plausibility is the product of their densities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_products", "likely_signs"]

Floats = NDArray[np.float64]
Density = Callable[[Floats], Floats]

STARTS: Final = 6
EXHAUSTIVE: Final = 16
"""Most blocks of which all 2^B patterns are tried; a density is not even in the signs."""


def block_products(records: Sequence[Sequence[Floats]], cohort_blocks: Sequence[Floats]) -> Floats:
    """Return <block, member's block> as [records, B, c], further records flipped like the first.

    Args:
        records: for each photo, the entries of each block of its whitened template, up to sign.
        cohort_blocks: the same blocks of the public cohort, [c, size] each.
    """
    first, found = records[0], []
    for blocks in records:
        flips = [-1.0 if one @ other < 0 else 1.0 for one, other in zip(first, blocks, strict=True)]
        found.append(
            [
                known @ (flip * block)
                for flip, block, known in zip(flips, blocks, cohort_blocks, strict=True)
            ]
        )
    return np.asarray(found)


def likely_signs(products: Floats, kappa: float, rng: np.random.Generator) -> Floats:
    """Return the most plausible signs [B] of the first record's blocks.

    Args:
        products: of `block_products`, [records, B, c].
        kappa: concentration of the density; small sees its shape, large its single members.
        rng: draws half of the starts where not all patterns are tried; the others are the signs of
            the most similar members.
    """
    scaled: Floats = np.asarray(kappa * products, dtype=np.float64)
    if products.shape[1] <= EXHAUSTIVE:
        return _best_of_all(scaled)

    def density(signs: Floats) -> Floats:
        return np.asarray(_log_sum(signs @ scaled).sum(axis=0))

    similar = np.argsort(-np.square(products).sum(axis=(0, 1)))[:STARTS]
    drawn = rng.choice((-1.0, 1.0), (STARTS, products.shape[1]))
    summed = products.sum(axis=0)
    starts = [*np.where(summed[:, similar].T < 0, -1.0, 1.0), *drawn]
    climbed = [_climb(start, density) for start in starts]
    return max(climbed, key=lambda found: found[0])[1]


def _best_of_all(scaled: Floats) -> Floats:
    half = scaled.shape[1] // 2
    first, second = _patterns(half), _patterns(scaled.shape[1] - half)
    # No exponent exceeds kappa: products of unit vectors add up to cosines.
    plausible = sum(
        np.log(np.exp(first @ record[:half]) @ np.exp(second @ record[half:]).T)
        for record in scaled
    )
    one, two = divmod(int(np.argmax(plausible)), len(second))
    return np.concatenate([first[one], second[two]])


def _patterns(blocks: int) -> Floats:
    bits = (np.arange(1 << blocks)[:, None] >> np.arange(blocks)) & 1
    return np.where(bits == 1, -1.0, 1.0)


def _climb(signs: Floats, density: Density) -> tuple[float, Floats]:
    """Flip the best sign until no flip helps."""
    current = float(density(signs[None])[0])
    flips = np.where(np.eye(len(signs), dtype=np.bool_), -1.0, 1.0)
    while True:
        flipped = signs * flips
        found = density(flipped)
        best = int(found.argmax())
        if found[best] <= current + 1e-9:
            return current, signs
        signs, current = flipped[best], float(found[best])


def _log_sum(values: Floats) -> Floats:
    highest = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - highest).sum(axis=-1)) + highest[..., 0])
