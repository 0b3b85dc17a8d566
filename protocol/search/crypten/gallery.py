"""One server's additive share modulo 2^64 of the gallery, a column per row."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.gallery import SlotTable
from protocol.messages import GallerySeed, GalleryShares
from protocol.parties import CLIENT
from protocol.plan import RunPlan, Step
from protocol.received import checked
from protocol.search.crypten.ranks import Rank
from protocol.search.seeds import expanded_rows
from protocol.search.shared_rows import receive_deletion
from protocol.search.two_party.zeros import ZeroShares
from protocol.sharing.ring import Ring

__all__ = ["GalleryShare"]

Words = npt.NDArray[np.uint64]
RING: Final = Ring(64)


class GalleryShare:
    """Follows enrolments, updates, deletions and refreshes of a plan.

    Kept as [D,N], the layout CrypTen multiplies fastest.
    """

    def __init__(self, plan: RunPlan, rank: Rank) -> None:
        self._plan = plan
        self._rank = rank
        self._table = SlotTable()
        self._columns: Words = np.empty((plan.dimension, plan.most_rows), dtype=RING.dtype)

    def __len__(self) -> int:
        """Return the number of live rows."""
        return len(self._table)

    def columns(self) -> Words:
        """Return the share [D,N] of the live rows, contiguous."""
        return np.ascontiguousarray(self._columns[:, : len(self)])

    def claimed(self, step: Step) -> Words:
        """Return the share [B,D] of the row each probe of a verification claims."""
        return np.ascontiguousarray(self._columns[:, self._table.slots(step.rows)].T)

    async def change(self, channel: Channel, step: Step) -> None:
        """Take over new or changed rows, or drop rows."""
        if step.kind == "delete":
            await receive_deletion(channel, step)
            for source, target in self._table.delete(step.rows):
                self._columns[:, target] = self._columns[:, source]
                self._columns[:, source] = 0
            return
        rows = await self._received(channel, step)
        self._columns[:, self._table.apply(step)] = rows.T

    def refresh(self, step: Step, zeros: ZeroShares) -> None:
        """Move rows to fresh shares: add a sharing of zero that both servers expand."""
        slots = self._table.slots(step.rows)
        self._columns[:, slots] = zeros.add_to(self._columns[:, slots], step.session)

    async def _received(self, channel: Channel, step: Step) -> Words:
        at, size = At(step.session, "enrol"), (step.size, self._plan.dimension)
        if self._rank == 0:
            seed = await channel.receive(CLIENT, GallerySeed, at)
            return expanded_rows(seed, size, RING, CLIENT)
        message = await channel.receive(CLIENT, GalleryShares, at)
        return checked(message.values, size, RING.dtype, CLIENT)
