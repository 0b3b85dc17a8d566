"""A gallery that changes while it is searched: answers, identities and rates of each moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestration.evaluation import ABSENT_COSINE
from orchestration.job import run_job
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from reports import Summary, build
from reports.html.headline import tiles
from scenarios.schema import load_scenario

SMALL = (
    "data.entries=40", "data.mated=30", "data.unmated=18", "data.batch=4", "data.dimension=64",
    "life={every: 2, update: 6, delete: 5, enrol: 5, refresh: 9}",
)  # fmt: skip


def run(tmp_path: Path, *overrides: str) -> tuple[Summary, dict[str, Any]]:
    scenario = load_scenario("gallery-life", [*SMALL, "runtime=memory", *overrides])
    path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    with np.load(path / "observations.npz", allow_pickle=False) as file:
        return build(path), dict(file)


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_probe_is_mated_while_its_person_has_a_row(tmp_path: Path, protocol: str) -> None:
    shortcuts = ", ".join({*policy_named(protocol).shortcuts, "open_scores"})
    chosen = (f"search.protocol={protocol}", f"insecure=[{shortcuts}]")
    summary, seen = run(tmp_path, *chosen)
    assert summary.passed
    assert summary["run"]["entries"] == 40 + 5 * 5
    assert 0 < summary["run"]["mated"] < 30
    assert summary["run"]["changes"] == {"update": 30, "delete": 25, "enrol": 25, "refresh": 45}
    live, own = seen["live"], seen["probe_identity"][:, None] == seen["gallery_identity"]
    assert live[0].sum() == live[-1].sum() == 40
    assert not seen["secure_match"][~live].any()
    assert (own & live).any(axis=1).sum() == summary["run"]["mated"]
    assert (seen["secure_match"] == own).mean() > 0.999
    assert (seen["protected_scores"][~live] == ABSENT_COSINE).all()
    assert (seen["protected_scores"][live] >= -1.001).all()


def test_rates_count_only_rows_that_were_there(tmp_path: Path) -> None:
    summary, seen = run(tmp_path)
    rates = summary["accuracy"]["secure"]["tar_at_far"][0]
    assert rates["far"]["total"] + rates["tar"]["total"] == seen["live"].sum()
    (extent,) = [t for t in tiles(summary.content, {}) if t.name == "Enrolled entries"]
    assert extent.notes[-1].startswith("rows between searches: 30 updated, 25 deleted")
    page = (summary.path / "report.html").read_text()
    assert "30 updated, 25 deleted, 25 enrolled, 45 refreshed" in page


@pytest.mark.parametrize("output", ["any", "count", "identity"])
def test_other_outputs_answer_for_the_gallery_of_the_moment(tmp_path: Path, output: str) -> None:
    summary, _ = run(tmp_path, f"search.output={output}")
    assert summary.passed


def test_a_claim_is_verified_against_the_row_of_the_moment(tmp_path: Path) -> None:
    summary, seen = run(tmp_path, "search.task=verify", "insecure=[trusted_dealer]")
    assert summary.passed
    genuine = seen["gallery_identity"][seen["claimed_row"]] == seen["probe_identity"]
    assert (genuine == (seen["probe_identity"] >= 0)).all()
    assert (seen["secure_verified"] == genuine).mean() > 0.95


def test_synthetic_people_are_updated_from_other_pictures(tmp_path: Path) -> None:
    scenario = load_scenario(
        "embedded",
        [
            "runtime=memory", "data.entries=12", "data.mated=6", "data.unmated=6", "data.batch=3",
            "search.threshold=0.5", "life={every: 1, update: 3, delete: 2, enrol: 1}",
        ],
    )  # fmt: skip
    path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    summary = build(path, report=False)
    assert summary.passed
    with np.load(path / "observations.npz", allow_pickle=False) as seen:
        assert seen["baseline_scores"].shape == (12, 15)
