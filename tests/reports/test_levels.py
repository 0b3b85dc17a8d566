"""What a report says at each level of the answer: rates, headline, and what it gives away."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from editable_run import EditableRun
from rich.console import Console

from orchestration.job import run_job
from protocol.errors import DataError
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from reports import Summary, build
from reports.answers import Answer, answer_bits
from reports.console import render
from reports.html.headline import tiles
from reports.operating import claim_rates, detections, verifications
from reports.records import read_run
from reports.tables import run_tables
from scenarios.schema import load_scenario, parse_scenario

Build: TypeAlias = Callable[..., Summary]

SCENARIO = """
name: tiny
runtime: memory
data: {kind: templates, entries: 12, mated: 14, unmated: 9, dimension: 16, noise: 0.7, batch: 8}
network: {kind: identity}
search: {threshold: 0.6}
insecure: [trusted_dealer, open_scores]
"""
LEVELS = {
    "any": "search.output=any",
    "count": "search.output=count",
    "identity": "search={threshold: 0.6, output: identity, top_k: 3}",
    "verified": "search.task=verify",
}
TILES = {
    "any": "Detected at the threshold",
    "count": "Detected at the threshold",
    "identity": "Named at the threshold",
    "verified": "TAR at the threshold",
}


@pytest.fixture
def built(tmp_path: Path) -> Build:
    """Run a tiny scenario with overrides and build its report."""

    def make(*overrides: str) -> Summary:
        scenario = parse_scenario(SCENARIO, overrides)
        return build(
            run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
        )

    return make


def text_of(summary: Summary) -> str:
    assert summary.report is not None
    page = re.sub(r"<style.*?</style>", " ", summary.report.read_text(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split()).replace("&#39;", "'")


def printed(summary: Summary) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render(summary))
    return capture.get()


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("opened", [(), ("open_scores",)])
def test_every_level_passes_and_says_what_it_gives(
    built: Build, level: str, protocol: str, opened: tuple[str, ...]
) -> None:
    policy = policy_named(protocol)
    insecure = f"insecure=[{', '.join((*policy.shortcuts, *opened))}]"
    named = (f"search.top_k={policy.top_k}",) if policy.top_k and level == "identity" else ()
    summary = built(LEVELS[level], f"search.protocol={protocol}", insecure, *named)
    assert summary.passed
    assert summary["run"]["answer"] == level
    assert summary["accuracy"]["secure"] | {"label": ""} == (
        summary["accuracy"]["quantised"] | {"label": ""}
    )
    tile = tiles(summary.content, {})[0]
    assert tile.name == TILES[level]
    assert re.fullmatch(r"\d+(\.\d+)?\s%", tile.value)
    text = text_of(summary)
    assert ("which rows match its probes" in text) is False
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", text)
    assert "bits per probe" in printed(summary)


@pytest.mark.parametrize(
    ("level", "learned", "bits"),
    [
        ("any", "whether some row matches a probe", 1),
        ("count", "how many rows match a probe", math.log2(13)),
        ("identity", "the numbers of the best matching rows", math.log2(1 + 12 + 132 + 1320)),
        ("verified", "whether the row a probe claims matches", 1),
    ],
)
def test_what_the_client_learns_follows_the_level(
    built: Build, level: str, learned: str, bits: float
) -> None:
    summary = built(LEVELS[level], "insecure=[trusted_dealer]")
    assert summary["run"]["answer_bits_per_probe"] == pytest.approx(bits, abs=0.01)
    text = text_of(summary)
    assert learned in text
    assert "every score: how well" not in text
    others = {"whether some row", "how many rows match a", "the numbers of", "whether the row a"}
    for other in others - {phrase for phrase in others if learned.startswith(phrase)}:
        assert other not in text


@pytest.mark.parametrize("level", ["match", *LEVELS])
def test_opened_scores_are_part_of_what_the_client_learns(built: Build, level: str) -> None:
    """Exact scores lie in [-127^2, 127^2], one for each row or for the claimed one."""
    summary = built(*([LEVELS[level]] if level in LEVELS else []))
    compared = 1 if level == "verified" else 12
    most = compared * math.log2(2 * 127**2 + 1)
    assert summary["run"]["answer_bits_per_probe"] == pytest.approx(most, abs=0.01)
    text, line = text_of(summary), printed(summary)
    assert "every score: how well each row it asked about matches" in text
    rows = "the claimed row" if level == "verified" else "every row"
    for shown in (text, line):
        assert f"and the exact score of {rows}" in shown
        assert "not how well" not in shown
        assert "not which" not in shown


def test_a_bitmap_tells_one_bit_per_row(built: Build) -> None:
    summary = built("insecure=[trusted_dealer]")
    assert summary["run"]["answer_bits_per_probe"] == 12
    assert "bitmap: for every row whether it matches; 12 bits per probe" in text_of(summary)


def test_detections_by_hand() -> None:
    seen = {
        "probe_identity": np.array([0, 1, 2, -1, -1]),
        "gallery_identity": np.array([0, 1, 1, 2]),
        "secure_any": np.array([True, False, True, True, False]),
        "secure_count": np.array([1, 0, 2, 1, 0]),
    }
    counted = detections(seen, "secure")
    assert counted is not None
    assert counted.exact is not None
    assert (counted.detected.count, counted.detected.total) == (2, 3)
    assert (counted.fpir.count, counted.fpir.total) == (1, 2)
    assert (counted.exact.count, counted.exact.total) == (2, 5)
    del seen["secure_count"]
    found = detections(seen, "secure")
    assert found is not None
    assert (found.detected, found.fpir, found.exact) == (counted.detected, counted.fpir, None)


def test_verifications_by_hand() -> None:
    seen = {
        "probe_identity": np.array([0, 0, 1, -1, 1]),
        "gallery_identity": np.array([0, 1]),
        "claimed_row": np.array([0, 0, 1, 1, 0]),
        "secure_verified": np.array([True, False, True, True, False]),
    }
    rates = verifications(seen, "secure")
    assert rates is not None
    assert (rates.tar.count, rates.tar.total) == (2, 3)
    assert (rates.far.count, rates.far.total) == (1, 2)
    assert (rates.tar_per_person.people, rates.tar_per_person.value) == (2, 0.75)
    scores = np.array([9, 3, 7, 5, 1])
    strict, loose = (claim_rates(seen, scores, far) for far in (0.0, 0.5))
    assert strict is not None
    assert loose is not None
    assert (strict.threshold, strict.tar.count) == (5.0, 2)
    assert (loose.threshold, loose.tar.count, loose.far.count) == (1.0, 3, 1)


def test_a_verification_compares_claims_only(built: Build) -> None:
    summary = built(LEVELS["verified"])
    rates = summary["accuracy"]["secure"]
    assert rates["rank_1"] is None
    assert rates["verification"]["tar"]["total"] == 14
    assert rates["verification"]["far"]["total"] == 9
    assert rates["tar_at_far"][0]["tar"]["total"] == 14
    assert "14 genuine and 9 impostors' claims" in text_of(summary)
    seen = read_run(summary.path).observations
    assert seen["secure_scores"].shape == (23,)


def test_named_rows_are_rated_like_the_oracles(built: Build) -> None:
    summary = built(LEVELS["identity"])
    seen = read_run(summary.path).observations
    own = seen["gallery_identity"][seen["secure_identity"]] == seen["probe_identity"][:, None]
    own &= seen["secure_identity"] >= 0
    rates = summary["accuracy"]["secure"]["operating"]
    assert rates["tpir"]["count"] == own.any(axis=1).sum()
    unmated = seen["probe_identity"] < 0
    named = (seen["secure_identity"][unmated] >= 0).any(axis=1)
    assert rates["fpir"]["count"] == named.sum()


def test_the_oracles_side_is_judged_at_the_same_level(built: Build) -> None:
    summary = built("search.output=identity", "data.noise=2.5", "search.threshold=0.2")
    rates = summary["accuracy"]["quantised"]["operating"]
    everything = read_run(summary.path).observations["oracle_match"]
    assert everything.sum() > rates["tpir"]["count"] + rates["fpir"]["count"]
    assert rates == summary["accuracy"]["secure"]["operating"]


@pytest.mark.parametrize("level", LEVELS)
def test_the_table_of_decisions_holds_the_answer(built: Build, level: str) -> None:
    frame = run_tables(read_run(built(LEVELS[level]).path))["decisions"]
    assert len(frame) == 23
    assert frame["equals_oracle"].all()
    assert (level in frame.columns) == (level != "identity")
    assert ("claimed_row" in frame.columns) == (level == "verified")


@pytest.mark.parametrize("level", ["count", "identity", "verified"])
def test_one_wrong_answer_fails_the_run(built: Build, level: str) -> None:
    source = EditableRun(built(LEVELS[level]).path)
    arrays = source.observations()
    answer = arrays[f"secure_{level}"]
    answer.flat[3] = not answer.flat[3] if level == "verified" else (answer.flat[3] + 1) % 12
    source.write_observations(arrays)
    failed = [check["name"] for check in build(source.path)["checks"] if not check["passed"]]
    assert failed == ["oracle_equal"]


@pytest.mark.parametrize("name", ["claimed_row", "secure_verified", "secure_scores"])
def test_arrays_of_another_shape_are_refused(built: Build, name: str) -> None:
    source = EditableRun(built(LEVELS["verified"]).path)
    arrays = source.observations()
    source.write_observations({**arrays, name: arrays[name][:-1]})
    with pytest.raises(DataError, match=name):
        read_run(source.path)


def test_rows_that_do_not_exist_are_refused(built: Build) -> None:
    source = EditableRun(built(LEVELS["identity"]).path)
    arrays = source.observations()
    arrays["secure_identity"][0, 0] = 12
    source.write_observations(arrays)
    with pytest.raises(DataError, match="do not exist"):
        read_run(source.path)


def test_bits_of_an_answer_are_counted() -> None:
    empty = np.zeros((0, 2), np.int64)
    assert answer_bits(Answer("identity", empty, empty), 3) == math.log2(1 + 3 + 6)
    assert answer_bits(Answer("count", empty[:, 0], empty[:, 0]), 7) == 3.0


@pytest.mark.parametrize("level", LEVELS)
def test_pictures_are_answered_at_every_level(tmp_path: Path, level: str) -> None:
    small: list[Any] = [
        "runtime=memory", "data.entries=8", "data.mated=5", "data.unmated=4", LEVELS[level],
        "search.threshold=0.5",
    ]  # fmt: skip
    scenario = load_scenario("embedded", small)
    path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    summary = build(path)
    assert summary.passed
    baseline = summary["accuracy"]["baseline"]
    assert (baseline["rank_1"] is None) == (level == "verified")
    assert baseline["tar_at_far"]
