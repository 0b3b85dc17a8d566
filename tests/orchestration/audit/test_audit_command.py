"""`bauta audit RUN` keeps its verdicts beside the run and shows them in its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.cli import auditing
from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from reports.audit import Verdict, read_audit
from scenarios.schema import parse_scenario

SCENARIO = """
name: shown
runtime: memory
data: {kind: templates, dimension: 32, entries: 6, mated: 4, unmated: 2, batch: 3}
network: {kind: identity}
search: {threshold: 0.5}
insecure: [trusted_dealer]
capture: payloads
"""
PLAYED = Verdict(check="two worlds", subject="dealer", passed=True, detail="played", alpha=1e-7)


def ignore(_: Progress) -> None:
    pass


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recorded run; its protocol is not played again here, that has tests of its own."""
    monkeypatch.setattr(auditing, "audit_protocol", lambda *_: [PLAYED])
    scenario = parse_scenario(SCENARIO)
    return run_job(scenario, data_root=None, out_root=tmp_path, on_progress=ignore)


def test_verdicts_are_kept_and_the_report_is_built_anew(run_dir: Path) -> None:
    result = CliRunner().invoke(main, ["audit", str(run_dir)])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"report: {run_dir / 'report.html'}"
    run = json.loads((run_dir / "run.json").read_text())["run"]
    record = read_audit(run_dir, run)
    assert record is not None
    assert record.played == [PLAYED]
    assert not record.failed
    total = len(record.recorded) + 1
    page = (run_dir / "report.html").read_text()
    assert f"Audit: none of {total} verdicts failed; excluded coalitions break" in page


def test_a_coalition_that_breaks_the_protocol_as_declared_is_no_green_tick(run_dir: Path) -> None:
    result = CliRunner().invoke(main, ["audit", str(run_dir)])
    assert result.exit_code == 0, result.output
    (line,) = (
        line
        for line in result.output.splitlines()
        if "coalition relations, model provider+dealer:" in line
    )
    assert line.startswith("! ")
    assert "breaks, as declared" in line
    assert "determines every element of rows" in line
    page = (run_dir / "report.html").read_text()
    assert "! breaks, as declared" in page
    assert "✓ as announced" not in page


def test_a_run_without_views_is_not_judged_which_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "audit_protocol", lambda *_: [PLAYED])
    scenario = parse_scenario(SCENARIO, ["capture=none"])
    bare = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=ignore)
    result = CliRunner().invoke(main, ["audit", str(bare)])
    assert result.exit_code == 3, result.output
    assert "? views, run: not judged: what each party saw was not recorded" in result.output
    assert "--set capture=payloads" in result.output
    assert "1 not judged" in result.output
    page = (bare / "report.html").read_text()
    assert '<p class="verdict quiet">? Audit: nothing failed, 1 of' in page
    asked = CliRunner().invoke(main, ["audit", str(bare), "--json"])
    assert asked.exit_code == 3
    (open_one,) = (v for v in json.loads(asked.output) if v["passed"] is None)
    assert open_one["check"] == "views"


def test_a_leak_fails_the_command_and_stands_first_in_the_report(run_dir: Path) -> None:
    from reports.views import open_views

    row = open_views(run_dir).party("client").outputs["rows"][1].tolist()
    (run_dir / "left" / "temporary").mkdir(parents=True)
    (run_dir / "left" / "temporary" / "worker.out").write_text(str(row))
    result = CliRunner().invoke(main, ["audit", str(run_dir), "--json"])
    assert result.exit_code == 1
    failed = [verdict for verdict in json.loads(result.output) if not verdict["passed"]]
    assert [verdict["check"] for verdict in failed] == ["canaries"]
    page = (run_dir / "report.html").read_text()
    assert "First to fail: canaries, whole run." in page
    assert "worker.out" in page
