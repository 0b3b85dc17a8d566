"""What every server does that keeps shares or masks of rows and a pool of material."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import numpy as np

from protocol.channel import Channel
from protocol.plan import RunPlan, Step
from protocol.search.pool import Pool
from protocol.search.shared_rows import SharedRows
from protocol.search.sides import Answers

__all__ = ["GalleryServer"]

T = TypeVar("T")


class GalleryServer(ABC, Generic[T]):
    """Follows the changes of the gallery and counts its material, each of type T.

    Attributes:
        matrices: how many sharings of the rows it takes part in.
    """

    matrices: ClassVar[int] = 1

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._rows = SharedRows(plan, self.matrices)
        self._pool: Pool[T] = Pool(plan)

    async def change(self, channel: Channel, step: Step) -> None:
        """Enrol or update rows, move them to fresh shares, or drop them."""
        if step.kind == "delete":
            await self._rows.delete(channel, step)
        elif step.kind == "refresh":
            await self._refresh(channel, step)
        else:
            await self._store(channel, step)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}

    @abstractmethod
    async def _store(self, channel: Channel, step: Step) -> None:
        """Take new or changed rows."""

    @abstractmethod
    async def _refresh(self, channel: Channel, step: Step) -> None:
        """Move rows to fresh shares."""
