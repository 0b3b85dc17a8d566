from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from editable_run import ENTRIES, MATED, UNMATED, EditableRun
from rich.console import Console

from protocol.errors import DataError
from reports import Summary, build
from reports.accuracy import curves
from reports.console import render
from reports.records import read_run

CHECKS = {
    "oracle_equal",
    "traffic_reconciled",
    "costs_equal_declared",
    "sequences_gapless",
    "nothing_undeclared",
}


def failed(summary: Summary) -> set[str]:
    return {check["name"] for check in summary["checks"] if not check["passed"]}


def printed(summary: Summary) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render(summary))
    return capture.get()


def test_build_writes_what_it_returns(opened: EditableRun) -> None:
    summary = build(opened.path)
    assert json.loads((opened.path / "summary.json").read_text()) == summary.content
    assert summary.passed
    assert {check["name"] for check in summary["checks"]} == CHECKS
    assert set(summary) >= {
        "scenario", "run", "checks", "accuracy", "latency", "traffic", "protection",
        "environment", "warnings",
    }  # fmt: skip
    assert summary["run"]["mated"] == MATED
    assert summary["run"]["unmated"] == UNMATED
    assert not list(opened.path.glob(".*.part"))


def test_what_a_stage_cost_and_what_came_from_the_cache_is_printed(opened: EditableRun) -> None:
    stages = {"load": 1.25, "calibrate": 0.125, "parties": 9.0}
    opened.edit_record(lambda record: record.update(stages_s=stages, from_cache=["calibrate"]))
    summary = build(opened.path)
    assert "load 1.2 s, calibrate 125 ms (from the cache), parties 9.0 s" in printed(summary)
    assert "calibrate (from the cache)" in (opened.path / "report.html").read_text()


def test_the_report_is_written_unless_the_scenario_declines(opened: EditableRun) -> None:
    assert build(opened.path, report=False).report is None
    scenario = opened.path / "scenario.yaml"
    scenario.write_text(scenario.read_text().replace("report: true", "report: false"))
    assert build(opened.path).report is None
    page = build(opened.path, report=True).report
    assert page is not None
    assert "tiny" in page.read_text()


def test_oracle_equal_says_how_much_was_compared(opened: EditableRun, closed: EditableRun) -> None:
    pairs = ENTRIES * (MATED + UNMATED)
    detail = build(opened.path, report=False)["checks"][0]["detail"]
    assert detail == f"{pairs} decisions (9 probes x 12 entries) equal; {pairs} scores equal"
    assert "scores" not in build(closed.path, report=False)["checks"][0]["detail"]


@pytest.mark.parametrize("where", [(0, 0), (8, 11), (4, 3)])
def test_one_flipped_decision_fails_the_run(closed: EditableRun, where: tuple[int, int]) -> None:
    arrays = closed.observations()
    arrays["secure_match"][where] ^= True
    closed.write_observations(arrays)
    summary = build(closed.path, report=False)
    assert failed(summary) == {"oracle_equal"}
    assert not summary.passed
    assert "1 differ" in printed(summary)


def test_one_score_off_by_one_fails_the_run(opened: EditableRun) -> None:
    arrays = opened.observations()
    arrays["secure_scores"][2, 5] += 1
    opened.write_observations(arrays)
    assert failed(build(opened.path, report=False)) == {"oracle_equal"}


def test_scores_without_an_oracle_fail_the_run(opened: EditableRun) -> None:
    arrays = opened.observations()
    del arrays["oracle_scores"]
    opened.write_observations(arrays)
    assert failed(build(opened.path, report=False)) == {"oracle_equal"}


def _set(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["costs"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        _set(equal=False),
        _set(sessions_differing=1),
        _set(declared_bytes=1),
        _set(declared_bytes=1, measured_bytes=1),
        _set(measured_messages=0, declared_messages=0),
        lambda record: record["costs"].pop(),
        lambda record: record["costs"].clear(),
    ],
)
def test_costs_that_differ_from_declaration_or_journal_fail_the_run(
    closed: EditableRun, change: Callable[[dict[str, Any]], object]
) -> None:
    closed.edit_record(change)
    assert failed(build(closed.path, report=False)) == {"costs_equal_declared"}


def test_an_empty_journal_passes_nothing_that_it_should_show(closed: EditableRun) -> None:
    closed.write_journal([])
    assert failed(build(closed.path, report=False)) == CHECKS - {"oracle_equal"}


def test_accuracy_columns_of_an_opened_run(with_baseline: EditableRun) -> None:
    accuracy = build(with_baseline.path, report=False)["accuracy"]
    assert accuracy["secure"]["rank_1"]["value"] == 1.0
    assert accuracy["quantised"] == {**accuracy["secure"], "label": "quantised oracle"}
    assert accuracy["baseline"]["rank_1"]["count"] == MATED - 1
    assert accuracy["baseline"]["operating"] is None
    targets = [rate["fpir_target"] for rate in accuracy["baseline"]["tpir_at_fpir"]]
    assert targets == [0.1, 0.01, 0.001]
    assert accuracy["secure"]["operating"]["tpir"]["total"] == MATED


def test_without_scores_only_decisions_are_measured(closed: EditableRun) -> None:
    accuracy = build(closed.path, report=False)["accuracy"]
    assert accuracy["baseline"] is None
    assert accuracy["protected_plain"] is None
    assert accuracy["secure"]["rank_1"] is None
    assert accuracy["secure"]["operating"]["fpir"]["total"] == UNMATED


def test_curves_exist_for_every_column_with_scores(with_baseline: EditableRun) -> None:
    found = curves(read_run(with_baseline.path).observations)
    assert set(found) == {"secure", "quantised", "protected_plain", "baseline"}
    assert len(found["baseline"].fpir) == UNMATED


def test_a_run_without_probes_is_summarised_without_nan(closed: EditableRun) -> None:
    arrays = closed.observations()
    for name in ("probe_identity", "probe_person"):
        arrays[name] = arrays[name][:0]
    for name in ("secure_match", "oracle_match"):
        arrays[name] = arrays[name][:0]
    closed.write_observations(arrays)
    closed.write_journal([e for e in closed.journal() if e["phase"] in {"setup", "enrol"}])
    summary = build(closed.path, report=False)
    assert "NaN" not in (closed.path / "summary.json").read_text()
    assert summary["traffic"]["per_probe_bytes"]["online"] is None
    assert summary["accuracy"]["secure"]["operating"]["tpir"]["value"] is None
    assert "latency per probe  –" in printed(summary)


def test_warnings_are_the_runs_own_and_coarse_rates(opened: EditableRun) -> None:
    opened.edit_record(lambda record: record.update(warnings=["mind the gap"]))
    assert build(opened.path, report=False)["warnings"] == [
        "mind the gap",
        "4 unmated probes are too few to resolve FPIR 10 %, 1 %, 0.1 %.",
        (
            "At FPIR 10 %, 1 %, 0.1 % the strangers are too few to bound TPIR from below: the low "
            "end of its interval is no bound."
        ),
    ]


def test_console_shows_shortcuts_accuracy_protection_cost_and_checks(
    with_baseline: EditableRun,
) -> None:
    text = printed(build(with_baseline.path, report=False))
    assert "INSECURE: this run takes shortcuts: open_scores, trusted_dealer" in text
    row = next(line for line in text.splitlines() if line.startswith("rank-1 "))
    assert row.split()[1:9] == ["100.00", "%", "100.00", "%", "100.00", "%", "80.00", "%"]
    assert "SYNTHETIC DATA" in text
    assert "no noise on the features, so no ε; mapping none" in text
    assert "trusted dealer" in text
    assert "upload" in text
    assert text.count("✓") == len(CHECKS)
    assert str(with_baseline.path) in text


def test_secure_is_compared_with_unprotected_on_the_same_people(
    with_baseline: EditableRun,
) -> None:
    summary = build(with_baseline.path)
    found = summary["secure_minus_unprotected"]
    assert found["rank_1"]["value"] == pytest.approx(0.2)
    assert found["rank_1"]["low"] == 0.0
    assert 0.2 < found["rank_1"]["high"] <= 1
    assert [each["target"] for each in found["tpir_at_fpir"]] == [0.1, 0.01, 0.001]
    text = printed(summary)
    row = next(line for line in text.splitlines() if "minus unprotected" in line)
    assert row.split()[2:4] == ["+20.00", "0.0"]
    page = (with_baseline.path / "report.html").read_text()
    assert "Secure minus unprotected" in page
    assert "are resampled" in page


def test_without_a_baseline_nothing_is_compared(opened: EditableRun) -> None:
    summary = build(opened.path)
    assert summary["secure_minus_unprotected"] is None
    assert "minus unprotected" not in printed(summary)
    assert "minus unprotected" not in (opened.path / "report.html").read_text()


def test_strangers_of_several_probes_are_told_from_several_strangers(opened: EditableRun) -> None:
    arrays = opened.observations()
    people, givers = arrays["probe_identity"], arrays["probe_person"]
    assert np.array_equal(givers[people >= 0], people[people >= 0])
    assert givers[people < 0].min() > arrays["gallery_identity"].max()
    opened.write_observations({**arrays, "probe_person": givers[:-1]})
    with pytest.raises(DataError, match="probe_person is"):
        build(opened.path)


def test_console_shows_budgets_in_epsilon(closed: EditableRun) -> None:
    budget = {"element_epsilon": 0.5, "image_epsilon": 395136.0, "total_epsilon": None}
    closed.edit_record(lambda record: record["protection"].update(budget, insecure=[]))
    text = printed(build(closed.path, report=False))
    assert "ε ≤ 0.5 per element, 3.951e+05 per image, none in total" in text
    assert "INSECURE" not in text


def test_a_directory_that_is_no_run_is_refused(closed: EditableRun) -> None:
    with pytest.raises(DataError):
        build(closed.path.parent)


def test_decisions_of_the_run_find_every_mated_template(closed: EditableRun) -> None:
    arrays = closed.observations()
    mated = np.flatnonzero(arrays["probe_identity"] >= 0)
    assert arrays["secure_match"][mated, arrays["probe_identity"][mated]].all()
