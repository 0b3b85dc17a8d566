"""Single checks on views made by hand."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from protocol.search.policies import policy_named, policy_names
from protocol.views import Expansion, Input, Seen, Trial, View
from reports.audit.canaries import Canary, canary_scan, find
from reports.audit.metadata import same_metadata
from reports.audit.rules import Rules
from reports.audit.single_use import single_use
from reports.audit.uniformity import uniformity
from reports.audit.verdicts import Worlds

RULES = Rules(policy_named("dealer"))


def masked(values: np.ndarray, session: str = "search-0000", event: str = "received") -> Seen:
    return Seen(
        event=event,  # type: ignore[arg-type]
        session=session,
        phase="online",
        round=1,
        sender="model_provider",
        receiver="gallery_holder",
        kind="MaskedProbes",
        arrays={"values": values},
        numbers={},
        payload_bytes=values.nbytes,
    )


def trial(*messages: Seen, run: str = "run", **changes: object) -> Trial:
    holder = View("gallery_holder", list(messages), [], [], [], {})
    facts: dict[str, object] = {
        "run": run, "views": {"gallery_holder": holder}, "secrets": {}, "batches": {},
        "enrolled": {}, "texts": {},
    }  # fmt: skip
    return Trial(**(facts | changes))  # type: ignore[arg-type]


def uniform(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**16, size, dtype=np.uint16)


def test_uniform_values_pass_and_small_ones_fail() -> None:
    assert uniformity([trial(masked(uniform(9000)))], "gallery_holder", RULES, 1e-6).passed
    small = uniform(9000) & np.uint16(0x7FFF)
    found = uniformity([trial(masked(small))], "gallery_holder", RULES, 1e-6)
    assert not found.passed
    assert "MaskedProbes.values" in found.detail


def test_a_mask_taken_off_by_the_secret_shows() -> None:
    probes = np.arange(8000, dtype=np.uint16).reshape(1000, 8)
    places: dict[str, Any] = {"secrets": {"probes": probes}, "batches": {"search-0000": (0, 1000)}}
    mask = uniform(8000).reshape(1000, 8)
    honest = trial(masked(probes - mask), **places)
    assert uniformity([honest], "gallery_holder", RULES, 1e-6).passed
    even = trial(masked(probes - (mask & np.uint16(0xFFFE))), **places)
    found = uniformity([even], "gallery_holder", RULES, 1e-6)
    assert "minus probes bit 0" in found.detail


@pytest.mark.parametrize("offset", range(9))
def test_patterns_are_found_at_every_alignment(offset: int) -> None:
    secret = os.urandom(16)
    data = np.frombuffer(bytes(offset) + secret + bytes(5), dtype=np.uint8)
    mark = Canary("row", "raw", secret, frozenset())
    other = Canary("other", "raw", os.urandom(16), frozenset())
    assert list(find([mark, other], data)) == [mark]


def test_secrets_in_texts_and_in_views_are_found() -> None:
    rows = uniform(32, seed=3).reshape(2, 16)
    secret = {"rows": rows}
    text = base64.b64encode(rows[1].tobytes())
    found = canary_scan([trial(secrets=secret, texts={"party.log": b"row: " + text})], RULES)
    assert "rows 1 as base64 in party.log" in found.detail
    shown = str([int(v) for v in rows[0].view(np.int16)]).encode()
    found = canary_scan([trial(secrets=secret, texts={"failed.json": shown})], RULES)
    assert "decimal" in found.detail
    found = canary_scan([trial(masked(rows[:1]), secrets=secret)], RULES)
    assert "rows 0 as raw uint16 in the view of gallery_holder" in found.detail
    assert canary_scan([trial(masked(uniform(64)), secrets=secret)], RULES).passed


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "float32", "float64"])
def test_rows_are_found_in_whatever_type_they_were_kept(kind: str) -> None:
    row = np.array([[0, 0, 0, 0, 0, 0, 5, -7, 19, 101, -3, 44, 8, 9, -100, 2]], dtype=np.int16)
    secret = {"rows": row.view(np.uint16)}
    kept = b"kept: " + row.astype(kind).tobytes() + b"."
    found = canary_scan([trial(secrets=secret, texts={"left/tmp": kept})], RULES)
    assert "rows 0 as raw" in found.detail
    assert canary_scan([trial(secrets=secret, texts={"left/tmp": bytes(4096)})], RULES).passed


def test_a_picture_with_a_black_edge_is_found() -> None:
    picture = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    picture[0, 20] = np.arange(96).reshape(32, 3)
    client = View("client", [], [], [], [Input("gallery", picture)], {})
    texts = {"spill": b"head" + picture.tobytes()}
    found = canary_scan([trial(views={"client": client}, texts=texts)], RULES)
    assert "gallery picture 0.0 as raw uint8 in spill" in found.detail


@pytest.mark.parametrize("shown", [str, repr, bytes.hex, list])
def test_a_seed_is_found_as_python_prints_it(shown: Callable[[bytes], object]) -> None:
    seed = bytes(range(7, 247, 15))
    drawn = np.frombuffer(seed + bytes(16), dtype=np.uint8)
    client = View("client", [], [drawn], [], [], {})
    texts = {"worker.out": f"seed {shown(seed)}".encode()}
    found = canary_scan([trial(views={"client": client}, texts=texts)], RULES)
    assert "draw 0 of client" in found.detail


def test_a_payload_that_comes_back_in_another_run_is_found() -> None:
    one = trial(masked(uniform(16), event="sent"), run="one")
    two = trial(masked(uniform(16), event="sent"), run="two")
    assert not single_use([one, two], RULES).passed
    three = trial(masked(uniform(16, seed=1), event="sent"), run="three")
    assert single_use([one, three], RULES).passed


def test_a_label_expanded_twice_is_found() -> None:
    twice = [Expansion("search-0000/probe-masks", "seed", uniform(16))] * 2
    view = View("gallery_holder", [], [], twice, [], {})
    found = single_use([trial()._replace(views={"gallery_holder": view})], RULES)
    assert "twice" in found.detail


def test_sizes_that_depend_on_secrets_are_found() -> None:
    one, two = trial(masked(uniform(16))), trial(masked(uniform(17)))
    alike = Worlds("worlds", [one, one], [one], frozenset())
    assert same_metadata([alike], "gallery_holder").passed
    unlike = Worlds("worlds", [one], [two], frozenset())
    assert "34 bytes" in same_metadata([unlike], "gallery_holder").detail


@pytest.mark.parametrize("name", policy_names())
def test_scores_are_the_clients_only_where_the_run_says_that_it_opens_them(name: str) -> None:
    policy = policy_named(name)
    for insecure, known in (((), False), (("open_scores",), True), (("trusted_dealer",), False)):
        rules = Rules(policy, insecure)
        assert rules.may_know(["client", "gallery_holder"], "scores") == known
        assert not rules.may_know(["gallery_holder"], "scores")


def test_small_numbers_in_wide_words_are_found() -> None:
    rows = np.random.default_rng(5).integers(-90, 90, (4, 16)).astype(np.int64).view(np.uint64)
    secret = {"rows": rows}
    for row in rows:
        found = canary_scan([trial(masked(row), secrets=secret)], RULES)
        assert "as raw uint64 in the view of gallery_holder" in found.detail
    text = base64.b64encode(rows[2].tobytes())
    found = canary_scan(
        [trial(secrets=secret, texts={"log": text, "hex": rows[1].tobytes().hex().encode()})], RULES
    )
    assert "rows 2 as base64 in log" in found.detail
    assert "rows 1 as hex in hex" in found.detail
