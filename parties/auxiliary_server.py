"""The auxiliary server: the third compute server of protocols that need an honest majority."""

from __future__ import annotations

from protocol.channel import Channel
from protocol.parties import AUXILIARY_SERVER
from protocol.plan import RunPlan
from protocol.roles import Observation
from protocol.search.protocols import protocol_named
from protocol.search.sides import serve
from protocol.sharing.prg import RandomBytes

__all__ = ["AuxiliaryServer"]


class AuxiliaryServer:
    """Learns the number of rows and of queries, nothing of what they hold."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self.side = protocol_named(plan.protocol).servers[AUXILIARY_SERVER](plan, random_bytes)

    async def run(self, channel: Channel) -> Observation:
        """Play the role; observed: the material ledger, where the protocol has one."""
        await serve(channel, self._plan, self.side)
        return self.side.observed()
