"""The client of a CrypTen search."""

from __future__ import annotations

import numpy as np

from protocol.channel import Channel
from protocol.plan import Step
from protocol.search.crypten.declared import SERVERS, answer_round
from protocol.search.shape import SearchShape
from protocol.search.two_party.client import EvaluatedClient
from protocol.sharing.ring import Ring, RingArray

__all__ = ["CryptenClient"]


class CryptenClient(EvaluatedClient):
    """Shares rows modulo 2^64 between two servers; nobody keeps a mask of them."""

    evaluators = SERVERS
    prepared = SERVERS
    holders = SERVERS

    async def share_rows(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Share rows as 64-bit integers: a seed to server 0, the rest to server 1."""
        wide = Ring(self._plan.ring_bits).decode(rows).view(np.uint64)
        await super().share_rows(channel, step, wide)

    def _answer_round(self, shape: SearchShape) -> int:
        return answer_round(shape)
