"""What CrypTen calls to talk: collectives over a wire, requests of a closed set, no pickles."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed import ReduceOp

from protocol.errors import DecodeError, LocalProtocolError
from protocol.search.crypten.blocking import Arrays
from protocol.search.crypten.communicator import Communicator
from protocol.search.crypten.correlations import (
    Answer,
    Bits,
    Conjunction,
    Product,
    decode_request,
    encode,
)
from protocol.search.crypten.ranks import COMPUTING, THIRD_PARTY

REQUEST = {"function": "B2A", "device": "cpu", "args": (torch.Size([2, 3]),), "kwargs": {}}


class Script:
    """A wire that hands out prepared arrays and keeps what is sent."""

    def __init__(self, *received: Arrays) -> None:
        self.received = deque(received)
        self.sent: list[tuple[int, list[Any]]] = []

    def send(self, peer: int, *arrays: np.ndarray) -> None:
        self.sent.append((peer, [array.tolist() for array in arrays]))

    def receive(self, peer: int) -> Arrays:  # noqa: ARG002 - a wire
        return self.received.popleft()


def ring(*values: int) -> np.ndarray:
    array = np.array(values, np.int64).view(np.uint64)
    array.flags.writeable = False  # as an array over received bytes is
    return array


def words(data: bytes) -> tuple[np.ndarray]:
    return (np.frombuffer(data, np.uint8),)


def party(rank: Any, *received: Arrays) -> tuple[Communicator, Script]:
    communicator, script = Communicator(rank), Script(*received)
    communicator.wire = script  # type: ignore[assignment]
    return communicator, script


def test_reductions_combine_both_parties_in_one_message() -> None:
    own = torch.tensor([1, -6])
    for op, expected in ((ReduceOp.SUM, [3, -3]), (ReduceOp.BXOR, [3, -6 ^ 3])):
        communicator, script = party(1, (ring(2, 3),))
        assert communicator.all_reduce(own, op).tolist() == expected
        assert [peer for peer, _ in script.sent] == [0]
        assert party(1, (ring(2, 3),))[0].reduce(own, 1, op).tolist() == expected
    communicator, script = party(1)
    assert communicator.reduce(own, 0) is None
    assert script.sent == [(0, [[1, 2**64 - 6]])]
    assert own.tolist() == [1, -6]


def test_lists_are_reduced_together() -> None:
    communicator, script = party(1, (ring(10), ring(20, 30)))
    total = communicator.all_reduce([torch.tensor([1]), torch.tensor([[2], [3]])], batched=True)
    assert [tensor.tolist() for tensor in total] == [[11], [[22], [33]]]
    assert len(script.sent) == 1


def test_scatter_and_gather_keep_the_order_of_ranks() -> None:
    mine, other = torch.tensor([1]), torch.tensor([2])
    assert party(1, (ring(7),))[0].scatter([mine, other], 0).item() == 7
    assert party(1)[0].scatter([mine, other], 1).item() == 2
    gathered = party(1, (ring(7),))[0].gather(mine, 1)
    assert [None if tensor is None else tensor.item() for tensor in gathered] == [7, 1]
    assert party(1)[0].gather(mine, 0) == [None]


def test_tensors_are_sent_received_and_broadcast_in_place() -> None:
    tensor = torch.tensor([[1, 2]])
    communicator, script = party(0, (ring(3, 4),), (ring(5, 6),), (ring(7, 8),))
    communicator.send(tensor, 1)
    communicator.isend(tensor, 1).wait()
    assert communicator.recv(tensor).tolist() == [[3, 4]]
    assert tensor.tolist() == [[1, 2]]
    communicator.irecv(tensor, 1).wait()
    assert tensor.tolist() == [[5, 6]]
    communicator.broadcast(tensor, 0)
    assert communicator.broadcast(tensor, 1).tolist() == [[7, 8]]
    assert script.sent == [(1, [[1, 2]])] * 2 + [(1, [[5, 6]])]


def test_the_third_party_answers_what_was_asked() -> None:
    communicator, script = party(0, words(encode(Answer((2, 3)))), (ring(*range(6)),))
    everyone, pair = communicator.ttp_group, communicator.ttp_comm_group
    communicator.send_obj(REQUEST, communicator.get_ttp_rank(), everyone)
    size = communicator.recv_obj(THIRD_PARTY, everyone)
    answer = communicator.broadcast(torch.zeros(size, dtype=torch.long), THIRD_PARTY, pair)
    assert answer.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert decode_request(bytes(script.sent[0][1][0])) == Bits((2, 3))


@pytest.mark.parametrize(
    "announced",
    [words(encode(Answer((3, 2)))), words(encode(Bits((2, 3)))), words(b""), (ring(2, 3),), ()],
    ids=["another size", "a request", "nothing", "no bytes", "no array"],
)
def test_another_announcement_is_refused(announced: Arrays) -> None:
    communicator, _ = party(0, announced)
    communicator.send_obj(REQUEST, THIRD_PARTY, communicator.ttp_group)
    with pytest.raises(DecodeError):
        communicator.recv_obj(THIRD_PARTY, communicator.ttp_group)


@pytest.mark.parametrize(
    "message",
    [
        "terminate",
        REQUEST | {"function": "wraps"},
        REQUEST | {"function": "__class__"},
        REQUEST | {"kwargs": {"stride": 2}},
        REQUEST | {"device": "cuda:0"},
        REQUEST | {"args": ((1,), (1,), "conv2d"), "function": "additive"},
        REQUEST | {"args": ("2",)},
        {"function": "B2A"},
    ],
)
def test_only_requests_for_correlations_are_objects(message: Any) -> None:
    communicator, script = party(0)
    with pytest.raises(LocalProtocolError, match="no search needs"):
        communicator.send_obj(message, THIRD_PARTY, communicator.ttp_group)
    assert script.sent == []


sizes = st.lists(st.integers(0, 2**40), max_size=5).map(tuple)


@given(
    st.one_of(
        st.builds(Product, sizes, sizes, st.sampled_from(["matmul", "mul"])),
        st.builds(Conjunction, sizes, sizes),
        st.builds(Bits, sizes),
    )
)
def test_requests_survive_the_wire(request_: Any) -> None:
    assert decode_request(encode(request_)) == request_


@given(st.binary(max_size=40))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        request_ = decode_request(data)
    except DecodeError:
        return
    assert isinstance(request_, Product | Conjunction | Bits)


@pytest.mark.parametrize(
    "received",
    [(), (ring(1, 2),), (ring(1), ring(2)), (np.ones(1, np.float32),)],
    ids=["nothing", "too long", "too many", "not a ring"],
)
def test_unexpected_arrays_are_a_decode_error(received: Arrays) -> None:
    with pytest.raises(DecodeError):
        party(0, received)[0].irecv(torch.tensor([0]), 1)


def test_what_two_parties_cannot_do_is_refused() -> None:
    communicator, _ = party(1, (ring(1),))
    for rank in (1, THIRD_PARTY):
        with pytest.raises(LocalProtocolError, match="no link"):
            communicator.isend(torch.tensor([1]), rank)
    with pytest.raises(LocalProtocolError, match="sums and XORs"):
        communicator.all_reduce(torch.tensor([1]), ReduceOp.MAX)
    communicator.wire = None
    with pytest.raises(LocalProtocolError, match="does not compute"):
        communicator.send(torch.tensor([1]), 0)
    assert communicator.get_world_size() == len(COMPUTING)
