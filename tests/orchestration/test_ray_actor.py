"""An actor without a cluster: what it refuses, and how it waits."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest
import toy_parties

from orchestration.runtime import ray_actor
from orchestration.runtime.ray_actor import Carrier, PartyActor, joined, pieces_of
from orchestration.runtime.ray_wire import Header, Report, decode_report, encode
from protocol.channel import At, Endpoint
from protocol.messages import SeedGrant
from protocol.search.policies import policy_named
from protocol.tensors import Tensor

pytestmark = pytest.mark.ray

SETUP = At("setup", "setup")


def actor(timeout_s: float = 5.0) -> PartyActor:
    header = Header(
        party="model_provider",
        run="toy",
        namespace="nowhere",
        insecure=(),
        protocol="dealer",
        receive_timeout_s=timeout_s,
        builder="toy_parties:build",
        threads=1,
        kernel_threads=1,
        digest_key=bytes(32),
    )
    return PartyActor(encode(header))


def frame() -> bytes:
    seed = SeedGrant(seed=Tensor.of(np.zeros(32, np.uint8)))
    return (
        Endpoint("dealer", "toy", frozenset(), policy_named("dealer"))
        .outbound("model_provider", seed, SETUP)
        .wire
    )


def delivered(*frames: Any) -> list[Report]:
    async def deliver() -> list[Report]:
        host = actor()
        return [decode_report(await host.deliver(data)) for data in frames]

    return asyncio.run(deliver())


def test_a_frame_is_taken_once() -> None:
    first, again = delivered(frame(), frame())
    assert not first.error
    assert again.error == "PeerMisbehaviourError"
    assert "delivered before" in again.message


def test_a_label_is_taken_once_whatever_its_number() -> None:
    endpoint = Endpoint("dealer", "toy", frozenset(), policy_named("dealer"))
    seed = SeedGrant(seed=Tensor.of(np.zeros(32, np.uint8)))
    frames = [endpoint.outbound("model_provider", seed, SETUP).wire for _ in range(2)]
    assert [report.error for report in delivered(*frames)] == ["", "PeerMisbehaviourError"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xc1nonsense", "DecodeError"),
        (b"", "DecodeError"),
        ("text", "PeerMisbehaviourError"),
        ([1, 2], "PeerMisbehaviourError"),
        (bytearray(b"abc"), "PeerMisbehaviourError"),
    ],
)
def test_anything_but_the_bytes_of_a_frame_is_refused(data: object, kind: str) -> None:
    assert delivered(data)[0].error == kind


@pytest.mark.parametrize("kib", [0, 96, 97, 192, 512, 513])
def test_a_frame_of_middle_size_travels_in_pieces_that_fit_into_a_call(kib: int) -> None:
    wire = np.random.default_rng(kib).bytes(kib << 10)
    pieces = pieces_of(wire)
    assert joined(pieces) == wire
    inline = ray_actor.PIECE_BYTES < len(wire) <= ray_actor.MOST_INLINE_BYTES
    assert (len(pieces) > 1) == inline
    if inline:
        assert max(map(len, pieces)) <= 100 * 1024


def test_a_frame_in_pieces_is_the_frame_and_every_piece_must_be_bytes() -> None:
    async def deliver(*pieces: Any) -> Report:
        return decode_report(await actor().deliver(*pieces))

    data = frame()
    assert not asyncio.run(deliver(data[:40], data[40:])).error
    refused = asyncio.run(deliver(data[:40], bytearray(data[40:])))
    assert refused.error == "PeerMisbehaviourError"
    assert asyncio.run(deliver()).error == "DecodeError"


def test_a_refused_frame_ends_the_program() -> None:
    async def play() -> Report:
        host = actor()
        await host.prepare(toy_parties.briefs()["model_provider"])
        playing = asyncio.ensure_future(host.play(msgspec.msgpack.encode(0.0)))
        await asyncio.sleep(0)
        assert await host.waits() == b"SeedGrant from dealer in setup"
        await host.deliver(b"nonsense")
        return decode_report(await playing)

    assert asyncio.run(play()).error == "DecodeError"


def test_a_wait_past_the_deadline_is_marked_as_a_stall() -> None:
    async def play() -> Report:
        host = actor(timeout_s=0.01)
        await host.prepare(toy_parties.briefs()["model_provider"])
        return decode_report(await host.play(msgspec.msgpack.encode(0.0)))

    report = asyncio.run(play())
    assert report.stalled
    assert "model_provider waited 0.01 s for SeedGrant from dealer in setup" in report.message


def test_frames_left_at_the_end_are_refused() -> None:
    async def finish() -> Report:
        host = actor()
        await host.deliver(frame())
        return decode_report(await host.finish())

    assert "nobody asked for" in asyncio.run(finish()).message


class _SlowPeer:
    """Takes frames whose hand-over only ends when somebody waits for it."""

    def __init__(self) -> None:
        self.open = 0
        self.most = 0
        self.deliver = self

    def remote(self, *_: bytes) -> asyncio.Future[bytes]:
        self.open += 1
        self.most = max(self.most, self.open)
        return asyncio.ensure_future(self._end())

    async def _end(self) -> bytes:
        await asyncio.sleep(0.001)
        self.open -= 1
        return b""


@pytest.mark.parametrize(
    ("size_bytes", "most"),
    [(1, ray_actor.IN_FLIGHT_FRAMES), (ray_actor.IN_FLIGHT_BYTES // 4, 4)],
)
def test_what_is_under_way_is_bounded(
    size_bytes: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = _SlowPeer()
    monkeypatch.setattr(Carrier, "_peer", lambda *_: peer)

    async def carry() -> None:
        carrier = Carrier("nowhere")
        data = bytes(size_bytes)
        for _ in range(40):
            await carrier.carry("dealer", data)
        await carrier.drain()

    asyncio.run(carry())
    assert peer.open == 0
    assert 1 < peer.most <= most + 1
