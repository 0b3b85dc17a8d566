"""The role programs of a benchmark: those of every run, pausing between searches.

Protect and embed pass templates through, so the probe's embedding is known when a turn begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from time import perf_counter, process_time
from typing import Any, Protocol, cast

import msgspec
import numpy as np
import numpy.typing as npt

from orchestration.assembly import PartyBrief, build_program, build_protector, row_form
from orchestration.benchmarks.search.turns import Pause, RayPause
from orchestration.benchmarks.search.workload import TemplateBlocks
from orchestration.transport import PartyChannel
from parties.client import Client
from protocol.channel import At, Channel
from protocol.messages import Message, ProtectedFeatures
from protocol.parties import Party
from protocol.plan import Step
from protocol.roles import Observation, RoleProgram
from protocol.search.sides import ServerSide
from protocol.sharing.ring import RingArray
from protocol.tensors import Tensor

__all__ = [
    "BenchBrief",
    "MeasuredClient",
    "build_benchmark_program",
    "build_measured_client",
    "build_resting_server",
]


class BenchBrief(msgspec.Struct, frozen=True, kw_only=True):
    """What one party of a benchmark is told.

    Attributes:
        told: the party's ordinary brief.
        probes: unit probes [P,d] of all searches, for the client.
    """

    told: PartyBrief
    probes: Tensor | None = None

    def to_bytes(self) -> bytes:
        """Return the brief as bytes."""
        return msgspec.msgpack.encode(self)


class MeasuredClient(Client):
    """A client that waits for its turn before each search and notes when it begins and ends.

    A search begins when the client turns to its probes and ends when it holds the decisions. Rows
    are not kept, decisions are kept packed.
    """

    pause: Pause

    def __init__(self, *arguments: Any, pause: Pause) -> None:  # noqa: ANN401 - as the client's
        super().__init__(*arguments)
        self.pause = pause
        self._begun: list[tuple[float, float]] = []
        self._ended: list[tuple[float, float]] = []

    async def run(self, channel: Channel) -> Observation:
        """Play the role.

        Observed: `match` packed little-endian [P, ceil(N/8)], `online_s` [searches], and the
        processor seconds of this process in them, `online_cpu_s`.
        """
        observed = await super().run(_Turns(channel, self._begin))
        del observed["rows"]
        wall_s, cpu_s = (np.array(self._ended) - np.array(self._begun)).T
        return {**observed, "online_s": wall_s, "online_cpu_s": cpu_s}

    async def _begin(self) -> None:
        await self.pause.wait()
        self._begun.append(_clocks())

    def _note(self, name: str, values: npt.NDArray[Any]) -> None:
        if name == "match":
            self._ended.append(_clocks())
            self.pause.ended()
            super()._note(name, np.packbits(values, axis=1, bitorder="little"))


def _clocks() -> tuple[float, float]:
    """Return wall and processor seconds."""
    return perf_counter(), process_time()


class RestingSide:
    """A server's side that makes no material while the client waits for an answer."""

    def __init__(self, side: ServerSide, pause: Pause) -> None:
        self._side = side
        self._pause = pause
        self._searches = 0
        self.setup, self.change, self.observed = side.setup, side.change, side.observed

    async def prepare(self, channel: Channel, upcoming: Sequence[Step]) -> None:
        """Put the material of the next searches in place, once the search before is answered."""
        await self._pause.rest(self._searches)
        if isinstance(channel, PartyChannel):
            channel.idle()
        await self._side.prepare(channel, upcoming)

    async def search(self, channel: Channel, step: Step, probes: RingArray | None) -> None:
        """Run one search."""
        await self._side.search(channel, step, probes)
        self._searches += 1


class _Serving(Protocol):
    """A role program with a side."""

    side: ServerSide


class _Turns:
    """A channel that waits for a turn before probes are sent."""

    def __init__(self, channel: Channel, begin: Callable[[], Any]) -> None:
        self._channel = channel
        self._begin = begin
        self.receive = channel.receive

    async def send(self, receiver: Party, message: Message, at: At) -> None:
        """Send a message; a search's first one when its turn has come."""
        if at.phase == "online" and isinstance(message, ProtectedFeatures):
            await self._begin()
        await self._channel.send(receiver, message, at)


class _Probes:
    """The probes of all searches, by position."""

    def __init__(self, probes: npt.NDArray[Any]) -> None:
        self._probes = probes

    def load(self, start: int, count: int) -> npt.NDArray[Any]:
        return self._probes[start : start + count]


def build_measured_client(
    told: PartyBrief, probes: npt.NDArray[np.float32], pause: Pause
) -> MeasuredClient:
    """Return the client's program."""
    scenario = told.scenario
    rows = TemplateBlocks(scenario.seed, told.plan.rows, scenario.dimension)
    return MeasuredClient(
        told.plan,
        build_protector(scenario, None, os.urandom),
        row_form(scenario, None),
        rows,
        _Probes(probes),
        os.urandom,
        pause=pause,
    )


def build_resting_server(told: PartyBrief, pause: Pause) -> RoleProgram:
    """Return a server's or helper's program."""
    program = build_program(told.to_bytes())
    serving = cast("_Serving", program)
    serving.side = RestingSide(serving.side, pause)
    return program


def build_benchmark_program(brief: bytes) -> RoleProgram:
    """Return the program a brief describes, in the actor that hosts the party."""
    told = msgspec.msgpack.decode(brief, type=BenchBrief)
    pause = RayPause(told.told.plan.run)
    if told.probes is None:
        return build_resting_server(told.told, pause)
    return build_measured_client(told.told, told.probes.array(), pause)
