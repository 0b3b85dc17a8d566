"""CrypTen as a search protocol agrees with exact integers, bit for bit, whoever provides."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from crypten_ranks import LinkEnd, Links, Session, additive_shares, together
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, PeerMisbehaviourError, ReusedMaterialError
from protocol.search import plaintext
from protocol.search.crypten.blocking import Arrays
from protocol.search.crypten.correlations import Bits, Level, SearchShape, encode
from protocol.search.crypten.library import load_crypten
from protocol.search.crypten.provider import ThirdParty
from protocol.search.crypten.ranks import Provider
from protocol.search.crypten.search import (
    ComputingParty,
    Known,
    Operand,
    SearchShares,
    Shared,
)
from protocol.sharing.prg import keyed_random_bytes
from protocol.tensors import Tensor

PROVIDERS: tuple[Provider, ...] = ("TFP", "TTP")


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No thread, and CrypTen, torch's default generator and the configuration as they were."""
    crypten = load_crypten()
    third_party = crypten.mpc.provider.ttp_provider

    def observed() -> list[Any]:
        return [
            threading.active_count(),
            crypten.communicator.get,
            crypten.generators,
            crypten.mpc.get_default_provider(),
            crypten.config.cfg.config,
            crypten.CrypTensor.AUTOGRAD_ENABLED,
            third_party.TTPClient._TTPClient__instance,
            third_party.dist,
            third_party.logging,
            torch.get_rng_state().numpy().tobytes(),
        ]

    before = observed()
    yield
    assert observed() == before


def shared(values: np.ndarray, rng: np.random.Generator) -> tuple[Shared, Shared]:
    first, second = additive_shares(values, rng)
    return Shared(first), Shared(second)


def known(values: np.ndarray, owner: Any) -> tuple[Known, Known]:
    size = values.shape
    mine, other = Known(owner, size, values), Known(owner, size)
    return (mine, other) if owner == 0 else (other, mine)


def decisions(shares: tuple[SearchShares, SearchShares]) -> np.ndarray:
    return shares[0].decisions ^ shares[1].decisions


def opened(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray:
    assert first is not None
    assert second is not None
    total: np.ndarray = first + second
    return total.view(np.int64)


def searched(
    session: Session, rows: np.ndarray, probes: np.ndarray, threshold: int, **options: Any
) -> tuple[SearchShares, SearchShares]:
    """Search once as the product does: gallery as shares, probes known to rank 0."""
    rng = np.random.default_rng(5)
    shape = SearchShape(len(rows), len(probes), rows.shape[1], options.pop("level", "bitmap"))
    gallery = shared(np.ascontiguousarray(rows.T), rng)
    prepared = session.prepare(shape)
    return session.search(prepared, gallery, known(probes, 0), threshold, **options)


@pytest.mark.parametrize("provider", PROVIDERS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_decisions_and_scores_are_those_of_exact_integers(
    provider: Provider, data: st.DataObject
) -> None:
    n, b, d = (data.draw(st.integers(1, limit)) for limit in (9, 7, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    bound = data.draw(st.sampled_from([1, 127, 2**20]))
    rows, probes = (rng.integers(-bound, bound + 1, (count, d)) for count in (n, b))
    scores = plaintext.scores(rows, probes)
    # Exactly on a score, or one beside it.
    threshold = int(data.draw(st.sampled_from(scores.ravel().tolist()))) + data.draw(
        st.integers(-1, 1)
    )
    session = Session.open(provider, key=data.draw(st.integers(0, 255)))
    one, two = searched(session, rows, probes, threshold, open_scores=True)
    np.testing.assert_array_equal(decisions((one, two)), plaintext.matches(scores, threshold))
    np.testing.assert_array_equal(opened(one.scores, two.scores), scores)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("row", "probe", "threshold"),
    [
        (2**31, 2**31 - 1, 2**62 - 2**31),  # equal, at the largest score
        (2**31, 2**31 - 1, -(2**62) - 2**31 + 1),  # 2^63 - 1 above it
        (2**31, -(2**31), 2**62),  # 2^63 below it
        (2**31, -(2**31), -(2**62)),  # equal, at the smallest score
        (2**31, -(2**31), -(2**62) + 1),
        (0, -(2**31), 0),
        (0, 2**31, 2**63 - 1),
    ],
)
def test_extreme_scores_are_compared_exactly(
    provider: Provider, row: int, probe: int, threshold: int
) -> None:
    session = Session.open(provider)
    bits = decisions(searched(session, np.array([[row]]), np.array([[probe]]), threshold))
    assert bits.tolist() == [[row * probe >= threshold]]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("rows_count", [1, 2, 3, 8, 33])
def test_the_best_row_is_found_and_only_told_if_it_matches(
    provider: Provider, rows_count: int
) -> None:
    rng = np.random.default_rng(rows_count)
    rows, probes = (rng.integers(-99, 100, (count, 4)) for count in (rows_count, 3))
    scores = plaintext.scores(rows, probes)
    best = scores.max(axis=1)
    threshold = int(np.median(best))  # exactly one probe's best score
    one, two = searched(Session.open(provider), rows, probes, threshold, level="identity")
    bits, numbers = decisions((one, two)), opened(one.numbers, two.numbers)
    assert bits[:, 0].tolist() == (best >= threshold).tolist()
    for probe, number in enumerate(numbers):
        if best[probe] >= threshold:
            assert scores[probe, number - 1] == best[probe]
        else:
            assert number == 0


def test_one_of_the_rows_that_tie_is_named() -> None:
    rows = np.array([[1], [7], [3], [7], [7]])
    named = set()
    for key in range(8):
        session = Session.open("TFP", key)
        one, two = searched(session, rows, np.array([[1]]), 7, level="identity")
        named.add(int(opened(one.numbers, two.numbers)[0]))
    assert named <= {2, 4, 5}
    assert len(named) > 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_searches_follow_each_other_and_sessions_interleave(provider: Provider) -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(-127, 128, (20, 8))
    shape = SearchShape(20, 2, 8)
    sessions = [Session.open(provider, key) for key in (1, 2)]
    prepared = [session.prepare(shape, seed=3) for session in sessions for _ in range(2)]
    galleries = shared(np.ascontiguousarray(rows.T), rng)
    for index, material in enumerate(prepared):
        probes = rng.integers(-127, 128, (2, 8))
        scores = plaintext.scores(rows, probes)
        threshold = int(np.sort(scores, axis=None)[-5])
        shares = sessions[index // 2].search(
            material, galleries, known(probes, 0), threshold, seed=index
        )
        np.testing.assert_array_equal(decisions(shares), scores >= threshold)


def test_inputs_may_be_shares_or_known_to_either_rank() -> None:
    rng = np.random.default_rng(2)
    rows, probes = (rng.integers(-127, 128, (count, 6)) for count in (10, 3))
    columns = np.ascontiguousarray(rows.T)
    expected = plaintext.scores(rows, probes) >= 100
    for gallery in (known(columns, 1), known(columns, 0), shared(columns, rng)):
        for probe in (known(probes, 0), known(probes, 1), shared(probes, rng)):
            session = Session.open("TFP")
            prepared = session.prepare(SearchShape(10, 3, 6))
            shares = session.search(prepared, gallery, probe, 100)
            np.testing.assert_array_equal(decisions(shares), expected)


def test_a_matrix_is_split_without_a_message() -> None:
    session = Session.open("TFP")
    session.links.take_sent()
    values = np.arange(-6, 6).reshape(3, 4)
    one, two = (p.split(k) for p, k in zip(session.parties, known(values, 1), strict=True))
    assert isinstance(one, Shared)
    np.testing.assert_array_equal(opened(one.share, two.share), values)
    assert not np.array_equal(two.share.view(np.int64), values)
    assert session.links.take_sent() == {0: [], 1: [], 2: []}


def test_no_operand_and_no_score_travels_in_the_clear() -> None:
    rng = np.random.default_rng(4)
    rows, probes = (rng.integers(-127, 128, (count, 16)) for count in (12, 2))
    session = Session.open("TTP")
    searched(session, rows, probes, 100)
    columns = np.ascontiguousarray(rows.T)
    secrets = [a.tobytes() for a in (columns, probes, plaintext.scores(rows, probes))]
    for frame in session.links.frames:
        assert not any(secret in frame for secret in secrets)


def test_the_transcript_depends_on_the_given_randomness_alone() -> None:
    def transcript(key: int, level: Level) -> list[bytes]:
        session = Session.open("TTP", key)
        searched(session, np.eye(5, 3, dtype=int), np.ones((1, 3), int), 1, level=level)
        return session.links.frames

    assert transcript(1, "identity") == transcript(1, "identity")
    assert transcript(1, "bitmap") != transcript(2, "bitmap")


def test_correlations_are_used_once_and_for_their_shape() -> None:
    session = Session.open("TFP")
    rows, probes = np.ones((4, 3), int), np.ones((1, 3), int)
    prepared = session.prepare(SearchShape(4, 1, 3))
    gallery = known(np.ascontiguousarray(rows.T), 1)
    with pytest.raises(LocalProtocolError, match="do not fit"):
        session.search(prepared, known(rows, 1), known(probes, 0), 3)
    session.search(prepared, gallery, known(probes, 0), 3)
    with pytest.raises(ReusedMaterialError):
        session.search(prepared, gallery, known(probes, 0), 3)


def test_only_the_owner_knows_a_matrix() -> None:
    session = Session.open("TFP")
    with pytest.raises(LocalProtocolError, match="exactly the owner"):
        session.parties[0].split(Known(1, (2, 2), np.ones((2, 2), int)))
    with pytest.raises(LocalProtocolError, match="exactly the owner"):
        session.parties[1].split(Known(1, (2, 2)))


@pytest.mark.parametrize(
    "request_", [np.frombuffer(encode(Bits((9,))), np.uint8), np.ones(3, np.uint64)]
)
def test_the_third_party_serves_the_public_shape_only(request_: np.ndarray) -> None:
    links = Links()
    together(links.end(0).send(2, (request_,)))
    third = ThirdParty(keyed_random_bytes(bytes(32), "seeds"))
    with pytest.raises(PeerMisbehaviourError, match="does not need"):
        together(third.prepare(links.end(2), SearchShape(4, 1, 3)))


# --- two processes ---------------------------------------------------------------------------


class PipeEnd(LinkEnd):
    """An exchange between two processes; its coroutines never suspend."""

    def __init__(self, pipe: Connection, rank: int) -> None:
        super().__init__(Links(), rank)
        self.pipe = pipe

    async def send(self, peer: int, arrays: Arrays) -> None:
        await super().send(peer, arrays)
        self.pipe.send_bytes(self.links.frames[-1])

    async def receive(self, peer: int) -> Arrays:  # noqa: ARG002 - an exchange
        if not self.pipe.poll(timeout=120):
            raise TimeoutError
        tensors = msgspec.msgpack.decode(self.pipe.recv_bytes(), type=list[Tensor])
        return tuple(tensor.array() for tensor in tensors)


async def whole_search(
    exchange: PipeEnd, gallery: Operand, probes: Operand, shape: SearchShape, threshold: int
) -> SearchShares:
    seeds = keyed_random_bytes(bytes([exchange.rank]) + bytes(31), "seeds")
    party = ComputingParty(0 if exchange.rank == 0 else 1, "TFP", seeds)
    await party.setup(exchange)
    prepared = await party.prepare(exchange, shape)
    return await party.search(
        exchange, prepared, gallery=gallery, probes=probes, threshold=threshold
    )


def gallery_holder(pipe: Connection, columns: np.ndarray, probes: int, threshold: int) -> None:
    """Run rank 1 in its own process and send its decision shares back as the last message."""
    torch.set_num_threads(1)
    d, n = columns.shape
    gallery, probe = Known(1, (d, n), columns), Known(0, (probes, d))
    step = whole_search(PipeEnd(pipe, 1), gallery, probe, SearchShape(n, probes, d), threshold)
    pipe.send_bytes(together(step)[0].decisions.tobytes())


def test_two_processes_compute_the_plaintext_matches() -> None:
    rng = np.random.default_rng(11)
    probes, rows = (rng.integers(-127, 128, (count, 32)) for count in (4, 60))
    scores = plaintext.scores(rows, probes)
    threshold = int(np.sort(scores, axis=None)[-50])  # one score lies exactly on it
    ours, theirs = multiprocessing.Pipe()
    columns = np.ascontiguousarray(rows.T)
    peer = multiprocessing.get_context("spawn").Process(
        target=gallery_holder, args=(theirs, columns, 4, threshold)
    )
    peer.start()
    theirs.close()
    try:
        gallery, probe = Known(1, (32, 60)), Known(0, (4, 32), probes)
        shape = SearchShape(60, 4, 32)
        own = together(whole_search(PipeEnd(ours, 0), gallery, probe, shape, threshold))[0]
        other = np.frombuffer(ours.recv_bytes(), np.bool_).reshape(4, 60)
    finally:
        ours.close()
        peer.join(timeout=60)
        peer.kill()
    assert peer.exitcode == 0
    np.testing.assert_array_equal(own.decisions ^ other, plaintext.matches(scores, threshold))
    assert not np.array_equal(own.decisions, scores >= threshold)
