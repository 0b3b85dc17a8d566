"""From pictures to decisions with the networks and faces this package carries."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from orchestration.benchmarks.parts import measure_parts
from orchestration.job import run_job
from protocol.errors import ScenarioError
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from reports import build
from scenarios.schema import load_scenario

SMALL = (
    "runtime=memory",
    "data.entries=12",
    "data.mated=6",
    "data.unmated=6",
    "data.batch=4",
    "search.threshold=0.5",
)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("mapping={kind: polyprotect, cohort: 16}", "search.ring_bits=32"),
        ("mapping={kind: folded, blocks: 4, cohort: 48}",),
    ],
    ids=["unmapped", "mapped", "folded"],
)
def test_pictures_become_decisions(options: tuple[str, ...], tmp_path: Path) -> None:
    scenario = load_scenario("embedded", (*SMALL, *options))
    path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    record = msgspec.json.decode((path / "run.json").read_bytes())
    with np.load(path / "observations.npz", allow_pickle=False) as seen:
        assert np.array_equal(seen["secure_match"], seen["oracle_match"])
        assert np.array_equal(seen["secure_scores"], seen["oracle_scores"])
        own = seen["probe_identity"][:, None] == seen["gallery_identity"]
        scores = seen["secure_scores"]
        assert scores[own].mean() > scores[~own].mean()
        assert seen["baseline_scores"].shape == (12, 12)
    assert all(row["equal"] for row in record["costs"])
    assert record["protection"]["synthetic_data"]
    uploads = [row for row in record["costs"] if row["kind"] == "ProtectedFeatures"]
    assert sum(row["measured_bytes"] for row in uploads) == 24 * (63 + 8) * 112 * 112


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize("norm", ["per_key", "quadratic"])
def test_keyed_rows_are_searched_in_every_protocol(
    protocol: str, norm: str, tmp_path: Path
) -> None:
    mapping = f"mapping={{kind: polyprotect, cohort: 16, norm: {norm}}}"
    insecure = f"insecure=[{', '.join(policy_named(protocol).shortcuts)}]"
    options = (*SMALL, mapping, f"search.protocol={protocol}", "search.ring_bits=32", insecure)
    scenario = load_scenario("embedded", options)
    path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    summary = build(path, report=False)
    assert summary.passed
    assert summary["run"]["dimension"] == scenario.row_length
    assert (scenario.row_length == 5 * 128) == (norm == "per_key")


def test_the_carried_network_recognises_more_by_frequency_than_by_colour() -> None:
    found = measure_parts(load_scenario("embedded", SMALL), None, 8, lambda _: None)
    assert found.intact > 0.8
    assert found.frequency_swapped < found.intact - 0.5
    assert found.intact - found.frequency_swapped > 1.5 * (found.intact - found.colour_swapped)


def test_templates_have_no_parts() -> None:
    with pytest.raises(ScenarioError, match="no pictures"):
        measure_parts(load_scenario("templates-100k"), None, 8, lambda _: None)
