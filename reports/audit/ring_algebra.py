"""Linear algebra over Z_2^k: can a fixed combination of columns give a wanted column?

Z_2^k is a local ring: an element is a unit times a power of two. Elimination that always pivots
on an element with the least power of two is exact, as in a Howell or Smith form.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Solved", "determined"]

Matrix = npt.NDArray[np.uint64]


class Solved(NamedTuple):
    """Which wanted columns are a fixed combination of the known ones, and of how many."""

    determined: npt.NDArray[np.bool_]
    rank: int
    unknowns: int
    held_out: int


def determined(
    known: npt.NDArray[np.integer[Any]], wanted: npt.NDArray[np.integer[Any]], bits: int
) -> Solved:
    """Say which columns of `wanted` a Z_2^bits-linear map of the columns of `known` gives.

    A constant column is added, so the maps are affine. Rows are samples. Elimination runs on all
    of them, so a map that is found holds on every row; `held_out` is how many rows there are
    beyond the rank, each of which a wrong map passes with probability at most one half.

    Args:
        known: [samples, columns].
        wanted: [samples, columns].
        bits: k of the ring, at most 64.

    Raises:
        ValueError: fewer samples than columns.
    """
    samples, unknowns = known.shape[0], known.shape[1] + 1
    if samples <= unknowns:
        raise ValueError(f"{samples} samples do not settle {unknowns} unknowns")
    modulus_mask = np.uint64((1 << bits) - 1)
    ones = np.ones((samples, 1), dtype=np.uint64)
    left = np.concatenate([known.astype(np.uint64), ones], axis=1) & modulus_mask
    right = wanted.astype(np.uint64) & modulus_mask
    rank, residual = _eliminate(left, right, modulus_mask)
    solved = np.asarray(~residual.any(axis=0), dtype=np.bool_)
    return Solved(solved, rank, unknowns, samples - rank)


def _eliminate(left: Matrix, right: Matrix, mask: np.uint64) -> tuple[int, Matrix]:
    """Eliminate in place; return the rank and what is left of the wanted columns.

    Columns of `left` are operated on: a pivot clears its row in all other columns. A wanted
    column is reduced by the pivot only if the pivot's power of two divides its entry, for then
    the combination exists.
    """
    rank = 0
    alive = np.ones(left.shape[1], dtype=np.bool_)
    residual = np.zeros_like(right)
    for row in range(left.shape[0]):
        if not alive.any():
            residual[row:] = right[row:]
            break
        pivot = _pivot(left[row], alive)
        if pivot is None:
            residual[row] = right[row]
            continue
        rank += 1
        _clear_row(left, right, row, pivot, mask)
        residual[row] = right[row]
        _keep_annihilated(left, row, pivot, alive, mask)
    return rank, residual


def _pivot(entries: Matrix, alive: npt.NDArray[np.bool_]) -> int | None:
    """Return the column whose entry has the least power of two, None if all are zero."""
    candidates = np.flatnonzero(alive & (entries != 0))
    if candidates.size == 0:
        return None
    lowest = entries[candidates] & (~entries[candidates] + np.uint64(1))
    return int(candidates[np.argmin(lowest)])


def _clear_row(left: Matrix, right: Matrix, row: int, pivot: int, mask: np.uint64) -> None:
    entry = int(left[row, pivot])
    power = entry & -entry
    inverse = np.uint64(pow(entry // power, -1, int(mask) + 1))
    column = (left[:, pivot] * inverse) & mask
    for matrix, skip in ((left, pivot), (right, None)):
        divisible = matrix[row] % np.uint64(power) == 0
        factors = np.where(divisible, matrix[row] // np.uint64(power), 0).astype(np.uint64)
        if skip is not None:
            factors[skip] = 0
        used = np.flatnonzero(factors)
        matrix[:, used] = (matrix[:, used] - column[:, None] * factors[used]) & mask


def _keep_annihilated(
    left: Matrix, row: int, pivot: int, alive: npt.NDArray[np.bool_], mask: np.uint64
) -> None:
    """Keep what is left of a pivot that is no unit: times 2^(k-p) it vanishes in this row."""
    entry = int(left[row, pivot])
    power = entry & -entry
    if power == 1:
        alive[pivot] = False
        return
    left[:, pivot] = (left[:, pivot] * np.uint64((int(mask) + 1) // power)) & mask
