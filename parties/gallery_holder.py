"""The gallery holder: one share of every row, half of every search."""

from __future__ import annotations

from protocol.channel import Channel
from protocol.parties import GALLERY_HOLDER
from protocol.plan import RunPlan
from protocol.roles import Observation
from protocol.search.protocols import protocol_named
from protocol.search.sides import serve
from protocol.sharing.prg import RandomBytes

__all__ = ["GalleryHolder"]


class GalleryHolder:
    """Learns the number of rows and of queries, nothing of what they hold."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self.side = protocol_named(plan.protocol).servers[GALLERY_HOLDER](plan, random_bytes)

    async def run(self, channel: Channel) -> Observation:
        """Play the role; observed: the material ledger, where the protocol has one."""
        await serve(channel, self._plan, self.side)
        return self.side.observed()
