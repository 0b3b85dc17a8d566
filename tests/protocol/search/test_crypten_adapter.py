"""CrypTen, an independent implementation, computes between two processes what we compute."""

from __future__ import annotations

import multiprocessing
from collections import deque
from multiprocessing.connection import Connection

import msgspec
import numpy as np
import pytest
import torch
from torch.distributed import ReduceOp

from protocol.errors import DecodeError, LocalProtocolError
from protocol.search import plaintext
from protocol.search.crypten_adapter import (
    WireCommunicator,
    crypten_session,
    load_crypten,
    secret_matches,
)
from protocol.tensors import Tensor

PROBES, ENTRIES, DIMENSION = 4, 60, 32


class PipeWire:
    """A pipe between two processes that keeps what this side sent."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self.pipe.send_bytes(data)

    def receive(self) -> bytes:
        if not self.pipe.poll(timeout=120):
            raise TimeoutError
        return self.pipe.recv_bytes()


class Loopback:
    """Hands back what was sent, in order, after whatever was put there beforehand."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = deque(frames)

    def send(self, data: bytes) -> None:
        self.frames.append(data)

    def receive(self) -> bytes:
        return self.frames.popleft()


def frame(*arrays: np.ndarray) -> bytes:
    return msgspec.msgpack.encode([Tensor.of(array) for array in arrays])


def ring(*values: int) -> np.ndarray:
    return np.array(values, np.int64).view(np.uint64)


def gallery_holder(pipe: Connection, rows: np.ndarray, threshold: int) -> None:
    """Run party 1 in its own process and send its result back as the last message."""
    torch.set_num_threads(1)
    wire = PipeWire(pipe)
    bits = secret_matches(wire, rank=1, own=rows, peer_rows=PROBES, threshold=threshold)
    pipe.send_bytes(bits.tobytes())


def test_two_parties_compute_the_plaintext_matches() -> None:
    rng = np.random.default_rng(11)
    probes = rng.integers(-127, 128, (PROBES, DIMENSION))
    rows = rng.integers(-127, 128, (ENTRIES, DIMENSION))
    scores = plaintext.scores(rows, probes)
    threshold = int(np.sort(scores, axis=None)[-50])  # one score lies exactly on it
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    peer = context.Process(target=gallery_holder, args=(theirs, rows, threshold))
    peer.start()
    theirs.close()
    try:
        wire = PipeWire(ours)
        bits = secret_matches(wire, rank=0, own=probes, peer_rows=ENTRIES, threshold=threshold)
        at_peer = np.frombuffer(wire.receive(), np.bool_).reshape(PROBES, ENTRIES)
    finally:
        ours.close()
        peer.join(timeout=60)
        peer.kill()
    assert peer.exitcode == 0
    assert bits.sum() >= 50
    np.testing.assert_array_equal(bits, plaintext.matches(scores, threshold))
    np.testing.assert_array_equal(at_peer, bits)
    # Neither operand ever travels in the clear, and every frame is raw ring elements.
    operands = (probes.tobytes(), rows.tobytes(), scores.tobytes())
    for sent in wire.sent:
        assert not any(secret in sent for secret in operands)
        assert {t.dtype for t in msgspec.msgpack.decode(sent, type=list[Tensor])} == {"<u8"}


def test_crypten_loads_twice_and_is_the_pinned_version() -> None:
    assert load_crypten() is load_crypten()
    assert load_crypten().__version__ == "0.4.1"


def test_a_session_is_exclusive_and_leaves_crypten_as_it_was() -> None:
    directory = load_crypten().communicator
    before = directory.get
    with (
        crypten_session(0, Loopback()) as communicator,
        pytest.raises(LocalProtocolError, match="already"),
        crypten_session(0, Loopback()),
    ):
        pytest.fail("a second session opened")
    assert communicator.sent_messages == 2  # the pairwise seed and the common seed
    assert directory.get is before


def test_reductions_combine_both_parties() -> None:
    own, theirs = torch.tensor([1, -6]), ring(2, 3)
    for op, expected in ((ReduceOp.SUM, [3, -3]), (ReduceOp.BXOR, [3, -6 ^ 3])):
        communicator = WireCommunicator(1, Loopback(frame(theirs)))
        assert communicator.all_reduce(own, op).tolist() == expected
        communicator = WireCommunicator(1, Loopback(frame(theirs)))
        assert communicator.reduce(own, 1, op).tolist() == expected
    assert WireCommunicator(1, Loopback()).reduce(own, 0) is None


def test_lists_are_reduced_together_and_counted() -> None:
    wire = Loopback(frame(ring(10), ring(20, 30)))
    communicator = WireCommunicator(1, wire)
    total = communicator.all_reduce([torch.tensor([1]), torch.tensor([2, 3])], batched=True)
    assert [tensor.tolist() for tensor in total] == [[11], [22, 33]]
    assert communicator.sent_messages == 1
    assert communicator.sent_bytes == len(wire.frames[0])


def test_scatter_and_gather_keep_the_order_of_ranks() -> None:
    mine, other = torch.tensor([1]), torch.tensor([2])
    assert WireCommunicator(1, Loopback(frame(ring(7)))).scatter([mine, other], 0).item() == 7
    assert WireCommunicator(1, Loopback()).scatter([mine, other], 1).item() == 2
    gathered = WireCommunicator(1, Loopback(frame(ring(7)))).gather(mine, 1)
    assert [None if tensor is None else tensor.item() for tensor in gathered] == [7, 1]
    assert WireCommunicator(1, Loopback()).gather(mine, 0) == [None]


@pytest.mark.parametrize(
    "received",
    [b"", b"\x80", frame(ring(1, 2)), frame(ring(1), ring(2)), frame(np.ones(1, np.float32))],
    ids=["nothing", "no list", "too long", "too many", "not a ring"],
)
def test_unexpected_bytes_are_a_decode_error(received: bytes) -> None:
    with pytest.raises(DecodeError):
        WireCommunicator(0, Loopback(received)).irecv(torch.tensor([0]), 1)


def test_what_two_parties_cannot_do_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="no link"):
        WireCommunicator(0, Loopback()).isend(torch.tensor([1]), 2)
    with pytest.raises(LocalProtocolError, match="sums and XORs"):
        WireCommunicator(1, Loopback(frame(ring(1)))).all_reduce(torch.tensor([1]), ReduceOp.MAX)
