"""Whole searches: decisions equal exact integers, costs equal their formulas, flows are honest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.journal import Event, audit_hash
from orchestration.runtime.outcome import PartyOutcome
from protocol.costs import InputSize
from protocol.errors import BautaError, PeerMisbehaviourError
from protocol.messages import Frame, decode_frame, encode_frame
from protocol.parties import Party
from protocol.search.protocols import protocol_named, protocol_names

Play: TypeAlias = Callable[..., Any]
PROTOCOLS = protocol_names()


def all_events(outcomes: Mapping[Party, PartyOutcome]) -> list[Event]:
    """Return every party's events."""
    return [event for outcome in outcomes.values() for event in outcome.events]


@settings(max_examples=40)
@given(
    st.sampled_from(PROTOCOLS),
    st.sampled_from([16, 32]),
    st.integers(1, 4),
    st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 12)),
    st.integers(0, 2**32 - 1),
)
def test_decisions_and_scores_are_exact(
    play: Play, protocol: str, bits: int, radix: int, size: tuple[int, int, int], seed: int
) -> None:
    rows, probes, width = size
    random = np.random.default_rng(seed)
    top = 30 if bits == 16 else 3000
    gallery = random.integers(-top, top + 1, (rows, width))
    queries = random.integers(-top, top + 1, (probes, width))
    queries[0] = gallery[-1]
    exact = queries.astype(object) @ gallery.astype(object).T
    threshold = int(exact.flat[seed % exact.size])
    played = play(
        gallery, queries, threshold=threshold, ring_bits=bits, radix=radix, protocol=protocol
    )
    found = played.outcomes["client"].observed
    assert np.array_equal(found["scores"], exact.astype(np.int64))
    assert np.array_equal(found["match"], exact >= threshold)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_decisions_next_to_the_threshold(play: Play, protocol: str, bits: int, offset: int) -> None:
    gallery = np.array([[100, 3], [100, 2], [100, 4], [-100, -3]])
    queries = np.array([[100, 1]])
    threshold = 100 * 100 + 3 + offset
    played = play(gallery, queries, threshold=threshold, ring_bits=bits, protocol=protocol)
    exact = (queries @ gallery.T) >= threshold
    assert np.array_equal(played.outcomes["client"].observed["match"], exact)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("row", "probe", "threshold"),
    [(127, 127, 16129), (127, -127, -16129), (-127, 127, 16129), (127, 127, -16129)],
)
def test_the_largest_scores_do_not_wrap(
    play: Play, protocol: str, row: int, probe: int, threshold: int
) -> None:
    played = play(np.array([[row]]), np.array([[probe]]), threshold=threshold, protocol=protocol)
    expected = row * probe >= threshold
    assert played.outcomes["client"].observed["match"].tolist() == [[expected]]


@pytest.mark.parametrize(("rows", "probes", "batch"), [(1, 1, 1), (7, 5, 2), (3, 2, 8), (65, 3, 3)])
@pytest.mark.parametrize(("bits", "radix"), [(16, 1), (16, 2), (32, 3), (16, 4)])
def test_the_journal_equals_the_declared_costs(
    play: Play, rows: int, probes: int, batch: int, bits: int, radix: int
) -> None:
    random = np.random.default_rng(rows)
    played = play(
        random.integers(-9, 9, (rows, 6)),
        random.integers(-9, 9, (probes, 6)),
        threshold=3,
        ring_bits=bits,
        radix=radix,
        batch=batch,
    )
    assert_costs_as_declared(played)


def test_every_frame_sent_is_the_frame_received(play: Play) -> None:
    played = play(np.eye(5) * 9, np.eye(5) * 9, threshold=40)
    twins = Counter(
        (e.session, e.kind, e.sender, e.receiver, e.sequence, e.digest, e.wire_bytes)
        for e in all_events(played.outcomes)
    )
    assert set(twins.values()) == {2}


def test_no_score_leaves_the_servers_unless_it_is_opened(play: Play) -> None:
    played = play(np.eye(3), np.eye(3), threshold=1, open_scores=False)
    assert "scores" not in played.outcomes["client"].observed
    assert not [e for e in all_events(played.outcomes) if e.kind == "ScoreShares"]


def test_schedules_and_masks_change_no_decision_and_no_byte(play: Play) -> None:
    gallery = np.arange(40).reshape(10, 4) % 7
    runs = [play(gallery, gallery[:6], threshold=20, seed=seed) for seed in range(4)]
    hashes = {audit_hash(all_events(played.outcomes)) for played in runs}
    matches = {played.outcomes["client"].observed["match"].tobytes() for played in runs}
    assert len(hashes) == len(matches) == 1
    digests = [
        {e.digest for e in all_events(played.outcomes) if e.form == "share"} for played in runs
    ]
    assert not digests[0] & digests[1]


def assert_costs_as_declared(played: Any) -> None:
    """Require that the journal holds exactly the declared messages, at both ends."""
    protocol = protocol_named(played.plan.protocol)
    width = played.plan.dimension
    declared = Counter(map(tuple, protocol.declared(played.plan, InputSize(width * 4, width))))
    for direction in ("sent", "received"):
        events = [event for event in all_events(played.outcomes) if event.event == direction]
        assert declared == Counter(
            (e.session, e.kind, e.sender, e.receiver, e.round, e.payload_bytes) for e in events
        )


def retarget(kind: str, change: Callable[[Frame], bytes]) -> Callable[[bytes], bytes]:
    """Return a tamper function that changes the first frame of one kind."""
    done: list[str] = []

    def tamper(wire: bytes) -> bytes:
        frame = decode_frame(wire)
        if type(frame.message).__name__ != kind or done:
            return wire
        done.append(kind)
        return change(frame)

    return tamper


SHAPED = ("MaskedProbes", "MaskedProducts", "MaskedScores", "MaskedBits", "QueryCorrections")


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        (protocol, kind)
        for protocol in PROTOCOLS
        for kind in (*SHAPED, "GalleryShares")
        if kind in {flow.kind for flow in protocol_named(protocol).policy.flows}
    ],
)
def test_arrays_of_another_shape_are_refused(play: Play, protocol: str, kind: str) -> None:
    def shrink(frame: Frame) -> bytes:
        name = frame.message.__struct_fields__[0]
        value = getattr(frame.message, name)
        tensor = value[0] if isinstance(value, tuple) else value
        smaller = type(tensor).of(tensor.array()[..., :-1].copy())
        changed = (smaller, *value[1:]) if isinstance(value, tuple) else smaller
        message = msgspec.structs.replace(frame.message, **{name: changed})
        return encode_frame(msgspec.structs.replace(frame, message=message))

    with pytest.raises(PeerMisbehaviourError, match="was agreed"):
        play(np.eye(4), np.eye(4), threshold=1, protocol=protocol, tamper=retarget(kind, shrink))


@pytest.mark.parametrize("cut", [0, 1, 50])
def test_truncated_frames_abort_the_run(play: Play, cut: int) -> None:
    tamper = retarget("MaskedProbes", lambda frame: encode_frame(frame)[:cut])
    with pytest.raises(BautaError):
        play(np.eye(4), np.eye(4), threshold=1, tamper=tamper)
