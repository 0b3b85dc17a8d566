"""Generated people that the carried networks are trained on, finished on, and judged by.

All are training people of one seed, in three stretches that do not meet: the ones a network is
trained on, the ones its discriminant and calibration are taken from, and the held-out ones whose
recognition says when training has been long enough. The test people that scenarios enrol and ask
about belong to another group of the generator and are never drawn here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parties.model_provider.supervised import FactorBatch
from scenarios.datasets.face_identity import Person, draw_person
from scenarios.datasets.synthetic import SyntheticFaces

__all__ = [
    "ALBUM_PICTURES", "SEED", "Album", "FactorBatches", "Recognition", "albums", "factors",
    "held_out", "recognition", "training",
]  # fmt: skip

SEED: Final = 7
PEOPLE: Final = 99_999
TRAINED, FINISHED, HELD_OUT = 0, 50_000, 90_000  # first person of each stretch
TRAINED_PEOPLE, TRAINED_PICTURES = 14_000, 2
ALBUM_PICTURES: Final = 4
HELD_OUT_PEOPLE, HELD_OUT_PICTURES = 700, 2
DIMENSION: Final = 128
NOT_SHAPE = frozenset({"spots", "hair_phase"})
GALLERY: Final = 300
FPIR: Final = 0.01

Pictures = NDArray[np.uint8]


class Album:
    """Pictures of consecutive people, one person after another, drawn when first asked for."""

    def __init__(self, first: int, people: int, pictures: int) -> None:
        self.people, self.each = people, pictures
        self._first = first
        self._faces = SyntheticFaces(SEED, training_people=PEOPLE, test_people=0, pictures=pictures)
        self._drawn = np.zeros(people * pictures, np.bool_)
        self._pictures: Pictures = np.empty((people * pictures, 112, 112, 3), np.uint8)

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._drawn)

    def load(self, rows: Iterable[int] | None = None) -> Pictures:
        """Return pictures uint8 [B,112,112,3], all of them by default."""
        chosen = np.arange(len(self)) if rows is None else np.fromiter(rows, np.int64)
        for row in chosen[~self._drawn[chosen]]:
            person, picture = divmod(int(row), self.each)
            name = f"train-{self._first + person:05d}/{picture:02d}"
            self._pictures[row] = self._faces.load([name])[0]
            self._drawn[row] = True
        return self._pictures if rows is None else self._pictures[chosen]


def training() -> Album:
    """Return the people networks are trained on; a gigabyte once all are drawn."""
    return Album(TRAINED, TRAINED_PEOPLE, TRAINED_PICTURES)


def albums(people: int) -> Album:
    """Return further people, for the discriminant and the calibration."""
    return Album(FINISHED, people, ALBUM_PICTURES)


def held_out() -> Album:
    """Return people no training sees, to judge networks by."""
    return Album(HELD_OUT, HELD_OUT_PEOPLE, HELD_OUT_PICTURES)


class FactorBatches:
    """Batches of pictures and the directions in which their people's factors point.

    Every pass shows each person once, in another order and another picture.
    """

    def __init__(self, album: Album, size: int) -> None:
        self._album, self._size = album, size
        found = np.stack([factors(_person(index)) for index in range(album.people)])
        mean, deviation = found[:1000].mean(0), found[:1000].std(0) + 1e-6
        mixing = np.random.default_rng(SEED).standard_normal((found.shape[1], DIMENSION))
        standard = np.clip((found - mean) / deviation, -3, 3)
        self._wanted = (standard @ mixing / np.sqrt(found.shape[1])).astype(np.float32)

    def __call__(self, step: int) -> FactorBatch:
        """Return one batch, a function of seed and step alone."""
        rows = self.rows(step)
        return self._album.load(rows), self._wanted[rows // self._album.each]

    def rows(self, step: int) -> NDArray[np.int64]:
        """Return which pictures of the album a batch shows."""
        people, size = self._album.people, self._size
        visit, place = divmod(step, people // size)
        order = np.random.default_rng((SEED, visit)).permutation(people) if visit else None
        chosen = np.arange(people) if order is None else order
        return chosen[place * size :][:size] * self._album.each + visit % self._album.each


def factors(person: Person) -> NDArray[np.float64]:
    """Flatten what is the same in all pictures of a person."""
    values = [
        np.ravel(getattr(person, field.name))
        for field in fields(person)
        if field.name not in NOT_SHAPE
    ]
    return np.concatenate(values).astype(np.float64)


@lru_cache(maxsize=4096)
def _person(index: int) -> Person:
    return draw_person(np.random.default_rng([SEED, 0, index, 0]))


class Recognition(NamedTuple):
    """How well people are recognised by two pictures each.

    Attributes:
        people: how many.
        rank_1: share whose second picture is most like their own first, among 300 people.
        tpir: share found at the threshold that one unknown probe in a hundred passes with a
            gallery of 300, estimated on all pairs of different people.
    """

    people: int
    rank_1: float
    tpir: float

    def __str__(self) -> str:
        """Return a line for people."""
        return (
            f"{self.people} held-out people: rank-1 {100 * self.rank_1:.1f} %, "
            f"TPIR at FPIR 1 % {100 * self.tpir:.1f} %"
        )


def recognition(embeddings: NDArray[np.floating]) -> Recognition:
    """Judge embeddings [2P,d] of two pictures of one person after another.

    Rank-1 among 300 is the chance that 299 others, drawn from all, score below the own picture.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    scores = unit[1::2] @ unit[::2].T
    people = len(scores)
    own = np.diagonal(scores)
    others = scores[~np.eye(people, dtype=np.bool_)]
    far = 1 - (1 - FPIR) ** (1 / GALLERY)
    allowed = int(far * others.size)
    threshold = np.partition(others, -(allowed + 1))[-(allowed + 1)]
    below = ((scores < own[:, None]).sum(1) / (people - 1)) ** (GALLERY - 1)
    return Recognition(people, float(below.mean()), float((own > threshold).mean()))
