"""Every output level of every protocol equals exact integers and costs what it declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_whole_search import assert_costs_as_declared

from protocol.plan import Step
from protocol.search import plaintext
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names

Play: TypeAlias = Callable[..., Any]
PROTOCOLS = protocol_names()


def allowed(protocol: str, k: int) -> int:
    """Return k, or as many rows as the protocol can name."""
    most = policy_named(protocol).top_k
    return k if most is None else min(k, most)


def drawn(seed: int, rows: int, probes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return a gallery, probes, exact scores and a threshold that is one of the scores."""
    random = np.random.default_rng(seed)
    gallery = random.integers(-20, 21, (rows, 5))
    queries = random.integers(-20, 21, (probes, 5))
    queries[0] = gallery[-1]
    exact = queries @ gallery.T
    return gallery, queries, exact, int(np.quantile(exact, 0.8, method="nearest"))


@settings(max_examples=12)
@given(
    st.sampled_from(PROTOCOLS),
    st.sampled_from([16, 32]),
    st.integers(1, 70),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_any_and_count_are_exact(
    play: Play, protocol: str, bits: int, rows: int, probes: int, seed: int
) -> None:
    gallery, queries, exact, threshold = drawn(seed, rows, probes)
    terms = {"threshold": threshold, "ring_bits": bits, "protocol": protocol}
    wanted = (exact >= threshold).sum(axis=1)
    counted = play(gallery, queries, output="count", **terms)
    assert np.array_equal(counted.outcomes["client"].observed["count"], wanted)
    found = play(gallery, queries, output="any", open_scores=False, **terms)
    assert np.array_equal(found.outcomes["client"].observed["any"], wanted > 0)


@settings(max_examples=25)
@given(
    st.sampled_from(PROTOCOLS),
    st.sampled_from([16, 32]),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_the_best_rows_are_named(
    play: Play, protocol: str, bits: int, rows: int, probes: int, k: int, seed: int
) -> None:
    k = allowed(protocol, k)
    gallery, queries, exact, threshold = drawn(seed, rows, probes)
    played = play(
        gallery, queries, threshold=threshold, ring_bits=bits, protocol=protocol,
        output="identity", top_k=k,
    )  # fmt: skip
    found = played.outcomes["client"].observed["identity"]
    wanted = plaintext.best(exact, threshold, k)
    settled = plaintext.settle_ties(found, wanted, exact)
    assert np.array_equal(found, settled)
    for probe, named in enumerate(found):
        rows_named = named[named >= 0]
        assert len(set(rows_named)) == len(rows_named) == min(k, (exact[probe] >= threshold).sum())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("output", ["any", "count", "identity", "bitmap"])
@pytest.mark.parametrize(("rows", "probes", "k"), [(1, 1, 1), (7, 5, 3), (65, 3, 1)])
def test_every_output_costs_what_it_declares(
    play: Play, protocol: str, output: str, rows: int, probes: int, k: int
) -> None:
    gallery, queries, _, threshold = drawn(rows, rows, probes)
    k = allowed(protocol, k)
    terms = {"output": output, "top_k": k if output == "identity" else 1, "pool": 3}
    assert_costs_as_declared(
        play(gallery, queries, threshold=threshold, protocol=protocol, low_water=2, **terms)
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bits", [16, 32])
def test_a_verification_compares_with_the_claimed_row_only(
    play: Play, protocol: str, bits: int
) -> None:
    gallery, queries, exact, threshold = drawn(3, 9, 6)
    claims = (8, 0, 1, 8, 3, 7)
    played = play(
        gallery, queries, threshold=threshold, ring_bits=bits, protocol=protocol,
        task="verify", claims=claims, open_scores=False,
    )  # fmt: skip
    found = played.outcomes["client"].observed["verified"]
    assert np.array_equal(found, exact[np.arange(6), claims] >= threshold)
    assert_costs_as_declared(played)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("output", ["bitmap", "identity", "count"])
def test_the_gallery_changes_while_queries_run(play: Play, protocol: str, output: str) -> None:
    gallery, queries, _, threshold = drawn(5, 12, 8)
    plan = (
        Step("enrol-0000", 7, "enrol"),
        Step("search-0000", 2),
        Step("update-0000", 2, "update", (6, 1)),
        Step("delete-0000", 2, "delete", (0, 6)),
        Step("search-0001", 2),
        Step("refresh-0000", 3, "refresh", (1, 5, 2)),
        Step("enrol-0001", 3, "enrol"),
        Step("search-0002", 2),
        Step("search-0003", 2),
    )
    played = play(
        gallery, queries, threshold=threshold, steps=plan, protocol=protocol, output=output,
        open_scores=False,
    )  # fmt: skip
    from orchestration.evaluation import oracle_answers, oracle_scores

    scores = oracle_scores(played.plan, gallery.astype(np.int32), queries.astype(np.int32))
    wanted = oracle_answers(played.plan, scores)
    level = "match" if output == "bitmap" else output
    found = played.outcomes["client"].observed[level]
    expected = wanted[f"oracle_{level}"]
    if level == "identity":
        expected = plaintext.settle_ties(found, expected, scores)
    assert np.array_equal(found, expected)
    assert (scores[2:4, [0, 6]] < threshold).all()
    assert_costs_as_declared(played)
