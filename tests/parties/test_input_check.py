"""Rows and probes out of bounds are found out inside the computation; honest ones pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_whole_search import all_events, assert_costs_as_declared

from protocol.errors import PeerMisbehaviourError
from protocol.plan import Step
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names

Play: TypeAlias = Callable[..., Any]
PROTOCOLS = tuple(
    name
    for name in protocol_names()
    if "RevealedBits" in {flow.kind for flow in policy_named(name).flows}
)
SCALES = {16: 127, 32: 16384}


def checked(play: Play, rows: Any, probes: Any, bits: int = 16, **options: Any) -> Any:
    """Run a search whose inputs are checked against the ring's usual scale."""
    return play(
        np.array(rows), np.array(probes), threshold=1, ring_bits=bits, scale=SCALES[bits],
        check_inputs=True, **options,
    )  # fmt: skip


@settings(max_examples=25)
@given(
    st.sampled_from(PROTOCOLS),
    st.sampled_from([16, 32]),
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_honest_inputs_pass_and_change_nothing(
    play: Play, protocol: str, bits: int, rows: int, width: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    top = int(SCALES[bits] / np.sqrt(width))
    gallery = random.integers(-top, top + 1, (rows, width))
    played = checked(play, gallery, gallery, bits, protocol=protocol)
    scores = played.outcomes["client"].observed["scores"]
    assert np.array_equal(scores, gallery @ gallery.T)
    assert_costs_as_declared(played)


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_longest_honest_vector_passes(play: Play, bits: int, sign: int) -> None:
    row = [[sign * SCALES[bits], 0, 0]]
    found = checked(play, row, row, bits).outcomes["client"].observed["match"]
    assert found.tolist() == [[True]]


BAD = [
    ([128, 0], 1, 1),
    ([-128, 0], 1, 1),
    ([90, 90], 0, 1),
    ([32767, 0], 1, 1),
    ([-32768, 1], 1, 1),
    # Wraps to norm 0 modulo 2^16, and far from it as integers.
    ([256, 0], 1, 1),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("vector", "entries", "norms"), BAD)
def test_a_client_that_shares_a_long_row_is_named(
    play: Play, protocol: str, vector: list[int], entries: int, norms: int
) -> None:
    with pytest.raises(PeerMisbehaviourError) as caught:
        checked(play, [[1, 2], vector], [[1, 1]], protocol=protocol)
    assert caught.value.where == "client"
    assert f"{entries} entries outside +-127, {norms} norms above 127 of 2" in str(caught.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scale", [2, 3, -2])
def test_a_provider_that_scales_its_probe_is_named(play: Play, protocol: str, scale: int) -> None:
    with pytest.raises(PeerMisbehaviourError, match="norms above 127") as caught:
        checked(play, [[80, 60]], [[80 * scale, 60 * scale]], protocol=protocol)
    assert caught.value.where == "model_provider"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_updated_rows_are_checked_too(play: Play, protocol: str) -> None:
    plan = (Step("enrol-0000", 1, "enrol"), Step("update-0000", 1, "update", (0,)))
    with pytest.raises(PeerMisbehaviourError, match="out of bounds"):
        checked(
            play, [[1, 2], [128, 0]], [[1, 1]], protocol=protocol,
            steps=(*plan, Step("search-0000", 1)),
        )  # fmt: skip


def test_the_verdict_of_honest_inputs_is_the_same_whatever_they_are(play: Play) -> None:
    runs = [checked(play, rows, [[3, 4]]) for rows in ([[1, 2]], [[90, -80]])]
    sizes = [
        [(e.kind, e.payload_bytes) for e in all_events(run.outcomes) if e.event == "sent"]
        for run in runs
    ]
    assert sorted(sizes[0]) == sorted(sizes[1])


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_without_the_check_scores_wrap_as_the_ring_says(play: Play, seed: int) -> None:
    random = np.random.default_rng(seed)
    gallery = random.integers(-(2**15), 2**15, (5, 3))
    queries = random.integers(-(2**15), 2**15, (2, 3))
    found = play(gallery, queries, threshold=0).outcomes["client"].observed
    wrapped = (queries @ gallery.T).astype(np.uint16).view(np.int16)
    assert np.array_equal(found["scores"], wrapped)
    assert np.array_equal(found["match"], wrapped >= 0)
