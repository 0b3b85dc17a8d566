"""The query budget is held by the client, and by a server when the client does not hold it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import msgspec
import pytest

from orchestration import job
from orchestration.assembly import PartyBrief, brief_with, build_program
from orchestration.job import run_job
from orchestration.leakage import measure_leakage
from orchestration.ledger import QueryLedger
from orchestration.prepare import prepare
from orchestration.progress import Progress
from orchestration.runtime.memory import run_in_memory
from protocol.errors import DataError, PolicyViolationError, ScenarioError
from reports.html.answers import leak_rows
from reports.html.tables import protection_rows
from reports.records import read_run
from reports.summary import summarise
from scenarios.checks import check_fields
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario


def ignore(_: Progress) -> None:
    pass


def scenario(budget: int) -> Scenario:
    return parse_scenario(
        f"""
        name: budget
        runtime: memory
        data: {{kind: templates, dimension: 16, entries: 4, mated: 4, unmated: 2, batch: 2}}
        network: {{kind: identity}}
        search: {{threshold: 0.5}}
        insecure: [trusted_dealer]
        budget: {budget}
        """
    )


def play(folder: Path, budget: int) -> Path:
    return run_job(scenario(budget), data_root=None, out_root=folder, on_progress=ignore)


def test_a_run_within_its_budget_ends_well(tmp_path: Path) -> None:
    run = read_run(play(tmp_path, 6))
    rows = dict(protection_rows(run.record, summarise(run)["run"]))
    assert rows["Query budget"].startswith("6 probes, each answered with up to 4 bits, too few")
    assert "answers of level bitmap" in rows["What answers give away"]


def test_a_budget_that_cannot_suffice_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="asks about 6 probes, the budget has 5") as error:
        play(tmp_path, 5)
    assert (error.value.exit_code, error.value.where) == (2, "budget")
    assert list(tmp_path.iterdir()) == []


def test_the_client_asks_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_refuse_unaffordable", lambda *_: None)
    with pytest.raises(PolicyViolationError, match="does not cover search-0002") as error:
        play(tmp_path, 5)
    assert error.value.where == "client"
    (failed,) = tmp_path.rglob("failed.json")
    assert json.loads(failed.read_text())["error"] == "PolicyViolationError"
    journal = (failed.parent / "journal.jsonl").read_text().splitlines()
    online = [json.loads(line) for line in journal if '"online"' in line]
    assert {event["session"] for event in online} == {"search-0000", "search-0001"}


@pytest.mark.parametrize("server", ["model_provider", "gallery_holder"])
def test_a_server_answers_no_further_than_its_own_budget(server: str) -> None:
    prepared = prepare(scenario(100), None, ignore)
    briefs = dict(prepared.briefs)
    for party, brief in briefs.items():
        if party == server:
            told = msgspec.msgpack.decode(brief, type=PartyBrief)
            strict = msgspec.structs.replace(told.scenario, budget=3)
            briefs[party] = msgspec.structs.replace(told, scenario=strict).to_bytes()
    programs = {party: build_program(brief) for party, brief in briefs.items()}
    with pytest.raises(PolicyViolationError, match="budget of 3 probes") as error:
        run_in_memory(
            programs,
            run=prepared.plan.run,
            insecure=frozenset({"trusted_dealer"}),
            protocol="dealer",
            seed=1,
        )
    assert error.value.where == server


@pytest.mark.parametrize(("level", "most"), [("scores", 32), ("bitmap", 32 * 2 * 13)])
def test_answers_give_a_row_away(level: str, most: int) -> None:
    found = measure_leakage(dimension=32, scale=127, threshold=4838, level=level, templates=3)
    assert found is not None
    assert found.queries <= most
    assert found.cosine > 0.99


def test_rows_that_are_too_long_are_not_attacked() -> None:
    assert measure_leakage(dimension=2048, scale=127, threshold=1, level="scores") is None


def counted(budget: int) -> Scenario:
    return msgspec.structs.replace(scenario(budget), ledger="ward-3")


def test_runs_of_one_ledger_share_a_budget(tmp_path: Path) -> None:
    first, second = (
        read_run(run_job(counted(12), data_root=None, out_root=tmp_path, on_progress=ignore))
        for _ in range(2)
    )
    assert [first.record.queries.spent_before, second.record.queries.spent_before] == [0, 6]
    rows = dict(protection_rows(second.record, summarise(second)["run"]))
    assert "ledger ward-3: 6 before this run, 6 in it, 0 left" in rows["Query budget"]
    runs = set(tmp_path.glob("budget/*"))
    with pytest.raises(ScenarioError, match="12 probes is spent: ledger ward-3 counts 12") as error:
        run_job(counted(12), data_root=None, out_root=tmp_path, on_progress=ignore)
    assert (error.value.exit_code, error.value.where) == (2, "budget")
    assert set(tmp_path.glob("budget/*")) == runs


def test_another_ledger_and_a_run_without_one_count_for_themselves(tmp_path: Path) -> None:
    for chosen in (counted(6), msgspec.structs.replace(counted(6), ledger="other"), scenario(6)):
        run_job(chosen, data_root=None, out_root=tmp_path, on_progress=ignore)
    assert len(list((tmp_path / "ledgers").iterdir())) == 2


def test_a_run_may_ask_what_earlier_ones_left_and_no_more(tmp_path: Path) -> None:
    run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)
    with pytest.raises(ScenarioError, match="the budget has 3 left in ledger ward-3"):
        run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)
    run_job(counted(12), data_root=None, out_root=tmp_path, on_progress=ignore)


def test_the_parties_hold_a_budget_that_another_run_used_up_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_refuse_unaffordable", lambda *_: None)
    run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)
    with pytest.raises(PolicyViolationError, match="9 probes, 6 of them spent in earlier runs"):
        run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)
    with pytest.raises(ScenarioError, match="is spent"):
        run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)


@pytest.mark.parametrize("server", ["model_provider", "gallery_holder"])
def test_a_server_counts_earlier_runs_by_itself(server: str) -> None:
    prepared = prepare(counted(6), None, ignore)
    briefs = dict(prepared.briefs)
    party = next(party for party in briefs if party == server)
    briefs[party] = brief_with(briefs[party], spent=3)
    programs = {party: build_program(brief) for party, brief in briefs.items()}
    with pytest.raises(PolicyViolationError, match="3 of them spent") as error:
        run_in_memory(
            programs,
            run=prepared.plan.run,
            insecure=frozenset({"trusted_dealer"}),
            protocol="dealer",
            seed=1,
        )
    assert error.value.where == server


def test_runs_at_the_same_time_take_turns(tmp_path: Path) -> None:
    ledger = QueryLedger(tmp_path, "ward-3")
    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(lambda n: ledger.take(f"run-{n}", "s", 5, 1000), range(40)))
    assert sorted(spent) == list(range(0, 200, 5))


def test_a_ledger_that_cannot_be_read_permits_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledgers").mkdir()
    (tmp_path / "ledgers" / "ward-3.jsonl").write_text('{"run": "x"}\n')
    with pytest.raises(DataError, match="not a query ledger"):
        run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)


def test_a_ledger_needs_a_budget() -> None:
    with pytest.raises(ScenarioError, match="a ledger counts a budget"):
        parse_scenario("name: x\nledger: ward-3\n")


def test_the_report_shows_both_attacks(tmp_path: Path) -> None:
    used, scores = leak_rows(read_run(play(tmp_path, 6)).record)
    assert (used.level, used.covered) == ("output bitmap", False)
    assert (scores.level, scores.answers, scores.covered) == ("exact scores", "16", False)
    unlimited = msgspec.structs.replace(scenario(6), budget=None)
    run = run_job(unlimited, data_root=None, out_root=tmp_path, on_progress=ignore)
    assert [row.covered for row in leak_rows(read_run(run).record)] == [None, None]


def test_the_console_tells_what_is_left(tmp_path: Path) -> None:
    from rich.console import Console

    from reports.console import render
    from reports.summary import build

    path = run_job(counted(9), data_root=None, out_root=tmp_path, on_progress=ignore)
    console = Console(width=200, file=StringIO(), record=True)
    console.print(render(build(path, report=False)))
    text = console.export_text()
    assert "9 probes over the runs of ledger ward-3: 0 before, 6 in this run, 3 left" in text


@pytest.mark.parametrize("party", ["client", "model_provider", "gallery_holder"])
def test_a_party_takes_part_in_no_more_enrolments_than_its_own_budget(party: str) -> None:
    told = parse_scenario(
        """
        name: budget
        runtime: memory
        data: {kind: templates, dimension: 16, entries: 4, mated: 4, unmated: 2, batch: 2}
        life: {every: 1, update: 1}
        network: {kind: identity}
        search: {threshold: 0.5}
        insecure: [trusted_dealer]
        enrolment_budget: 6
        """
    )
    prepared = prepare(told, None, ignore)
    briefs = dict(prepared.briefs)
    strict = msgspec.structs.replace(told, enrolment_budget=5)
    briefs[party] = brief_with(briefs[party], scenario=strict)  # type: ignore[index]
    for name, wrong in ((prepared.briefs, None), (briefs, party)):
        programs = {role: build_program(brief) for role, brief in name.items()}
        facts = {"run": prepared.plan.run, "insecure": frozenset({"trusted_dealer"})}
        if wrong is None:
            run_in_memory(programs, **facts, protocol="dealer", seed=1)  # type: ignore[arg-type]
            continue
        with pytest.raises(
            PolicyViolationError, match="budget of 5 enrolments does not cover update-0001"
        ) as error:
            run_in_memory(programs, **facts, protocol="dealer", seed=1)  # type: ignore[arg-type]
        assert error.value.where == wrong


def test_an_enrolment_budget_is_held_before_anything_starts_and_reported(tmp_path: Path) -> None:
    enough = msgspec.structs.replace(scenario(6), enrolment_budget=4)
    run = read_run(run_job(enough, data_root=None, out_root=tmp_path, on_progress=ignore))
    rows = dict(protection_rows(run.record, summarise(run)["run"]))
    assert rows["Enrolment budget"].startswith("4 embeddings, 4 of them given")
    few = msgspec.structs.replace(enough, enrolment_budget=3)
    (problem,) = check_fields(few)
    assert problem.where == "enrolment_budget"
    assert "a budget of 3 does not cover the 4 enrolments" in problem.message
