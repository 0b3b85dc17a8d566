"""Every planted leak is caught by its check; honest protocols pass."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.audit.experiment import Sizes, play_all
from orchestration.audit.leaks import LEAKS, Leak
from orchestration.cli.auditing import (
    NEEDS,
    OUTPUTS,
    QUICK,
    SelfTest,
    audit_protocol,
    audited,
)
from orchestration.cli.main import main
from orchestration.job import run_job
from orchestration.progress import Progress
from protocol.search.policies import policy_named
from protocol.search.protocols import protocol_names
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario


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


def noticed(leak: Leak, sizes: Sizes) -> bool:
    told = scenario(leak.protocol, ring_bits=leak.ring_bits)
    verdicts = audit_protocol(told, 1, leak, sizes)
    return any(leak.noticed_by(v.check, v.subject) for v in verdicts if not v.passed)


def test_there_are_enough_leaks_and_each_names_a_check() -> None:
    from reports.audit import CHECKS

    assert Counter(leak.protocol for leak in LEAKS) >= Counter(
        {"dealer": 15, "replicated": 6, "crypten_ttp": 2, "crypten": 1}
    )
    assert len({(leak.protocol, leak.name) for leak in LEAKS}) == len(LEAKS)
    # What follows from announced values is no leak of a protocol but a gap of its policy, which
    # tests/reports/audit/test_derived.py plants.
    assert {leak.check for leak in LEAKS} == {check.name for check in CHECKS} - {"derived answers"}


def test_only_the_first_party_provider_leaks_by_design() -> None:
    assert set(protocol_names()) - set(audited()) == {"crypten"}
    assert audited() == ("dealer", "replicated", "crypten_ttp")


@pytest.mark.parametrize("name", ["share-astray", "seed-in-error", "scores-to-server"])
def test_a_leak_that_ends_the_run_is_caught(name: str) -> None:
    assert noticed(next(leak for leak in LEAKS if leak.name == name), QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: f"{leak.protocol}-{leak.name}")
def test_every_leak_is_caught_by_its_check(leak: Leak) -> None:
    assert noticed(leak, NEEDS.get(leak.check, QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["dealer", "replicated"])
@pytest.mark.parametrize("seed", range(1, 5))
def test_honest_protocols_pass(protocol: str, seed: int) -> None:
    verdicts = audit_protocol(scenario(protocol, output=OUTPUTS[seed - 1]), seed)
    assert [v for v in verdicts if not v.passed] == []
    assert {v.check for v in verdicts} > {"coalition algebra", "reachable values", "uniformity"}


@pytest.mark.slow
def test_a_trusted_third_party_passes_and_the_audit_says_what_it_trusts() -> None:
    verdicts = audit_protocol(scenario("crypten_ttp"), 1)
    assert [v for v in verdicts if not v.passed] == []
    trusted = next(v for v in verdicts if v.check == "assumptions")
    assert "weak_generators" in trusted.detail
    pair = next(v for v in verdicts if v.subject == "model_provider+dealer")
    assert "24 of 24 coordinates of rows" in pair.detail


@pytest.mark.parametrize("seed", range(1, 41))
def test_there_always_are_two_groups_of_people_with_equal_answers(seed: int) -> None:
    runs = play_all(scenario(), Sizes(runs=1, held_out=0, wide_elements=0), seed)
    twins = next(pair for pair in runs.worlds if pair.name == "same answers")
    one, two = (pair[0].views["client"].outputs["match"] for pair in (twins.one, twins.two))
    np.testing.assert_array_equal(one, two)
    assert (twins.one[0].secrets["rows"] != twins.two[0].secrets["rows"]).any()


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


def test_a_run_without_views_cannot_pass(tmp_path: Path) -> None:
    from reports.audit import judge_run

    path = run_job(scenario(), data_root=None, out_root=tmp_path, on_progress=ignore)
    verdicts = list(judge_run(path))
    assert [v.check for v in verdicts if not v.passed] == ["views"]
    assert [v for v in verdicts if v.failed] == []


@pytest.mark.parametrize("protocol", ["crypten_ttp", "crypten"])
def test_a_recorded_run_of_crypten_is_audited_like_any_other(tmp_path: Path, protocol: str) -> None:
    from reports.audit import judge_run

    recorded = msgspec.structs.replace(scenario(protocol), capture="payloads")
    path = run_job(recorded, data_root=None, out_root=tmp_path, on_progress=ignore)
    wrong = {v.subject: v.detail for v in judge_run(path) if not v.passed}
    reads = {"model_provider": "determines every element of rows of search-0000"}
    assert wrong == (reads if protocol == "crypten" else {})


@pytest.mark.slow
def test_the_command_judges_a_scenario(tmp_path: Path) -> None:
    from scenarios.schema import resolved_yaml

    file = tmp_path / "audit.yaml"
    file.write_text(resolved_yaml(scenario()))
    result = CliRunner().invoke(main, ["audit", str(file), "--json"])
    assert result.exit_code == 0, result.output
    verdicts = json.loads(result.output)
    assert all(verdict["passed"] for verdict in verdicts)
    fields = {"check", "subject", "passed", "detail", "tests", "alpha", "note"}
    assert fields == verdicts[0].keys()


@pytest.mark.slow
def test_the_command_fails_on_the_first_party_provider(tmp_path: Path) -> None:
    from scenarios.schema import resolved_yaml

    file = tmp_path / "audit.yaml"
    file.write_text(resolved_yaml(scenario("crypten")))
    result = CliRunner().invoke(main, ["audit", str(file)])
    assert result.exit_code == 1
    (wrong,) = (line for line in result.output.splitlines() if line.startswith("✗"))
    assert "coalition algebra, model provider: determines 24 of 24 coordinates of rows" in wrong
    assert "every score" in wrong
    assert "match bits" in wrong


def test_a_scenario_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["audit", str(tmp_path / "no.yaml")]).exit_code == 2


def test_the_command_needs_a_target() -> None:
    result = CliRunner().invoke(main, ["audit"])
    assert result.exit_code == 2
    assert "self-test" in result.output


def outcome(*, caught: bool) -> SelfTest:
    row = {
        "leak": "row-in-clear", "protocol": "replicated", "what": "a row is sent in clear",
        "check": "canaries", "caught": caught, "checks": ["canaries"] if caught else [],
    }  # fmt: skip
    honest = {"protocol": "dealer", "seed": 1, "output": "any", "passed": True, "failed": []}
    return SelfTest(
        passed=caught, seeds=1, alpha=1e-6, false_alarms=0, wall_s=3.0, processor_s=5.0,
        leaks=[row], honest=[honest], environment={},
    )  # fmt: skip


@pytest.mark.parametrize("caught", [True, False])
def test_a_leak_that_is_not_caught_fails_the_self_test(
    monkeypatch: pytest.MonkeyPatch, *, caught: bool
) -> None:
    monkeypatch.setattr("orchestration.cli.audit._self_test", lambda _: outcome(caught=caught))
    told = CliRunner().invoke(main, ["audit", "--self-test"])
    assert told.exit_code == (0 if caught else 1)
    assert f"{int(caught)} of 1 leaks caught by the named check" in told.output
    assert "false alarms: 0, expected at most 1e-06" in told.output
    asked = CliRunner().invoke(main, ["audit", "--self-test", "--json"])
    (leak,) = json.loads(asked.output)["leaks"]
    assert {"leak", "protocol", "caught", "check"} < leak.keys()
    assert leak["caught"] is caught
