"""What every client does whose gallery is searched by two evaluators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from protocol.channel import At, Channel
from protocol.gallery import SlotTable
from protocol.messages import DeleteRows, SearchReady
from protocol.parties import Party
from protocol.plan import RunPlan, Step
from protocol.search.answers import by_row_number
from protocol.search.shape import search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.outputs import answer_round, combine, combine_scores
from protocol.sharing.prg import RandomBytes
from protocol.sharing.ring import RingArray

__all__ = ["EvaluatedClient"]


class EvaluatedClient(ABC):
    """Owns what the servers hold shares of; a protocol says who they are and how rows are shared.

    Attributes:
        holders: everyone who holds a share or a mask of the rows.
        prepared: everyone who reports that the material of a search is in place.
        evaluators: the two servers that answer.
    """

    holders: ClassVar[tuple[Party, ...]]
    prepared: ClassVar[tuple[Party, ...]]
    evaluators: ClassVar[tuple[Party, Party]]

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._random_bytes = random_bytes
        self._table = SlotTable()

    async def share_rows(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Share new or changed rows [n,D] between the servers."""
        await self._share(channel, step, rows)
        self._table.apply(step)

    async def delete_rows(self, channel: Channel, step: Step) -> None:
        """Tell everyone who holds a share or a mask of the rows."""
        for party in self.holders:
            await channel.send(party, DeleteRows(rows=step.rows), At(step.session, "enrol"))
        self._table.delete(step.rows)

    async def ready(self, channel: Channel, step: Step) -> None:
        """Wait until the servers hold the material of a search."""
        for server in self.prepared:
            await channel.receive(server, SearchReady, At(step.session, "offline"))

    async def answers(self, channel: Channel, step: Step) -> Answers:
        """Combine both evaluators' shares of the answer."""
        shape = search_shape(self._plan, step, len(self._table))
        found = await combine(channel, shape, self.evaluators, answer_round(shape))
        if self._plan.open_scores:
            found["scores"] = await combine_scores(channel, shape, self.evaluators)
        return by_row_number(found, self._table, self._plan)

    @abstractmethod
    async def _share(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Send every server its part of the rows."""
