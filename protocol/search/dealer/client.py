"""The client of the dealer protocol: shares rows between two servers, combines their answers."""

from __future__ import annotations

import numpy as np

from protocol.channel import At, Channel
from protocol.gallery import SlotTable
from protocol.messages import DeleteRows, GallerySeed, GalleryShares, SearchReady
from protocol.parties import DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.plan import RunPlan, Step
from protocol.search.answers import by_row_number
from protocol.search.dealer.costs import answer_round
from protocol.search.shape import search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.outputs import combine, combine_scores
from protocol.sharing.additive import split
from protocol.sharing.prg import RandomBytes
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = ["DealerClient"]

SERVERS: tuple[Party, Party] = (MODEL_PROVIDER, GALLERY_HOLDER)


class DealerClient:
    """Owns what the two servers hold shares of."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._random_bytes = random_bytes
        self._table = SlotTable()

    async def share_rows(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Send server 0 a seed and server 1 the rows minus what it expands to."""
        at = At(step.session, "enrol")
        seed, share = split(rows, "gallery-rows", self._random_bytes)
        tensor = Tensor.of(np.frombuffer(seed.reveal(), dtype=np.uint8))
        await channel.send(MODEL_PROVIDER, GallerySeed(seed=tensor, rows=step.size), at)
        await channel.send(GALLERY_HOLDER, GalleryShares(values=Tensor.of(share)), at)
        self._table.apply(step)

    async def delete_rows(self, channel: Channel, step: Step) -> None:
        """Tell everyone who holds a share or a mask of the rows."""
        for party in (*SERVERS, DEALER):
            await channel.send(party, DeleteRows(rows=step.rows), At(step.session, "enrol"))
        self._table.delete(step.rows)

    async def ready(self, channel: Channel, step: Step) -> None:
        """Wait until both servers hold the material of a search."""
        for server in SERVERS:
            await channel.receive(server, SearchReady, At(step.session, "offline"))

    async def answers(self, channel: Channel, step: Step) -> Answers:
        """Combine both servers' shares of the answer."""
        shape = search_shape(self._plan, step, len(self._table))
        found = await combine(channel, shape, SERVERS, answer_round(shape))
        if self._plan.open_scores:
            found["scores"] = await combine_scores(channel, shape, SERVERS)
        return by_row_number(found, self._table, self._plan)
