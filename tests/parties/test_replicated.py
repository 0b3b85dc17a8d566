"""What is special about the replicated protocol: its costs per server, its shares, its refresh."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from protocol.messages import decode_frame, kind_of, tensors_of
from protocol.parties import Party
from protocol.plan import Step
from protocol.search.policies import policy_named
from protocol.sharing.prg import RandomBytes, keyed_random_bytes
from protocol.sharing.ring import Ring

Play: TypeAlias = Callable[..., Any]
SERVERS: tuple[Party, ...] = ("model_provider", "gallery_holder", "auxiliary_server")
ROWS, WIDTH = 640, 8


def sent_bytes(played: Any, phase: str) -> Counter[tuple[str, str]]:
    """Return the payload bytes of a phase by sender and receiver."""
    found: Counter[tuple[str, str]] = Counter()
    for outcome in played.outcomes.values():
        for event in outcome.events:
            if event.event == "sent" and event.phase == phase:
                found[event.sender, event.receiver] += event.payload_bytes
    return found


@pytest.fixture(scope="module")
def usual(play: Play) -> Any:
    """A search of one probe over rows that fill whole words, without opened scores."""
    random = np.random.default_rng(1)
    gallery = random.integers(-9, 10, (ROWS, WIDTH))
    return play(gallery, gallery[:1], threshold=300, protocol="replicated", open_scores=False)


def test_no_server_sends_more_than_it_should_online(usual: Any) -> None:
    online = sent_bytes(usual, "online")
    probe, decision = 2 * WIDTH, ROWS // 8
    assert online["model_provider", "auxiliary_server"] == probe + 2 * ROWS
    evaluators = ("gallery_holder", "auxiliary_server")
    for sender, receiver in (evaluators, evaluators[::-1]):
        assert online[sender, receiver] == 4.25 * ROWS
        assert online[sender, "client"] == decision
    assert {ends for ends in online if ends[0] in SERVERS} == {
        ("model_provider", "auxiliary_server"), evaluators, evaluators[::-1],
        ("gallery_holder", "client"), ("auxiliary_server", "client"),
    }  # fmt: skip


def test_offline_only_server_two_is_shipped_anything(usual: Any) -> None:
    offline = {ends: size for ends, size in sent_bytes(usual, "offline").items() if size}
    assert offline == {("model_provider", "auxiliary_server"): 4.25 * ROWS}


def test_server_zero_is_told_nothing_by_the_other_servers(usual: Any) -> None:
    events = [e for outcome in usual.outcomes.values() for e in outcome.events]
    assert {e.sender for e in events if e.receiver == "model_provider"} == {"client"}


@pytest.mark.parametrize("bits", [16, 32])
def test_servers_one_and_two_keep_the_other_share_of_what_server_zero_keeps(
    play: Play, bits: int
) -> None:
    rows = np.arange(-6, 6).reshape(4, 3)
    played = play(rows, rows, threshold=1, protocol="replicated", ring_bits=bits)
    provider, holder, auxiliary = shares(played)
    gallery = Ring(bits).encode(rows)
    assert np.array_equal(provider + holder, gallery)
    assert np.array_equal(holder, auxiliary)
    assert len({matrix.tobytes() for matrix in (gallery, provider, holder)}) == 3


@pytest.mark.parametrize("protocol", ["dealer", "replicated"])
def test_every_server_keeps_one_matrix_as_the_policy_says(play: Play, protocol: str) -> None:
    rows = np.arange(12).reshape(4, 3)
    played = play(rows, rows, threshold=1, protocol=protocol)
    held = dict(policy_named(protocol).held)
    assert set(held.values()) == {1}
    for party, matrices in held.items():
        assert len(shares(played, (party,))) == matrices
    provider, holder = shares(played, ("model_provider", "gallery_holder"))
    assert np.array_equal(provider + holder, rows)


def test_the_dealer_knows_the_mask_of_the_rows_and_not_their_share(play: Play) -> None:
    rows = np.arange(12).reshape(4, 3)
    played = play(rows, rows, threshold=1)
    provider, holder, dealer = shares(played, ("model_provider", "gallery_holder", "dealer"))
    assert np.array_equal(dealer, holder)
    assert np.array_equal(provider, rows.astype(dealer.dtype) - dealer)


def shares(played: Any, parties: tuple[Party, ...] = SERVERS) -> list[np.ndarray]:
    """Return K, H and H, or what other parties keep, at the end of a run."""
    sides = [played.programs[party].side for party in parties]
    return [matrix.copy() for side in sides for matrix in side._rows.matrices]


def test_a_refresh_moves_every_share_and_keeps_the_rows(play: Play) -> None:
    rows = np.arange(12).reshape(4, 3)
    steps = (Step("enrol-0000", 4, "enrol"), Step("refresh-0000", 2, "refresh", (3, 1)))
    runs = [
        play(
            rows, rows, threshold=1, protocol="replicated", steps=steps[:length],
            random_bytes=lambda party: keyed_random_bytes(bytes(32), party),
        )
        for length in (1, 2)
    ]  # fmt: skip
    before, after = map(shares, runs)
    for provider, holder, auxiliary in (before, after):
        assert np.array_equal(provider + holder, rows)
        assert np.array_equal(provider + auxiliary, rows)
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old[[0, 2]], new[[0, 2]])
        assert not np.array_equal(old[[1, 3]], new[[1, 3]])


@pytest.mark.parametrize(
    ("protocol", "helper"), [("dealer", "dealer"), ("replicated", "model_provider")]
)
@pytest.mark.parametrize(
    ("output", "answer"),
    [("bitmap", "DecisionShares"), ("count", "CountShares"), ("identity", "IdentityShares")],
)
def test_who_knows_all_masks_cannot_read_an_answers_shares(
    play: Play, protocol: str, helper: str, output: str, answer: str
) -> None:
    """Under the same masks all that is opened repeats, and the shares of the answer do not."""
    random = np.random.default_rng(2)
    gallery = random.integers(-9, 10, (130, 4))

    def known(party: Party) -> RandomBytes:
        return keyed_random_bytes(bytes(32), party) if party in (helper, "client") else os.urandom

    runs = [recorded(play, gallery, protocol, output, known) for _ in range(2)]
    assert runs[0]["MaskedScores"] == runs[1]["MaskedScores"]
    assert runs[0]["MaskedBits"] == runs[1]["MaskedBits"]
    assert len(runs[0][answer]) == len(runs[0]["ScoreShares"]) == 2
    for kind in (answer, "ScoreShares"):
        assert not runs[0][kind] & runs[1][kind]


def recorded(
    play: Play,
    gallery: np.ndarray,
    protocol: str,
    output: str,
    random_bytes: Callable[[Party], RandomBytes],
) -> dict[str, set[bytes]]:
    """Return the payloads of a search of one probe by kind."""
    found: dict[str, set[bytes]] = defaultdict(set)

    def watch(wire: bytes) -> bytes:
        message = decode_frame(wire).message
        tensors = tensors_of(message).values()
        found[kind_of(message)].add(b"".join(tensor.array().tobytes() for tensor in tensors))
        return wire

    play(
        gallery, gallery[:1], threshold=30, protocol=protocol, output=output, tamper=watch,
        random_bytes=random_bytes,
    )  # fmt: skip
    return found
