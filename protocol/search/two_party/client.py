"""What every client does whose gallery is searched by two evaluators."""

from __future__ import annotations

from typing import ClassVar

from protocol.channel import At, Channel
from protocol.gallery import SlotTable
from protocol.messages import DeleteRows, GallerySeed, GalleryShares, SearchReady
from protocol.parties import GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step
from protocol.search.answers import by_row_number
from protocol.search.seeds import seed_tensor
from protocol.search.shape import SearchShape, search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.outputs import answer_round, combine, combine_scores
from protocol.sharing.additive import GALLERY_ROWS, split
from protocol.sharing.prg import RandomBytes
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["EvaluatedClient"]


class EvaluatedClient:
    """Owns what the servers hold shares of; a protocol says who they are.

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
        """Share rows: a seed to the provider, the rows minus what it expands to to the holder."""
        at = At(step.session, "enrol")
        seed, share = split(rows, GALLERY_ROWS, self._random_bytes)
        await channel.send(MODEL_PROVIDER, GallerySeed(seed=seed_tensor(seed), rows=step.size), at)
        await channel.send(GALLERY_HOLDER, GalleryShares(values=Tensor.of(share)), at)
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
        found = await combine(channel, shape, self.evaluators, self._answer_round(shape))
        if self._plan.open_scores:
            found["scores"] = await combine_scores(channel, shape, self.evaluators)
        return by_row_number(found, self._table, self._plan)

    def _answer_round(self, shape: SearchShape) -> int:
        return answer_round(shape)
