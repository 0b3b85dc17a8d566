"""What a search protocol gives to each party: a client side, and one side per server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from protocol.channel import Channel
from protocol.gallery import SlotTable
from protocol.plan import RunPlan, Step
from protocol.sharing.ring import RingArray

__all__ = ["Answers", "ClientSide", "ProbeSource", "RowSource", "ServerSide", "serve", "spread"]

Answers: TypeAlias = dict[str, npt.NDArray[Any]]
RowSource: TypeAlias = Callable[[Channel, Step], Awaitable[None]]
ProbeSource: TypeAlias = Callable[[Channel, Step], Awaitable[RingArray]]


class ClientSide(Protocol):
    """The client's part of a search protocol: it shares rows and puts answers together."""

    async def share_rows(self, channel: Channel, step: Step, rows: RingArray) -> None:
        """Share new or changed rows [n,D] between the servers."""
        ...

    async def delete_rows(self, channel: Channel, step: Step) -> None:
        """Withdraw rows."""
        ...

    async def ready(self, channel: Channel, step: Step) -> None:
        """Wait until the servers hold the material of a search."""
        ...

    async def answers(self, channel: Channel, step: Step) -> Answers:
        """Receive and combine the answers of a search.

        Returns:
            By output level, over row numbers: `match` bool [B,R], `any` bool [B], `count` [B],
            `identity` [B,k] with -1 for none, `verified` bool [B]; and, where scores are opened,
            `scores` int64 [B,R].
        """
        ...


class ServerSide(Protocol):
    """One server's or helper's part of a search protocol."""

    async def setup(self, channel: Channel) -> None:
        """Exchange what is needed once."""
        ...

    async def change(self, channel: Channel, step: Step) -> None:
        """Enrol, update, delete or refresh rows."""
        ...

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Put the material of the next searches in place, if the pool has run low."""
        ...

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Run one search; only the server that embeds has probes [B,D]."""
        ...

    def observed(self) -> Answers:
        """Return what the simulation's evaluator may read."""
        ...


async def serve(
    channel: Channel,
    plan: RunPlan,
    side: ServerSide,
    *,
    embed_rows: RowSource | None = None,
    probes: ProbeSource | None = None,
) -> None:
    """Play a server's side of every session of a plan, in order.

    Args:
        channel: the party's channel.
        plan: the public plan.
        side: the party's part of the search protocol.
        embed_rows: what the embedding server does before rows are enrolled or updated.
        probes: where the embedding server gets the probes of a search.
    """
    await side.setup(channel)
    for index, step in enumerate(plan.steps):
        if step.kind == "search":
            await side.prepare(channel, plan.upcoming(index))
            await side.search(channel, step, await probes(channel, step) if probes else None)
            continue
        if embed_rows is not None and step.kind in ("enrol", "update"):
            await embed_rows(channel, step)
        await side.change(channel, step)


def spread(values: npt.NDArray[Any], table: SlotTable, rows: int, absent: int) -> npt.NDArray[Any]:
    """Move values [B, live] from slots to row numbers [B, rows]; others get `absent`."""
    if table.in_order and values.shape[1] == rows:
        return values
    result = np.full((values.shape[0], rows), absent, dtype=values.dtype)
    result[:, table.rows] = values
    return result
