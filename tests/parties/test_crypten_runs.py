"""Whole searches by CrypTen: long transfers, misbehaviour, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pytest
from test_whole_search import all_events, assert_costs_as_declared, retarget

from protocol.errors import BautaError, LocalProtocolError
from protocol.messages import encode_frame
from protocol.plan import Step

Play: TypeAlias = Callable[..., Any]
PROTOCOLS = ("crypten", "crypten_ttp")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("output", ["bitmap", "identity"])
def test_transfers_longer_than_a_frame_are_declared_too(
    play: Play, monkeypatch: pytest.MonkeyPatch, protocol: str, output: str
) -> None:
    monkeypatch.setattr("protocol.search.crypten.exchange.FRAME_BYTES", 64)
    gallery = np.arange(44).reshape(11, 4) % 7
    played = play(gallery, gallery[:2], threshold=20, protocol=protocol, output=output)
    operands = [e for e in all_events(played.outcomes) if e.kind == "CryptenOperands"]
    assert max(event.payload_bytes for event in operands) == 64
    assert_costs_as_declared(played)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_gallery_is_opened_under_masks_for_every_query(play: Play, protocol: str) -> None:
    played = play(np.eye(6, 3), np.ones((3, 3)), threshold=1, protocol=protocol, batch=1)
    sent = [
        event.payload_bytes
        for event in all_events(played.outcomes)
        if event.kind == "CryptenOperands" and event.event == "sent"
    ]
    assert sent == [8 * 3 * (6 + 1)] * 2 * 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_refreshed_rows_answer_as_before(play: Play, protocol: str) -> None:
    gallery = np.array([[5, -3], [-120, 7], [2, 2]])
    plan = (
        Step("enrol-0000", 3, "enrol"),
        Step("refresh-0000", 2, "refresh", (2, 0)),
        Step("search-0000", 1),
    )
    played = play(gallery, np.array([[-9, 4]]), threshold=0, steps=plan, protocol=protocol)
    assert played.outcomes["client"].observed["scores"].tolist() == [[-57, 1108, -10]]
    said = [e.kind for e in all_events(played.outcomes) if e.session == "refresh-0000"]
    assert said == ["SeedGrant"] * 2


@pytest.mark.parametrize("kind", ["CryptenSeed", "CryptenAnswer", "CryptenOperands"])
def test_truncated_frames_abort_the_run(play: Play, kind: str) -> None:
    tamper = retarget(kind, lambda frame: encode_frame(frame)[:40])
    with pytest.raises(BautaError):
        play(np.eye(4), np.eye(4), threshold=1, tamper=tamper, protocol="crypten_ttp")


def test_what_crypten_cannot_do_is_refused_by_its_parties_too(play: Play) -> None:
    for asked in ({"top_k": 2, "output": "identity"}, {"check_inputs": True, "scale": 9}):
        with pytest.raises(LocalProtocolError, match="CrypTen names one row"):
            play(np.eye(4), np.eye(4), threshold=1, protocol="crypten", **asked)
