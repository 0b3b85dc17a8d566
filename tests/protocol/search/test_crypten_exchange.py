"""CrypTen's transfers are labelled messages; long ones are cut into frames and put together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from crypten_ranks import together
from hypothesis import given
from hypothesis import strategies as st

from protocol.channel import At
from protocol.errors import LocalProtocolError, PeerMisbehaviourError
from protocol.messages import Message, payload_bytes
from protocol.parties import Party, Phase
from protocol.search.crypten import exchange as module
from protocol.search.crypten.correlations import SearchShape
from protocol.search.crypten.exchange import ChannelExchange, frame_sizes, opened_kinds
from protocol.search.crypten.messages import CryptenOperands, CryptenWords
from protocol.tensors import Tensor

OPENED = (CryptenOperands, CryptenWords)


class Loop:
    """A channel whose messages come back to whoever plays the other end."""

    def __init__(self) -> None:
        self.sent: list[tuple[Party, Any, At]] = []

    async def send(self, receiver: Party, message: Message, at: At) -> None:
        self.sent.append((receiver, message, at))

    async def receive(self, sender: Party, kind: type[Any], at: At) -> Any:
        del sender
        _, message, place = self.sent.pop(0)
        assert (type(message), place) == (kind, at)
        return message


def carried(channel: Loop, arrays: Sequence[np.ndarray], phase: Phase) -> Any:
    async def both() -> Any:
        await ChannelExchange(channel, 0, "s", phase, OPENED).send(1, tuple(arrays))
        frames = list(channel.sent)
        received = await ChannelExchange(channel, 1, "s", phase, OPENED).receive(0)
        return frames, received

    return together(both())[0]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(1, 9))
def test_arrays_of_any_length_arrive_whole_in_full_frames(lengths: list[int], words: int) -> None:
    arrays = [np.arange(n, dtype=np.uint64) + index for index, n in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FRAME_BYTES", 8 * words)
        frames, received = carried(Loop(), arrays, "online")
        sizes = frame_sizes(8 * sum(lengths))
    assert [payload_bytes(message) for _, message, _ in frames] == sizes
    assert [at.round for _, _, at in frames] == list(range(1, len(sizes) + 1))
    assert max(sizes) <= 8 * words
    assert len(received) == len(arrays)
    for found, array in zip(received, arrays, strict=True):
        np.testing.assert_array_equal(found, array)


def test_what_is_opened_is_named_after_its_correlation() -> None:
    kinds = [kind.__name__ for kind in opened_kinds(SearchShape(2, 1, 4))]
    assert kinds == ["CryptenOperands", *["CryptenWords"] * 7, "CryptenBits"]
    further = {kind.__name__ for kind in opened_kinds(SearchShape(2, 1, 4, "identity"))}
    assert further == {"CryptenOperands", "CryptenWords", "CryptenBits", "CryptenFactors"}


def test_transfers_of_a_search_are_of_their_kinds_and_no_more_than_those() -> None:
    channel = Loop()
    exchange = ChannelExchange(channel, 1, "search-0000", "online", OPENED)
    words = (np.zeros(3, np.uint64),)
    together(exchange.send(0, words))
    together(exchange.send(0, words))
    kinds = [(receiver, type(message)) for receiver, message, _ in channel.sent]
    assert kinds == [("model_provider", kind) for kind in OPENED]
    assert [at for _, _, at in channel.sent] == [At("search-0000", "online", n) for n in (1, 2)]
    with pytest.raises(LocalProtocolError, match="opens more"):
        together(exchange.send(0, words))


def test_the_third_party_sends_sizes_and_shares_in_turn() -> None:
    channel = Loop()
    exchange = ChannelExchange(channel, 2, "search-0000", "offline")
    for _ in range(3):
        together(exchange.send(0, (np.zeros(3, np.uint64),)))
    kinds = [type(message).__name__ for _, message, _ in channel.sent]
    assert kinds == ["CryptenSize", "CryptenAnswer", "CryptenSize"]


@pytest.mark.parametrize("sizes", [(), (2,), (4,), (3, 3), (-1,)])
def test_lengths_that_do_not_fit_the_arrays_are_refused(sizes: tuple[int, ...]) -> None:
    channel = Loop()
    together(ChannelExchange(channel, 0, "s", "setup").send(1, (np.zeros(3, np.uint64),)))
    receiver, message, at = channel.sent[0]
    channel.sent = [(receiver, msgspec.structs.replace(message, sizes=sizes), at)]
    with pytest.raises(PeerMisbehaviourError, match="other lengths"):
        together(ChannelExchange(channel, 1, "s", "setup").receive(0))


def test_a_later_frame_without_its_arrays_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRAME_BYTES", 16)
    channel = Loop()
    together(ChannelExchange(channel, 0, "s", "setup").send(1, (np.zeros(3, np.uint64),)))
    receiver, message, at = channel.sent[1]
    empty = msgspec.structs.replace(message, values=(Tensor.of(np.zeros(0, np.uint64)),))
    channel.sent[1] = (receiver, empty, at)
    with pytest.raises(PeerMisbehaviourError, match="other lengths"):
        together(ChannelExchange(channel, 1, "s", "setup").receive(0))


def test_the_registry_of_protocols_loads_neither_crypten_nor_torch() -> None:
    program = (
        "import sys; from protocol.search.protocols import protocol_named;"
        "protocol_named('crypten_ttp'); print(sorted({'crypten', 'torch'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
