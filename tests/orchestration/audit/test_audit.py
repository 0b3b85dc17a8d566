"""Every planted leak is caught by its check; honest protocols pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from orchestration import assembly
from orchestration.assembly import PartyBrief
from orchestration.audit.experiment import Sizes
from orchestration.audit.leaks import LEAKS, Leak
from orchestration.capture import Recording, drawing
from orchestration.cli.auditing import OUTPUTS, audit_protocol, audited
from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.search.policies import policy_named
from protocol.sharing.prg import RandomBytes, keyed_random_bytes
from reports.audit import Verdict
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario

QUICK = Sizes(held_out=0, wide_elements=0)


def scenario(protocol: str = "dealer", **search: object) -> Scenario:
    terms = "".join(f", {name}: {value}" for name, value in search.items())
    text = f"""
        name: audit
        runtime: memory
        data: {{kind: templates, dimension: 32, entries: 12, mated: 8, unmated: 4, batch: 4}}
        network: {{kind: identity}}
        search: {{protocol: {protocol}, threshold: 0.5{terms}}}
        insecure: [{", ".join(policy_named(protocol).shortcuts)}]
    """
    return parse_scenario(text)


def failed(leak: Leak, sizes: Sizes) -> set[str]:
    verdicts = audit_protocol(scenario(ring_bits=leak.ring_bits), 1, leak, sizes)
    return {v.check.partition(":")[0] for v in verdicts if not v.passed}


def test_there_are_enough_leaks_and_each_names_a_check() -> None:
    from reports.audit import CHECKS

    assert len(LEAKS) >= 15
    assert len({leak.name for leak in LEAKS}) == len(LEAKS)
    assert {leak.check for leak in LEAKS} == {check.name for check in CHECKS}


@pytest.mark.parametrize("name", ["share-astray", "seed-in-error", "scores-to-server"])
def test_a_leak_that_ends_the_run_is_caught(name: str) -> None:
    leak = next(leak for leak in LEAKS if leak.name == name)
    assert leak.check in failed(leak, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_every_leak_is_caught_by_its_check(leak: Leak) -> None:
    quick = leak.check not in {"reachable values", "coalition algebra"}
    assert leak.check in failed(leak, QUICK if quick else Sizes())


@pytest.mark.slow
@pytest.mark.parametrize("protocol", audited())
@pytest.mark.parametrize("seed", range(1, 5))
def test_honest_protocols_pass(protocol: str, seed: int) -> None:
    verdicts = audit_protocol(scenario(protocol, output=OUTPUTS[seed - 1]), seed)
    assert [v for v in verdicts if not v.passed] == []
    assert {v.check for v in verdicts} > {"coalition algebra", "reachable values", "uniformity"}


def ignore(_: Progress) -> None:
    pass


def test_a_recorded_run_is_audited_from_its_directory(tmp_path: Path) -> None:
    from reports.audit import judge_run

    recorded = msgspec.structs.replace(scenario(), capture="payloads")
    path = run_job(recorded, data_root=None, out_root=tmp_path, on_progress=ignore)
    verdicts = list(judge_run(path))
    assert [v for v in verdicts if not v.passed] == []
    excluded = [v for v in verdicts if v.subject == "model_provider+dealer"]
    assert "rows of enrol-0000" in excluded[0].detail
    (path / "holder.log").write_text(str(_row(path)))
    caught = [v for v in judge_run(path) if not v.passed]
    assert [v.check for v in caught] == ["canaries"]
    assert "holder.log" in caught[0].detail


def _row(path: Path) -> list[int]:
    from reports.views import open_views

    row: list[int] = open_views(path).party("client").outputs["rows"][3].tolist()
    return row


def recorded(folder: Path) -> Path:
    chosen = msgspec.structs.replace(scenario(), capture="payloads")
    return run_job(chosen, data_root=None, out_root=folder, on_progress=ignore)


def single_use_of(path: Path) -> Verdict:
    from reports.audit import judge_run

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


def test_a_run_without_views_cannot_pass(tmp_path: Path) -> None:
    from reports.audit import judge_run

    path = run_job(scenario(), data_root=None, out_root=tmp_path, on_progress=ignore)
    assert [v.check for v in judge_run(path) if not v.passed] == ["views"]


@pytest.mark.slow
def test_the_command_judges_a_scenario(tmp_path: Path) -> None:
    from scenarios.schema import resolved_yaml

    file = tmp_path / "audit.yaml"
    file.write_text(resolved_yaml(scenario()))
    result = CliRunner().invoke(main, ["audit", str(file), "--json"])
    assert result.exit_code == 0, result.output
    verdicts = json.loads(result.output)
    assert all(verdict["passed"] for verdict in verdicts)
    assert {"check", "subject", "passed", "detail", "tests", "alpha"} == verdicts[0].keys()


def test_the_command_needs_a_target() -> None:
    result = CliRunner().invoke(main, ["audit"])
    assert result.exit_code == 2
    assert "self-test" in result.output
