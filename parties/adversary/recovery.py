"""Recovering a gallery row from answers that a client gets by right, and how many queries it takes.

Both attacks are textbook ones, so their counts are upper bounds of what an attacker needs:
scores give one linear equation a query; a match bit gives one bit, and a search along a line from a
probe that matches to one that does not gives one equation per direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Recovery", "from_bits", "from_scores"]

Vector: TypeAlias = npt.NDArray[np.float64]
Generator: TypeAlias = np.random.Generator
MOST_QUERIES: Final = 1_000_000


class Recovery(NamedTuple):
    """A recovered template: unit vector, and the queries it took."""

    template: Vector
    queries: int

    def cosine(self, row: npt.NDArray[Any]) -> float:
        """Return the cosine with the true row."""
        return float(self.template @ row / np.linalg.norm(row))


def from_scores(
    score: Callable[[npt.NDArray[np.int32]], int], dimension: int, scale: int, random: Generator
) -> Recovery:
    """Solve for a row from `dimension` exact scores of random probes of norm `scale`."""
    probes = np.stack([_probe(random.standard_normal(dimension), scale) for _ in range(dimension)])
    answers = np.array([score(probe) for probe in probes], dtype=np.float64)
    found, *_ = np.linalg.lstsq(probes.astype(np.float64), answers, rcond=None)
    return Recovery(found / np.linalg.norm(found), dimension)


def from_bits(
    matches: Callable[[npt.NDArray[np.int32]], bool],
    start: Vector,
    scale: int,
    random: Generator,
    *,
    directions: int,
) -> Recovery:
    """Walk to the edge of the matching region in many directions and fit the row to the edges.

    At an edge point p the score equals the threshold, p . row = t: one linear equation for row / t.

    Args:
        matches: the match bit of one row for a probe.
        start: a probe that matches, such as another picture of the person.
        scale: norm of probes in ring units.
        random: chooses directions.
        directions: edges to find; at least the dimension.
    """
    counter = _Counter(matches, scale)
    unit = start / np.linalg.norm(start)
    edges = [counter.edge(unit, random.standard_normal(start.size)) for _ in range(directions)]
    points = np.stack(edges)
    found, *_ = np.linalg.lstsq(points, np.ones(len(points)), rcond=None)
    return Recovery(found / np.linalg.norm(found), counter.queries)


class _Counter:
    """Asks for match bits and counts."""

    def __init__(self, matches: Callable[[npt.NDArray[np.int32]], bool], scale: int) -> None:
        self._matches = matches
        self._scale = scale
        self.queries = 0

    def edge(self, inside: Vector, direction: Vector) -> Vector:
        """Return a point where the answer changes, between a matching probe and one that is not."""
        across = direction - (direction @ inside) * inside
        across /= np.linalg.norm(across)
        low, high = 0.0, np.pi
        while self._differ(inside, across, low, high):
            middle = (low + high) / 2
            point = _turned(inside, across, middle)
            low, high = (middle, high) if self._ask(point) else (low, middle)
        one = _probe(_turned(inside, across, low), self._scale)
        two = _probe(_turned(inside, across, high), self._scale)
        return (one.astype(np.float64) + two) / 2

    def _differ(self, inside: Vector, across: Vector, low: float, high: float) -> bool:
        """Say whether two angles still give different integer probes and can be told apart."""
        if self.queries >= MOST_QUERIES or high - low < 1e-3:
            return False
        one = _probe(_turned(inside, across, low), self._scale)
        return not np.array_equal(one, _probe(_turned(inside, across, high), self._scale))

    def _ask(self, point: Vector) -> bool:
        self.queries += 1
        return self._matches(_probe(point, self._scale))


def _turned(inside: Vector, across: Vector, angle: float) -> Vector:
    turned: Vector = np.cos(angle) * inside + np.sin(angle) * across
    return turned


def _probe(vector: Vector, scale: int) -> npt.NDArray[np.int32]:
    """Return an integer probe of norm at most about `scale`, as an honest client would send."""
    probe: npt.NDArray[np.int32] = np.rint(vector * (scale / np.linalg.norm(vector))).astype(
        np.int32
    )
    return probe
