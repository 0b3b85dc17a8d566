"""Accuracy on lists of pairs, in folds as LFW's View 2 has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from protocol.errors import DataError

__all__ = ["FoldedAccuracy", "verification_accuracy"]

Hits = NDArray[np.bool_]


class FoldedAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation of per-fold accuracy, each fold's threshold from the rest."""

    mean: float
    std: float
    folds: list[float]
    thresholds: list[float]


def verification_accuracy(
    scores: Sequence[float] | NDArray[Any],
    same: Sequence[bool] | NDArray[np.bool_],
    folds: int = 10,
) -> FoldedAccuracy:
    """Return pair accuracy in the manner of LFW View 2.

    Pairs are cut into `folds` consecutive blocks, as the pair list orders them; each block
    is judged with the threshold that is best on all the others.

    Raises:
        DataError: there are fewer pairs than folds, fewer than two folds, or scores and labels
            differ in number.
    """
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(same, dtype=np.bool_)
    if values.size != labels.size or not 2 <= folds <= values.size:
        raise DataError(f"{values.size} scores, {labels.size} labels and {folds} folds do not fit")
    accuracies, thresholds = [], []
    for held_out in np.array_split(np.arange(values.size), folds):
        rest = np.ones(values.size, dtype=np.bool_)
        rest[held_out] = False
        threshold = _best_threshold(values[rest], labels[rest])
        accuracies.append(float(((values[held_out] > threshold) == labels[held_out]).mean()))
        thresholds.append(threshold)
    return FoldedAccuracy(
        mean=float(np.mean(accuracies)),
        std=float(np.std(accuracies)),
        folds=accuracies,
        thresholds=thresholds,
    )


def _best_threshold(scores: NDArray[np.float64], same: Hits) -> float:
    """Return the midpoint threshold with the highest accuracy (the lowest one among equals)."""
    order = np.argsort(scores, kind="stable")
    ordered, labels = scores[order], same[order]
    below_different = np.concatenate([[0], np.cumsum(~labels)])
    below_same = np.concatenate([[0], np.cumsum(labels)])
    right = below_different + (labels.sum() - below_same)
    usable = np.concatenate([[True], ordered[1:] > ordered[:-1], [True]])
    cut = int(np.argmax(np.where(usable, right, -1)))
    if cut == 0:
        return float(ordered[0]) - 1.0
    if cut == len(ordered):
        return float(ordered[-1]) + 1.0
    return float((ordered[cut - 1] + ordered[cut]) / 2)
