"""What a data set is: people, their pictures, and two disjoint groups of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["DataSet", "Pictures"]

Pictures = NDArray[np.uint8]


class DataSet(Protocol):
    """Faces by identity. Pictures are uint8 [B, 112, 112, 3], RGB, aligned."""

    @property
    def name(self) -> str:
        """Name shown in reports."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether no real person is pictured."""
        ...

    @property
    def identities(self) -> Sequence[str]:
        """All people, sorted."""
        ...

    def pictures_of(self, identity: str) -> Sequence[str]:
        """Return the picture ids of one person, sorted."""
        ...

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        """Return pictures uint8 [B, 112, 112, 3] in the order asked for."""
        ...

    def training_identities(self) -> Sequence[str]:
        """Return the people networks and calibrations may be fitted on."""
        ...

    def test_identities(self) -> Sequence[str]:
        """Return people disjoint from the training identities."""
        ...
