"""Random unit templates instead of faces: galleries of any size for cost measurements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.errors import DataError
from scenarios.datasets.base import Pictures

__all__ = ["RandomTemplates"]

_ROWS, _NOISE = 0, 1  # streams of the generator


class RandomTemplates:
    """People who are only a direction in space; picture 0 is the template, others are near it.

    A later picture is the template plus a random direction of length `noise`, normalised: its
    cosine with the template is about 1 / sqrt(1 + noise**2).

    Args:
        seed: another seed gives other templates.
        people: how many.
        dimension: length of a template.
        noise: spread of later pictures.
        pictures: pictures per person.
    """

    name = "templates"
    synthetic = True

    def __init__(
        self, seed: int, *, people: int, dimension: int, noise: float = 0.5, pictures: int = 4
    ) -> None:
        self._people = people
        self._noise, self._pictures = noise, pictures
        self.dimension = dimension
        # One generator moved to a place of its own for every template: making one costs more.
        self._philox = np.random.Philox(key=seed)
        self._normal = np.random.Generator(self._philox)
        self._start: Any = self._philox.state

    @cached_property
    def identities(self) -> Sequence[str]:
        """All people, sorted."""
        return [f"row-{index:08d}" for index in range(self._people)]

    def training_identities(self) -> Sequence[str]:
        """Return no one: there is nothing to fit."""
        return []

    def test_identities(self) -> Sequence[str]:
        """Return all people."""
        return self.identities

    def pictures_of(self, identity: str) -> Sequence[str]:
        """Return the template ids of one person, sorted.

        Raises:
            DataError: no such person.
        """
        self._index(identity)
        return [f"{identity}/{picture}" for picture in range(self._pictures)]

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        """Refuse: templates have no pictures.

        Raises:
            DataError: always.
        """
        raise DataError(
            f"asked for {len(picture_ids)} pictures, templates have none",
            where="data.kind",
            hint="use load_templates, with network.kind: identity",
        )

    def load_templates(self, picture_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return unit templates float32 [B, dimension] in the order asked for.

        Raises:
            DataError: no such template.
        """
        rows = np.empty((len(picture_ids), self.dimension), np.float32)
        for row, picture_id in enumerate(picture_ids):
            rows[row] = self._template(picture_id)
        return rows

    def _template(self, picture_id: str) -> NDArray[np.float32]:
        identity, _, picture = picture_id.partition("/")
        if not picture.isdecimal() or int(picture) >= self._pictures:
            raise DataError("no such template", where=picture_id)
        index = self._index(identity)
        template = self._direction(_ROWS, index)
        if int(picture) == 0:
            return template
        direction = self._direction(_NOISE, index, int(picture))
        return _unit(template + np.float32(self._noise) * direction)

    def _direction(self, stream: int, index: int, picture: int = 0) -> NDArray[np.float32]:
        counter = np.array([0, index, picture, stream], dtype=np.uint64)
        state: Any = {**self._start, "state": {**self._start["state"], "counter": counter}}
        self._philox.state = state
        return _unit(self._normal.standard_normal(self.dimension, dtype=np.float32))

    def _index(self, identity: str) -> int:
        kind, _, number = identity.partition("-")
        if kind != "row" or not number.isdecimal() or int(number) >= self._people:
            raise DataError("no such synthetic person", where=identity)
        return int(number)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
