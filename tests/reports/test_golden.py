"""Today's flows, costs and openings against the golden runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.search.policies import policy_named, policy_names
from reports.diff import compare, opened_run
from reports.protocols import protocol_of
from reports.records import Event, read_events
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
    (golden / "scenario.yaml").write_text(scenario_of(run_dir))


def scenario_of(run_dir: Path) -> str:
    """Return what a comparison needs of a run's scenario: the protocol, which has the policy."""
    return f"search: {{protocol: {protocol_of(run_dir)}}}\n"


@pytest.mark.parametrize("protocol", policy_names())
@pytest.mark.parametrize("output", ["bitmap", "any", "count", "identity"])
def test_nothing_changed_against_the_golden_run(tmp_path: Path, protocol: str, output: str) -> None:
    run_dir, golden = play(tmp_path, protocol, output), GOLDEN / f"{protocol}-{output}"
    if os.environ.get("BAUTA_GOLDEN") == "write":
        keep(run_dir, golden)
    assert compare(opened_run(golden), opened_run(run_dir)) == []
    result = CliRunner().invoke(main, ["diff", str(golden), str(run_dir), "--gate"])
    assert (result.exit_code, result.output) == (0, "no difference\n")


def bent(golden: Path, folder: Path, change: Callable[[list[Event]], list[Event]]) -> Path:
    """Return a copy of a golden run whose journal was changed."""
    folder.mkdir()
    shutil.copy(golden / "scenario.yaml", folder)
    lines = (msgspec.json.encode(event) + b"\n" for event in change(read_events(golden)))
    (folder / "journal.jsonl").write_bytes(b"".join(lines))
    return folder


def gate(before: Path, after: Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["diff", str(before), str(after), "--gate"])
    return result.exit_code, result.output


@pytest.mark.parametrize("protocol", policy_names())
def test_the_gate_stops_a_new_flow_a_new_opening_and_a_higher_cost(
    tmp_path: Path, protocol: str
) -> None:
    golden, policy = GOLDEN / f"{protocol}-bitmap", policy_named(protocol)
    opened = next(o for o in policy.openings if any(e.kind in o.kinds for e in read_events(golden)))

    def with_last(events: list[Event], **facts: object) -> list[Event]:
        return [*events[:-1], msgspec.structs.replace(events[-1], **facts)]

    flow = bent(golden, tmp_path / "flow", lambda es: [*es, *with_last(es[-1:], kind="Extra")])
    code, text = gate(golden, flow)
    assert code == 1
    assert "! flow: Extra from" in text
    before = bent(
        golden, tmp_path / "before", lambda es: [e for e in es if e.kind not in opened.kinds]
    )
    code, text = gate(before, golden)
    assert code == 1
    assert f"! opening: {opened.value}: not opened -> to " in text
    dear = bent(golden, tmp_path / "dear", lambda es: with_last(es, payload_bytes=10**6))
    code, text = gate(golden, dear)
    assert code == 1
    assert "! bytes: " in text
    code, text = gate(dear, golden)
    assert (code, text.startswith("  bytes: ")) == (0, True)
