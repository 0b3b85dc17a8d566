"""Ranks of a CrypTen search in one thread: encoded links between them and a seeded scheduler."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Coroutine, Generator
from typing import Any, NamedTuple

import msgspec
import numpy as np

from protocol.search.crypten.blocking import Arrays
from protocol.search.crypten.correlations import SearchShape
from protocol.search.crypten.costs import Sent
from protocol.search.crypten.provider import ThirdParty
from protocol.search.crypten.ranks import Provider
from protocol.search.crypten.search import ComputingParty, Operand, Prepared, SearchShares
from protocol.sharing.prg import keyed_random_bytes
from protocol.tensors import Tensor


class Nothing:
    """Lets another coroutine run."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Links:
    """All links of a session; keeps what every rank sent."""

    def __init__(self) -> None:
        self.queues: dict[tuple[int, int], deque[bytes]] = {}
        self.sent: dict[int, list[Sent]] = {0: [], 1: [], 2: []}
        self.frames: list[bytes] = []

    def queue(self, sender: int, receiver: int) -> deque[bytes]:
        return self.queues.setdefault((sender, receiver), deque())

    def end(self, rank: int) -> LinkEnd:
        return LinkEnd(self, rank)

    def take_sent(self) -> dict[int, list[Sent]]:
        sent, self.sent = self.sent, {0: [], 1: [], 2: []}
        return sent


class LinkEnd:
    """One rank's exchange; what it sends is encoded, so later changes to an array do not matter."""

    session = "search-0000"

    def __init__(self, links: Links, rank: int) -> None:
        self.links = links
        self.rank = rank

    async def send(self, peer: int, arrays: Arrays) -> None:
        frame = msgspec.msgpack.encode([Tensor.of(array) for array in arrays])
        self.links.queue(self.rank, peer).append(frame)
        self.links.frames.append(frame)
        self.links.sent[self.rank].append(Sent(peer, sum(array.nbytes for array in arrays)))

    async def receive(self, peer: int) -> Arrays:
        queue = self.links.queue(peer, self.rank)
        while not queue:
            await Nothing()
        tensors = msgspec.msgpack.decode(queue.popleft(), type=list[Tensor])
        return tuple(tensor.array() for tensor in tensors)


def together(*coroutines: Coroutine[Any, Any, Any], seed: int = 0) -> list[Any]:
    """Step coroutines in random order until all have ended; return their results in order."""
    order = random.Random(seed)  # noqa: S311 - orders steps, hides nothing
    results: dict[int, Any] = {}
    running = dict(enumerate(coroutines))
    try:
        for _ in range(100_000):
            if not running:
                return [results[index] for index in range(len(coroutines))]
            index = order.choice(sorted(running))
            try:
                running[index].send(None)
            except StopIteration as end:
                results[index] = end.value
                del running[index]
    finally:
        for coroutine in running.values():
            coroutine.close()
    raise AssertionError("the ranks wait for each other")


class Session(NamedTuple):
    """Both computing parties, the third party and their links, after setup."""

    provider: Provider
    parties: tuple[ComputingParty, ComputingParty]
    third: ThirdParty
    links: Links

    @classmethod
    def open(cls, provider: Provider, key: int = 0) -> Session:
        first, second, third = (
            keyed_random_bytes(bytes([key, rank]) + bytes(30), "seeds") for rank in range(3)
        )
        parties = ComputingParty(0, provider, first), ComputingParty(1, provider, second)
        session = cls(provider, parties, ThirdParty(third), Links())
        ends = [session.links.end(rank) for rank in range(3)]
        steps = [party.setup(end) for party, end in zip(parties, ends[:2], strict=True)]
        together(*steps, *([session.third.setup(ends[2])] if provider == "TTP" else []))
        return session

    def prepare(self, shape: SearchShape, seed: int = 0) -> tuple[Prepared, Prepared]:
        ends = [self.links.end(rank) for rank in range(3)]
        steps = [p.prepare(end, shape) for p, end in zip(self.parties, ends[:2], strict=True)]
        third = [self.third.prepare(ends[2], shape)] if self.provider == "TTP" else []
        first, second, *_ = together(*steps, *third, seed=seed)
        return first, second

    def search(
        self,
        prepared: tuple[Prepared, Prepared],
        galleries: tuple[Operand, Operand],
        probes: tuple[Operand, Operand],
        threshold: int,
        *,
        open_scores: bool = False,
        seed: int = 0,
    ) -> tuple[SearchShares, SearchShares]:
        steps = (
            party.search(
                self.links.end(rank),
                prepared[rank],
                gallery=galleries[rank],
                probes=probes[rank],
                threshold=threshold,
                open_scores=open_scores,
            )
            for rank, party in enumerate(self.parties)
        )
        first, second = together(*steps, seed=seed)
        return first, second


def additive_shares(values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split signed integers into two shares modulo 2^64."""
    first = rng.integers(0, 2**64, values.shape, np.uint64)
    return first, values.astype(np.int64).view(np.uint64) - first
