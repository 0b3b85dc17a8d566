"""The dealer: makes correlated randomness, sees no share, no masked probe, no opened value."""

from __future__ import annotations

from protocol.channel import Channel
from protocol.parties import DEALER
from protocol.plan import RunPlan
from protocol.roles import Observation
from protocol.search.protocols import protocol_named
from protocol.search.sides import serve
from protocol.sharing.prg import RandomBytes

__all__ = ["Dealer"]


class Dealer:
    """Grants seeds, follows the gallery's masks, answers requests for material."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self.side = protocol_named(plan.protocol).servers[DEALER](plan, random_bytes)

    async def run(self, channel: Channel) -> Observation:
        """Play the role; observed: the material ledger."""
        await serve(channel, self._plan, self.side)
        return self.side.observed()
