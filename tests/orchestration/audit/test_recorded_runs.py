"""A recorded run beside others, and one that was aborted: what their directories tell an audit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration import assembly
from orchestration.assembly import PartyBrief
from orchestration.capture import Recording, drawing
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.sharing.prg import RandomBytes, keyed_random_bytes
from reports.audit import Verdict, judge_run
from scenarios.schema import parse_scenario

SCENARIO = """
name: recorded
runtime: memory
data: {kind: templates, dimension: 32, entries: 12, mated: 8, unmated: 4, batch: 4}
network: {kind: identity}
search: {threshold: 0.5}
insecure: [trusted_dealer]
capture: payloads
"""


def ignore(_: Progress) -> None:
    pass


def recorded(folder: Path) -> Path:
    scenario = parse_scenario(SCENARIO)
    return run_job(scenario, data_root=None, out_root=folder, on_progress=ignore)


def single_use_of(path: Path) -> Verdict:
    return next(v for v in judge_run(path) if v.check == "single use")


def test_two_recorded_runs_use_nothing_twice(tmp_path: Path) -> None:
    alone = single_use_of(recorded(tmp_path))
    assert "nor like one of 0 other recorded runs" in alone.detail
    second = recorded(tmp_path)
    found = single_use_of(second)
    assert found.passed
    assert "nor like one of 1 other recorded runs" in found.detail
    shutil.copytree(second, second.with_name("copy"))
    broken = Path(shutil.copytree(second, second.with_name("broken")))
    (broken / "journal.jsonl").write_text("{")
    found = single_use_of(second)
    assert found.passed
    assert "nor like one of 1 other recorded runs beside it; 1 other runs cannot" in found.detail


def test_a_seed_that_an_earlier_run_used_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(told: PartyBrief, recording: Recording | None) -> RandomBytes:
        source = keyed_random_bytes(bytes(32), told.party)
        return source if recording is None else drawing(source, recording)

    monkeypatch.setattr(assembly, "_randomness", same)
    first, second = recorded(tmp_path), recorded(tmp_path)
    found = single_use_of(second)
    assert not found.passed
    assert f"another run, {first.name}" in found.detail
