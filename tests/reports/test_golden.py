"""Today's flows, costs and openings against the golden runs."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.search.policies import policy_named, policy_names
from reports.diff import compare, opened_run
from reports.records import read_events
from scenarios.schema import parse_scenario

GOLDEN = Path(__file__).parent.parent / "golden"
SCENARIO = """
name: golden
runtime: memory
data: {kind: templates, dimension: 16, entries: 5, mated: 2, unmated: 2, batch: 2, enrol_batch: 3}
network: {kind: identity}
search: {threshold: 0.5}
report: false
"""


def ignore(_: Progress) -> None:
    pass


def play(folder: Path, protocol: str, output: str) -> Path:
    chosen = [f"search.output={output}", f"search.protocol={protocol}"]
    shortcuts = ", ".join([*policy_named(protocol).shortcuts, "test_randomness"])
    scenario = parse_scenario(SCENARIO, [*chosen, f"insecure=[{shortcuts}]"])
    return run_job(scenario, data_root=None, out_root=folder, on_progress=ignore)


def keep(run_dir: Path, golden: Path) -> None:
    """Write a golden journal: senders only, without clocks."""
    golden.mkdir(parents=True, exist_ok=True)
    events = [event for event in read_events(run_dir) if event.event == "sent"]
    still = [msgspec.structs.replace(e, at_s=0.0, compute_s=0.0, digest="") for e in events]
    lines = (msgspec.json.encode(event) + b"\n" for event in still)
    (golden / "journal.jsonl").write_bytes(b"".join(lines))


@pytest.mark.parametrize("protocol", policy_names())
@pytest.mark.parametrize("output", ["bitmap", "any", "count", "identity"])
def test_nothing_changed_against_the_golden_run(tmp_path: Path, protocol: str, output: str) -> None:
    run_dir, golden = play(tmp_path, protocol, output), GOLDEN / f"{protocol}-{output}"
    if os.environ.get("BAUTA_GOLDEN") == "write":
        keep(run_dir, golden)
    before = opened_run(golden)._replace(policy=policy_named(protocol))
    assert compare(before, opened_run(run_dir)) == []
