from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import toy_parties
from hypothesis import given
from hypothesis import strategies as st

from orchestration.journal import Event, event_for
from orchestration.runtime.memory import run_in_memory
from protocol.channel import At, Endpoint
from protocol.messages import MaterialRequest, Message, QueryCorrections, SeedGrant
from protocol.parties import Party, Phase
from protocol.search.policies import policy_named
from protocol.tensors import Tensor

DEALER = policy_named("dealer")
KEY = bytes(32)


def event(
    message: Message, receiver: Party, sender: Party = "dealer", key: bytes = KEY, run: str = "r"
) -> Event:
    phase: Phase = "setup" if isinstance(message, SeedGrant) else "offline"
    out = Endpoint(sender, run, frozenset(), DEALER).outbound(receiver, message, At("s", phase))
    return event_for(
        "sent",
        out.frame,
        out.flow,
        wire_bytes=len(out.wire),
        lamport=0,
        at_s=0,
        compute_s=0,
        digest_key=key,
    )


def corrections(*parts: Any) -> QueryCorrections:
    return QueryCorrections(parts=tuple(Tensor.of(part) for part in parts))


def digest(message: Message, key: bytes = KEY) -> str:
    return event(message, "gallery_holder", key=key).digest


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_changed_bit_changes_the_digest(content: bytes, data: st.DataObject) -> None:
    array = np.frombuffer(content, dtype=np.uint8)
    changed = array.copy()
    changed[data.draw(st.integers(0, len(array) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert digest(corrections(array)) == digest(corrections(array.copy()))
    assert digest(corrections(array)) != digest(corrections(changed))


def test_every_tensor_of_a_message_counts() -> None:
    first, second = np.arange(40, dtype=np.uint16), np.arange(7, dtype=np.uint64)
    found = {
        digest(corrections(first, second)),
        digest(corrections(first + 1, second)),
        digest(corrections(first, second + 1)),
        digest(corrections(second, first)),
    }
    assert len(found) == 4


def test_numbers_of_a_message_count() -> None:
    requests = [MaterialRequest(searches=1, probes=probes, rows=5) for probes in (1, 2)]
    one, two = (event(r, "dealer", "model_provider").digest for r in requests)
    assert one != two


def test_the_same_content_differs_between_keys_and_not_by_the_name_of_the_run() -> None:
    array = np.arange(40, dtype=np.uint16)
    assert digest(corrections(array)) != digest(corrections(array), bytes(range(32)))
    one, two = (event(corrections(array), "gallery_holder", run=run) for run in ("one", "two"))
    assert one.digest == two.digest


def test_two_runs_of_one_name_have_nothing_in_common() -> None:
    """A content of few possible ones cannot be found by trying them all: the key is gone."""
    runs = [
        run_in_memory(toy_parties.programs(), run="toy", insecure=frozenset(), seed=1)
        for _ in range(2)
    ]
    found = [
        {event.digest for outcome in outcomes.values() for event in outcome.events}
        for outcomes in runs
    ]
    assert found[0]
    assert not found[0] & found[1]


def test_both_ends_of_a_run_journal_the_same_digest() -> None:
    outcomes = run_in_memory(toy_parties.programs(), run="toy", insecure=frozenset(), seed=1)
    events = [event for outcome in outcomes.values() for event in outcome.events]
    ends = {
        way: sorted((e.sender, e.receiver, e.sequence, e.digest) for e in events if e.event == way)
        for way in ("sent", "received")
    }
    assert ends["sent"] == ends["received"]


@pytest.mark.parametrize("size", [16, 32])
def test_digests_are_not_linear_in_what_they_hide(size: int) -> None:
    # GMAC tags are: T(a) ^ T(b) ^ T(c) = T(a ^ b ^ c), so a short content could be solved for.
    random = np.random.default_rng(5)
    a, b, c = random.integers(0, 256, (3, size), dtype=np.uint8)
    found = [int(digest(corrections(x)), 16) for x in (a, b, c, a ^ b ^ c)]
    assert found[0] ^ found[1] ^ found[2] != found[3]
