"""A recorded run beside others, and one that was aborted: what their directories tell an audit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration import assembly, job
from orchestration.assembly import PartyBrief
from orchestration.capture import Recording, drawing
from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.errors import PolicyViolationError
from protocol.sharing.prg import RandomBytes, keyed_random_bytes
from reports.audit import Verdict, judge_run
from reports.views import open_views
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


def test_an_aborted_run_is_judged_by_what_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_refuse_unaffordable", lambda *_: None)
    with pytest.raises(PolicyViolationError):
        run_job(
            parse_scenario(SCENARIO, ["budget=5"]),
            data_root=None,
            out_root=tmp_path,
            on_progress=ignore,
        )
    (failed,) = tmp_path.rglob("failed.json")
    result = CliRunner().invoke(main, ["audit", str(failed.parent)])
    assert result.exit_code == 0, result.output
    assert "until it was aborted, all in the policy" in result.output
    seed = open_views(failed.parent).party("dealer").draws[0].tobytes()
    failed.write_text(failed.read_text().replace("budget", f"budget {seed.hex()}", 1))
    result = CliRunner().invoke(main, ["audit", str(failed.parent)])
    assert result.exit_code == 1
    assert "draw 0 of dealer as hex in failed.json" in result.output


def test_an_aborted_run_without_views_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_refuse_unaffordable", lambda *_: None)
    with pytest.raises(PolicyViolationError):
        run_job(
            parse_scenario(SCENARIO, ["budget=5", "capture=none"]),
            data_root=None,
            out_root=tmp_path,
            on_progress=ignore,
        )
    (failed,) = tmp_path.rglob("failed.json")
    result = CliRunner().invoke(main, ["audit", str(failed.parent)])
    assert result.exit_code == 3
    assert "was not recorded" in result.output
    assert "all in the policy" in result.output
