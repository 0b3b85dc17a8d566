"""A small predictor: logistic regression on bits of a view, judged on runs it was not shown."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["held_out_hits"]

FEATURES: Final = 200
STEPS: Final = 100
RATE: Final = 0.5
PENALTY: Final = 0.05

Bits = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]


def held_out_hits(one: Bits, two: Bits, fold: int) -> tuple[int, int]:
    """Train on every other run of both worlds and predict the rest.

    Args:
        one: bits of world one, [runs, features].
        two: bits of world two.
        fold: 0 or 1, which half is held out.

    Returns:
        Right predictions, and how many were asked for. Under equal distributions half of them
        are right in the mean, and their number is spread no wider than a binomial one.
    """
    runs = min(len(one), len(two)) // 2 * 2
    held, shown = slice(fold, runs, 2), slice(1 - fold, runs, 2)
    chosen = _strongest(one[shown], two[shown])
    weights, offset = _fit(_signs(one[shown][:, chosen]), _signs(two[shown][:, chosen]))
    ones = _signs(one[held][:, chosen]) @ weights + offset
    twos = _signs(two[held][:, chosen]) @ weights + offset
    # A tie is no knowledge: it goes to world one, which is half of the runs.
    return int((ones >= 0).sum() + (twos < 0).sum()), ones.size + twos.size


def _strongest(one: Bits, two: Bits) -> npt.NDArray[np.intp]:
    gap = np.abs(one.mean(axis=0) - two.mean(axis=0))
    return np.argsort(-gap, kind="stable")[:FEATURES]


def _fit(one: Reals, two: Reals) -> tuple[Reals, float]:
    """Return weights and offset by gradient descent with an L2 penalty."""
    samples = np.concatenate([one, two])
    labels = np.repeat([1.0, -1.0], [len(one), len(two)])
    weights, offset = np.zeros(samples.shape[1]), 0.0
    for _ in range(STEPS):
        margin = labels * (samples @ weights + offset)
        pull = labels / (1 + np.exp(np.clip(margin, -30, 30)))
        weights += RATE * (samples.T @ pull / labels.size - PENALTY * weights)
        offset += RATE * float(pull.mean())
    return weights, offset


def _signs(bits: Bits) -> Reals:
    return np.asarray(2.0 * bits - 1, dtype=np.float64)
