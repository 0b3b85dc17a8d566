"""Synthetic people: faces from a generator, drawn on demand, never stored.

No real person is pictured and no picture of one was used. Every picture is a pure function of
(seed, group, person, picture), so any process can draw the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from protocol.errors import DataError
from scenarios.datasets.base import Pictures
from scenarios.datasets.face_camera import photograph
from scenarios.datasets.face_identity import Person, draw_person

__all__ = ["SyntheticFaces"]

_GROUPS = {"train": 0, "test": 1}


class SyntheticFaces:
    """Generated people `train-00000`…, `test-00000`…; pictures `test-00000/00`….

    Args:
        seed: another seed gives other people.
        training_people: people networks may be fitted on.
        test_people: people of galleries and probes; disjoint from the training people.
        pictures: pictures per person.
    """

    name = "synthetic"
    synthetic = True

    def __init__(
        self,
        seed: int = 7,
        *,
        training_people: int = 2000,
        test_people: int = 1000,
        pictures: int = 10,
    ) -> None:
        self._seed = seed
        self._training = [f"train-{index:05d}" for index in range(training_people)]
        self._test = [f"test-{index:05d}" for index in range(test_people)]
        self._known = {"train": training_people, "test": test_people}
        self._pictures = pictures

    @property
    def identities(self) -> Sequence[str]:
        """All people, sorted."""
        return [*self._test, *self._training]

    def training_identities(self) -> Sequence[str]:
        """Return the people networks and calibrations may be fitted on."""
        return self._training

    def test_identities(self) -> Sequence[str]:
        """Return people disjoint from the training identities."""
        return self._test

    def pictures_of(self, identity: str) -> Sequence[str]:
        """Return the picture ids of one person, sorted.

        Raises:
            DataError: no such person.
        """
        self._address(identity)
        return [f"{identity}/{picture:02d}" for picture in range(self._pictures)]

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        """Draw pictures uint8 [B, 112, 112, 3] in the order asked for.

        Raises:
            DataError: no such picture.
        """
        pictures = np.empty((len(picture_ids), 112, 112, 3), np.uint8)
        for row, picture_id in enumerate(picture_ids):
            pictures[row] = self._draw(picture_id)
        return pictures

    def _draw(self, picture_id: str) -> Pictures:
        identity, _, number = picture_id.partition("/")
        address = self._address(identity)
        if not number.isdecimal() or int(number) >= self._pictures:
            raise DataError("no such synthetic picture", where=picture_id)
        rng = np.random.default_rng([*address, 1 + int(number)])
        return photograph(_person(address), rng)

    def _address(self, identity: str) -> tuple[int, int, int]:
        """Return (seed, group, index): the generator key of a person."""
        group, _, index = identity.partition("-")
        if group not in _GROUPS or not index.isdecimal() or int(index) >= self._known[group]:
            raise DataError("no such synthetic person", where=identity)
        return self._seed, _GROUPS[group], int(index)


@lru_cache(maxsize=256)
def _person(address: tuple[int, int, int]) -> Person:
    return draw_person(np.random.default_rng([*address, 0]))
