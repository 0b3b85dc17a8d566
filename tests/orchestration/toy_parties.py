"""Small role programs that exercise a runtime; actors import them by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import numpy as np

from protocol.channel import At, Channel
from protocol.errors import DataError
from protocol.messages import (
    MaskedBits,
    MaskedScores,
    MaterialRequest,
    QueryCorrections,
    SearchReady,
    SeedGrant,
)
from protocol.parties import CLIENT, DEALER, GALLERY_HOLDER, MODEL_PROVIDER, Party
from protocol.roles import Observation, RoleProgram
from protocol.search.policies import policy_named
from protocol.tensors import Tensor

PARTIES: tuple[Party, ...] = policy_named("dealer").parties
SEARCHES = 3
LAYERS = 40
SECRET = "template-0123456789"  # noqa: S105 - a canary, not a password


def briefs(fault: str = "") -> dict[Party, bytes]:
    return {party: f"{party}:{fault}".encode() for party in PARTIES}


def programs(fault: str = "") -> dict[Party, RoleProgram]:
    return {party: build(brief) for party, brief in briefs(fault).items()}


def build(brief: bytes) -> RoleProgram:
    party, _, fault = brief.decode().partition(":")
    kinds: dict[str, Callable[[str], RoleProgram]] = {
        CLIENT: _Client,
        DEALER: _Dealer,
        MODEL_PROVIDER: _Provider,
        GALLERY_HOLDER: _Holder,
    }
    if fault == "missing-data" and party == CLIENT:
        raise DataError("no pictures here", where="data.path", hint="put some there")
    return kinds[party](fault)


class _Toy:
    def __init__(self, fault: str) -> None:
        self.fault = fault


class _Client(_Toy):
    async def run(self, channel: Channel) -> Observation:
        for session in _sessions():
            for server in (MODEL_PROVIDER, GALLERY_HOLDER):
                await channel.receive(server, SearchReady, At(session, "offline"))
        if self.fault == "forbidden":
            await channel.send(DEALER, SearchReady(), At("search-0000", "offline"))
        return {"match": np.eye(3, dtype=bool), "scores": np.arange(6, dtype=np.int32)}


class _Dealer(_Toy):
    async def run(self, channel: Channel) -> Observation:
        if self.fault == "bug":
            raise ValueError(SECRET)
        seed = Tensor.of(np.zeros(32, np.uint8))
        for server in (MODEL_PROVIDER, GALLERY_HOLDER):
            await channel.send(server, SeedGrant(seed=seed), At("setup", "setup"))
        if self.fault == "twice":
            await channel.send(MODEL_PROVIDER, SeedGrant(seed=seed), At("setup", "setup"))
        if self.fault == "unasked":
            await channel.send(MODEL_PROVIDER, SeedGrant(seed=seed), At("elsewhere", "setup"))
        for session in _sessions():
            await self._answer(channel, session)
        return {}

    async def _answer(self, channel: Channel, session: str) -> None:
        at = At(session, "offline")
        request = await channel.receive(MODEL_PROVIDER, MaterialRequest, at)
        if self.fault == "killed-later" and session == "search-0001":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "silent":
            return
        if self.fault == "slow":
            time.sleep(0.5)  # noqa: ASYNC251 - a party that computes
        # More than 100 KB: on Ray such frames travel through the object store.
        products = Tensor.of(np.zeros((request.probes, request.rows), np.uint16))
        message = QueryCorrections(parts=(products,))
        await channel.send(GALLERY_HOLDER, message, at)


class _Server(_Toy):
    other: Party

    async def search(self, channel: Channel, session: str) -> None:
        """Exchange masked scores, then layers of bits, sending ahead of what is asked for."""
        scores = MaskedScores(values=Tensor.of(np.ones((4, 5), np.uint16)))
        await channel.send(self.other, scores, At(session, "online", 2))
        for layer in range(LAYERS):
            bits = MaskedBits(planes=Tensor.of(np.full((2, 3), layer, np.uint64)))
            await channel.send(self.other, bits, At(session, "online", 3 + layer))
        for layer in reversed(range(LAYERS)):
            at = At(session, "online", 3 + layer)
            received = await channel.receive(self.other, MaskedBits, at)
            if int(received.planes.array()[0, 0]) != layer:
                raise AssertionError
        await channel.receive(self.other, MaskedScores, At(session, "online", 2))
        await channel.send(CLIENT, SearchReady(), At(session, "offline"))


class _Provider(_Server):
    other = GALLERY_HOLDER

    async def run(self, channel: Channel) -> Observation:
        await channel.receive(DEALER, SeedGrant, At("setup", "setup"))
        for session in _sessions():
            request = MaterialRequest(searches=1, probes=40, rows=2000)
            await channel.send(DEALER, request, At(session, "offline"))
            await self.search(channel, session)
        return {"probes": np.arange(4, dtype=np.int32)}


class _Holder(_Server):
    other = MODEL_PROVIDER

    async def run(self, channel: Channel) -> Observation:
        await channel.receive(DEALER, SeedGrant, At("setup", "setup"))
        for session in _sessions():
            await channel.receive(DEALER, QueryCorrections, At(session, "offline"))
            await self.search(channel, session)
        return {}


def _sessions() -> list[str]:
    return [f"search-{index:04d}" for index in range(SEARCHES)]
