"""How many answers of an output level give a gallery row away, measured on synthetic templates."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from parties.adversary import Recovery, from_bits, from_scores

__all__ = ["Leakage", "measure_leakage"]

LARGEST_DIMENSION: Final = 1024
DIRECTIONS_PER_DIMENSION: Final = 2
NOISE: Final = 0.5
_SCORES: Final = "one linear equation per exact score"
_BITS: Final = "edges of the matching region, from one picture that matches"


class Leakage(msgspec.Struct, frozen=True, kw_only=True):
    """What an attack on one level took, in the median over templates.

    Attributes:
        level: `scores`, or the output level whose match bits were used.
        attack: how.
        queries: answers it asked for.
        cosine: between the recovered row and the true one.
        templates: synthetic templates it was measured on.
        budget: probes a client of this scenario may ask about; None for no limit.
    """

    level: str
    attack: str
    queries: int
    cosine: float
    templates: int
    budget: int | None = None


def measure_leakage(
    *,
    dimension: int,
    scale: int,
    threshold: int,
    level: str,
    templates: int = 1,
    budget: int | None = None,
) -> Leakage | None:
    """Attack rows of random direction; None where that cannot be done within a run.

    Rows may be too long, or of so small a scale that nothing is left of them in integers.

    Args:
        dimension: length of a row.
        scale: norm of rows and probes in ring units.
        threshold: in ring units.
        level: `scores`, or any output level: each of them tells whether the row matches.
        templates: how many rows to attack.
        budget: stated beside the result.
    """
    if dimension > LARGEST_DIMENSION or threshold <= 0:
        return None
    random = np.random.default_rng(0)
    found = []
    for _ in range(templates):
        row = _direction(random, dimension) * scale
        if not np.rint(row).any():
            return None
        recovery = _attack(np.rint(row).astype(np.int64), threshold, scale, level, random)
        found.append((recovery.queries, recovery.cosine(row)))
    queries, cosines = zip(*found, strict=True)
    return Leakage(
        level=level,
        attack=_SCORES if level == "scores" else _BITS,
        queries=int(np.median(queries)),
        cosine=round(float(np.median(cosines)), 4),
        templates=templates,
        budget=budget,
    )


def _attack(
    row: npt.NDArray[np.int64], threshold: int, scale: int, level: str, random: np.random.Generator
) -> Recovery:
    if level == "scores":
        return from_scores(lambda probe: int(probe @ row), row.size, scale, random)
    start = row / np.linalg.norm(row) + NOISE * _direction(random, row.size)
    return from_bits(
        lambda probe: bool(probe @ row >= threshold),
        start,
        scale,
        random,
        directions=DIRECTIONS_PER_DIMENSION * row.size,
    )


def _direction(random: np.random.Generator, dimension: int) -> npt.NDArray[Any]:
    vector = random.standard_normal(dimension)
    return np.asarray(vector / np.linalg.norm(vector))
