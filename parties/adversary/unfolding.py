"""Recovering an embedding from a folded row, with its key, or from the row alone.

The row is the key's projection of the features, lifted back: it lies near the features themselves,
whatever the key, so an adversary without the key takes it for them. Each block's features are the
entries of a symmetric matrix of rank one, whose axis is the block up to its sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parties.adversary.sign_search import block_products, likely_signs
from protocol.mapping.folding import Fold

__all__ = ["KAPPAS", "blocks_of_features", "unfold", "whitened_blocks"]

Floats = NDArray[np.float64]

KAPPAS: Final = (10.0, 15.0, 20.0)


def whitened_blocks(units: Floats, fold: Fold) -> list[Floats]:
    """Return the blocks [..., size] of embeddings [..., n]."""
    white = fold.whiten(units)
    return [white[..., start:stop] for start, stop in fold.blocks]


def blocks_of_features(features: Floats, fold: Fold) -> list[Floats]:
    """Return blocks up to their signs, of features [D] that need not be exact.

    Args:
        features: as `fold.features`, or their projection; shorter than one where only a part of
            their direction is known.
        fold: the public fold.
    """
    raw, start, found = fold.mean + fold.spread * features, 0, []
    for size in (stop - first for first, stop in fold.blocks):
        rows, columns = np.triu_indices(size)
        values = raw[start : start + len(rows)]
        start += len(rows)
        matrix = np.zeros((size, size))
        matrix[rows, columns] = values * np.where(rows == columns, 1.0, np.sqrt(0.5))
        strength, axes = np.linalg.eigh(matrix + np.triu(matrix, 1).T)
        found.append(axes[:, -1] * np.sqrt(max(float(strength[-1]), 0.0)))
    return found


def unfold(
    records: Sequence[Sequence[Floats]],
    known_blocks: Sequence[Floats],
    fold: Fold,
    kappa: float,
    rng: np.random.Generator,
) -> Floats:
    """Guess the embedding [n] of the first record.

    Args:
        records: for each photo of the person, its blocks up to sign.
        known_blocks: those of other people whose embeddings the adversary has, [c, size] each.
        fold: the public fold.
        kappa: width of the density, see `likely_signs`.
        rng: draws starts where there are too many patterns to try them all.
    """
    signs = likely_signs(block_products(records, known_blocks), kappa, rng)
    guess = [sign * part for sign, part in zip(signs, records[0], strict=True)]
    return fold.unwhiten(np.concatenate(guess))
