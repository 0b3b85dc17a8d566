"""What a channel counts as a party's own computing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from orchestration import transport
from orchestration.transport import PartyChannel
from protocol.channel import At, Endpoint, Inbound, Label
from protocol.messages import SeedGrant
from protocol.parties import Party
from protocol.search.policies import policy_named
from protocol.tensors import Tensor


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class NoInbox:
    async def take(self, label: Label) -> Inbound:
        raise AssertionError(label)


async def nowhere(_receiver: Party, _wire: bytes) -> None:
    """Lose a frame."""


@pytest.mark.parametrize(("idle", "busy_s"), [(False, 7.0), (True, 4.0)])
def test_idling_does_not_count_as_computing(
    monkeypatch: pytest.MonkeyPatch, idle: bool, busy_s: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(transport, "perf_counter", clock)
    endpoint = Endpoint("dealer", "r", frozenset(), policy_named("dealer"))
    channel = PartyChannel(endpoint, nowhere, NoInbox(), 0.0, bytes(32))
    clock.now = 3.0
    if idle:
        channel.idle()
    clock.now = 7.0
    message = SeedGrant(seed=Tensor.of(np.zeros(32, np.uint8)))
    asyncio.run(channel.send("model_provider", message, At("setup", "setup")))
    assert channel.events[0].compute_s == busy_s
