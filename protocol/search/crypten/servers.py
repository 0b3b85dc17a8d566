"""The computing parties and the third party of a CrypTen search, as sides of a protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import LocalProtocolError
from protocol.messages import SearchReady
from protocol.parties import CLIENT, GALLERY_HOLDER, MODEL_PROVIDER
from protocol.plan import RunPlan, Step
from protocol.search.crypten.declared import answer_round, engine_shape
from protocol.search.crypten.exchange import ChannelExchange, opened_kinds
from protocol.search.crypten.gallery import GalleryShare
from protocol.search.crypten.provider import ThirdParty
from protocol.search.crypten.ranks import THIRD_PARTY, Provider, Rank
from protocol.search.crypten.search import (
    ComputingParty,
    Known,
    Prepared,
    SearchShares,
    Shared,
)
from protocol.search.pool import Pool
from protocol.search.seeds import SETUP, grant_seed, granted_seed
from protocol.search.shape import SearchShape, search_shape
from protocol.search.sides import Answers
from protocol.search.two_party.outputs import COUNT_RING, answer_message, send_scores
from protocol.search.two_party.pieces import Part
from protocol.search.two_party.top_k import INDEX_RING
from protocol.search.two_party.zeros import ZeroShares
from protocol.sharing.prg import RandomBytes, SeedChain
from protocol.sharing.ring import Ring, RingArray

__all__ = ["ComputingServer", "ProvidingServer"]


class ComputingServer:
    """Rank 0, the model provider, or rank 1, the gallery holder."""

    def __init__(
        self, plan: RunPlan, random_bytes: RandomBytes, rank: Rank, provider: Provider
    ) -> None:
        if plan.top_k > 1 or plan.check_inputs:
            raise LocalProtocolError("CrypTen names one row per probe and checks no inputs")
        self._plan = plan
        self._rank: Rank = rank
        self._party = ComputingParty(rank, provider, random_bytes)
        self._gallery = GalleryShare(plan, rank)
        self._random_bytes = random_bytes
        self._zeros: SeedChain
        self._pool: Pool[Prepared] = Pool(plan)

    async def setup(self, channel: Channel) -> None:
        """Exchange the seeds of CrypTen's generators, and one of ours for sharings of zero."""
        await self._share_zeros(channel, SETUP)
        await self._party.setup(ChannelExchange(channel, self._rank, "setup", "setup"))

    async def change(self, channel: Channel, step: Step) -> None:
        """Take over new or changed rows, move rows to fresh shares, or drop rows."""
        if step.kind == "refresh":
            await self._share_zeros(channel, At(step.session, "offline"))
            self._gallery.refresh(step, self._session_zeros(step))
        else:
            await self._gallery.change(channel, step)

    async def _share_zeros(self, channel: Channel, at: At) -> None:
        """Take a fresh seed for sharings of zero between the servers."""
        if self._rank == 0:
            self._zeros = await grant_seed(channel, GALLERY_HOLDER, self._random_bytes, at)
        else:
            self._zeros = await granted_seed(channel, MODEL_PROVIDER, at)

    def _session_zeros(self, step: Step) -> ZeroShares:
        return ZeroShares(self._zeros.session(step.session), first=self._rank == 0)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Have CrypTen's provider make the correlations of the searches that are due."""
        for step in self._pool.due(upcoming):
            exchange = ChannelExchange(channel, self._rank, step.session, "offline")
            prepared = await self._party.prepare(exchange, engine_shape(self._shape(step)))
            self._pool.put(step.session, prepared)
            await channel.send(CLIENT, SearchReady(), At(step.session, "offline"))

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Run CrypTen's search and send this server's share of the answer to the client."""
        shape = self._shape(step)
        verify = self._plan.task == "verify"
        found = await self._party.search(
            ChannelExchange(
                channel, self._rank, step.session, "online", opened_kinds(engine_shape(shape))
            ),
            self._pool.take(step.session),
            gallery=Shared(self._gallery.claimed(step) if verify else self._gallery.columns()),
            probes=self._known(shape, probes),
            threshold=shape.threshold,
            open_scores=self._plan.open_scores,
        )
        at = At(step.session, "online", answer_round(shape))
        zeros = self._session_zeros(step)
        message = answer_message(shape, _share(shape, found), zeros)
        await channel.send(CLIENT, message, at)
        if found.scores is not None:
            # Shares modulo 2^64 are shares modulo 2^k of a score that fits k bits.
            scores = found.scores.astype(shape.ring.dtype)
            await send_scores(channel, shape, scores, zeros)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}

    def _known(self, shape: SearchShape, probes: RingArray | None) -> Known:
        size = (shape.probes, shape.dimension)
        if probes is None:
            return Known(0, size)
        return Known(0, size, Ring(self._plan.ring_bits).decode(probes))

    def _shape(self, step: Step) -> SearchShape:
        return search_shape(self._plan, step, len(self._gallery))


class ProvidingServer:
    """Rank 2, the dealer: CrypTen's trusted third party."""

    def __init__(self, plan: RunPlan, random_bytes: RandomBytes) -> None:
        self._plan = plan
        self._third = ThirdParty(random_bytes)
        self._pool: Pool[None] = Pool(plan)
        self._rows = 0

    async def setup(self, channel: Channel) -> None:
        """Deal each server the seed of its shares."""
        await self._third.setup(ChannelExchange(channel, THIRD_PARTY, "setup", "setup"))

    async def change(self, channel: Channel, step: Step) -> None:
        """Follow the number of rows, which the public plan tells; says and hears nothing."""
        del channel
        self._rows += {"enrol": step.size, "delete": -step.size}.get(step.kind, 0)

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Answer server 0's requests for the searches that are due."""
        for step in self._pool.due(upcoming):
            exchange = ChannelExchange(channel, THIRD_PARTY, step.session, "offline")
            shape = search_shape(self._plan, step, self._rows)
            await self._third.prepare(exchange, engine_shape(shape))
            self._pool.put(step.session, None)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Take no part in a search."""
        del channel, probes
        self._pool.take(step.session)

    def observed(self) -> Answers:
        """Return the material ledger: searches issued and consumed."""
        return {"material": np.array(self._pool.ledger)}


def _share(shape: SearchShape, found: SearchShares) -> Part:
    """Return a server's share of the answer; of numbers modulo 2^32, more than any of them."""
    if found.numbers is None:
        return np.packbits(found.decisions.reshape(-1), bitorder="little")
    if shape.output == "count":
        return found.numbers.astype(COUNT_RING.dtype)
    return found.numbers.astype(INDEX_RING.dtype)[:, None]
