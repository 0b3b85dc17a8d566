"""The main job on both runtimes: the same decisions, events and bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from orchestration.job import run_job
from orchestration.runs import JOURNAL, OBSERVATIONS, RECORD
from protocol.search.policies import policy_named
from scenarios.schema import load_scenario

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

SMALL = (
    "data.entries=150", "data.mated=10", "data.unmated=11", "data.batch=8", "data.dimension=32",
    "insecure=[trusted_dealer, open_scores, test_randomness]",
)  # fmt: skip
CLOCKS = ("at_s", "compute_s", "run", "digest")


def run(tmp_path: Path, runtime: str, *overrides: str) -> Path:
    scenario = load_scenario("templates-100k", [*SMALL, *overrides, f"runtime={runtime}"])
    return run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)


def journal(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / JOURNAL).read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
    return [{name: event[name] for name in event if name not in CLOCKS} for event in events]


def observations(directory: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(directory / OBSERVATIONS, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.mark.parametrize("ring_bits", [16, 32])
def test_the_job_gives_the_same_run_on_ray_and_in_memory(tmp_path: Path, ring_bits: int) -> None:
    ring = f"search.ring_bits={ring_bits}"
    assert_same_run(tmp_path, ring)


@pytest.mark.parametrize("protocol", ["crypten", "crypten_ttp"])
def test_crypten_gives_the_same_run_on_ray_and_in_memory(tmp_path: Path, protocol: str) -> None:
    shortcuts = {*policy_named(protocol).shortcuts, "open_scores", "test_randomness"}
    insecure = f"insecure=[{', '.join(sorted(shortcuts))}]"
    assert_same_run(tmp_path, f"search.protocol={protocol}", insecure)


def assert_same_run(tmp_path: Path, *overrides: str) -> None:
    ray, memory = (run(tmp_path, runtime, *overrides) for runtime in ("ray", "memory"))
    assert journal(ray) == journal(memory)
    seen, expected = observations(ray), observations(memory)
    assert seen.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(seen[name], array, err_msg=name)
    np.testing.assert_array_equal(seen["secure_match"], seen["oracle_match"])
    assert seen["secure_match"].any()
    assert_declared_costs(ray)


def test_a_changing_gallery_is_the_same_on_ray_and_in_memory(tmp_path: Path) -> None:
    life = "life={every: 1, update: 9, delete: 7, enrol: 5, refresh: 20}"
    ray, memory = (run(tmp_path, runtime, life) for runtime in ("ray", "memory"))
    assert journal(ray) == journal(memory)
    seen, expected = observations(ray), observations(memory)
    for name, array in expected.items():
        np.testing.assert_array_equal(seen[name], array, err_msg=name)
    assert not seen["live"].all()
    assert_declared_costs(ray)


def test_the_replicated_protocol_runs_end_to_end_on_ray(tmp_path: Path) -> None:
    overrides = (
        "search.protocol=replicated", "search.output=identity", "search.check_inputs=true",
        "insecure=[]",
    )  # fmt: skip
    ray = run(tmp_path, "ray", *overrides)
    seen = observations(ray)
    np.testing.assert_array_equal(seen["secure_identity"], seen["oracle_identity"])
    assert (seen["secure_identity"] >= 0).any()
    assert_declared_costs(ray)
    parties = {event["party"] for event in journal(ray)}
    assert parties == {"client", "model_provider", "gallery_holder", "auxiliary_server"}


def assert_declared_costs(directory: Path) -> None:
    record = msgspec.json.decode((directory / RECORD).read_bytes(), type=dict[str, Any])
    assert record["runtime"] == "ray"
    assert record["costs"]
    assert all(row["equal"] for row in record["costs"])
    assert len(record["probe_latency_s"]) == 3
    peaks = record["peak_rss_bytes"]
    assert set(peaks) == {event["party"] for event in journal(directory)}
    assert all(20 << 20 < peak < 4 << 30 for peak in peaks.values())
