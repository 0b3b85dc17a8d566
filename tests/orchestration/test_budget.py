"""The query budget is held by the client, and by a server when the client does not hold it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from orchestration.assembly import PartyBrief, build_program
from orchestration.job import run_job
from orchestration.leakage import measure_leakage
from orchestration.prepare import prepare
from orchestration.progress import Progress
from orchestration.runtime.memory import run_in_memory
from protocol.errors import PolicyViolationError
from reports.html.tables import protection_rows
from reports.records import read_run
from reports.summary import summarise
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
    assert rows["Query budget"].startswith("6 probes, too few")
    assert "answers of level bitmap" in rows["What answers give away"]


def test_the_client_asks_no_further(tmp_path: Path) -> None:
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
