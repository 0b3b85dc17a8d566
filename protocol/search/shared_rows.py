"""One server's part of a shared gallery: a matrix per sharing it takes part in, slot by slot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from protocol.channel import At, Channel
from protocol.errors import PeerMisbehaviourError
from protocol.gallery import SlotTable
from protocol.messages import DeleteRows
from protocol.parties import CLIENT
from protocol.plan import RunPlan, Step
from protocol.search.scores import score_shares
from protocol.search.shape import SearchShape, search_shape
from protocol.sharing.ring import Ring, RingArray

__all__ = ["SharedRows", "receive_deletion"]


class SharedRows:
    """The matrices [V,D] of one server, with the slot of every live row.

    Attributes:
        ring: the ring of all elements.
        matrices: one per sharing; only the first `len(self)` rows of each are live, and the others
            zero, so that nothing is left of a row that was deleted or moved.
    """

    def __init__(self, plan: RunPlan, matrices: int = 1) -> None:
        self._plan = plan
        self._table = SlotTable()
        self.ring = Ring(plan.ring_bits)
        size = (plan.most_rows, plan.dimension)
        self.matrices = tuple(np.zeros(size, dtype=self.ring.dtype) for _ in range(matrices))

    def __len__(self) -> int:
        """Return the number of live rows."""
        return len(self._table)

    def size(self, step: Step) -> tuple[int, int]:
        """Return the shape of the rows of a step."""
        return (step.size, self._plan.dimension)

    def apply(self, step: Step) -> npt.NDArray[np.int64]:
        """Enrol the rows of a step or look them up; return their slots."""
        return self._table.apply(step)

    async def delete(self, channel: Channel, step: Step) -> None:
        """Drop the rows the client withdraws from every matrix; slots without a row are zero."""
        await receive_deletion(channel, step)
        for source, target in self._table.delete(step.rows):
            for matrix in self.matrices:
                matrix[target] = matrix[source]
                matrix[source] = 0

    def shape(self, step: Step) -> SearchShape:
        """Return the public sizes of a search of the live rows."""
        return search_shape(self._plan, step, len(self))

    def products(self, matrix: RingArray, probes: RingArray, *searches: Step) -> RingArray:
        """Return products of live rows with the probes of searches, [B,N], or [B,1] to verify."""
        claims = None
        if self._plan.task == "verify":
            claims = self._table.slots([row for step in searches for row in step.rows])
        return score_shares(matrix[: len(self)], probes, claims)

    def products_by_search(
        self, matrix: RingArray, probes: Sequence[RingArray], searches: Sequence[Step]
    ) -> Iterator[tuple[Step, RingArray]]:
        """Yield the products of several searches, computed as one matrix product."""
        if not searches:
            return
        products = self.products(matrix, np.concatenate(probes), *searches)
        start = 0
        for step in searches:
            yield step, products[start : start + step.size]
            start += step.size


async def receive_deletion(channel: Channel, step: Step) -> None:
    """Wait for the client's word that it withdraws the rows of a step.

    Raises:
        PeerMisbehaviourError: it withdraws other rows than the public plan says.
    """
    message = await channel.receive(CLIENT, DeleteRows, At(step.session, "enrol"))
    if message.rows != step.rows:
        text = f"withdraws {len(message.rows)} rows that are not those of the public plan"
        raise PeerMisbehaviourError(text, where=f"{CLIENT}, {step.session}")
