from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest
import toy_parties

from orchestration.journal import Event
from orchestration.runs import FAILED, JOURNAL, LATEST, OBSERVATIONS, RECORD, RunDirectory
from orchestration.runtime.memory import run_in_memory
from protocol.errors import DataError, PeerMisbehaviourError


@pytest.fixture(scope="module")
def events() -> list[Event]:
    outcomes = run_in_memory(toy_parties.programs(), run="toy", insecure=frozenset(), seed=0)
    return [event for outcome in outcomes.values() for event in outcome.events]


def files(directory: RunDirectory) -> set[str]:
    return {path.name for path in directory.path.iterdir()}


def test_runs_of_the_same_second_get_their_own_directories(tmp_path: Path) -> None:
    runs = [RunDirectory.create(tmp_path, "toy") for _ in range(4)]
    assert len({run.path for run in runs}) == 4
    assert all(run.path.parent == tmp_path / "toy" for run in runs)


def test_latest_follows_finished_runs_only(tmp_path: Path) -> None:
    first = RunDirectory.create(tmp_path, "toy")
    latest = tmp_path / "toy" / LATEST
    assert not latest.exists()
    first.finish()
    second = RunDirectory.create(tmp_path, "toy")
    assert latest.resolve() == first.path.resolve()
    assert second.finish() == second.path
    assert latest.resolve() == second.path.resolve()
    assert not latest.readlink().is_absolute()


def test_latest_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "toy")
    (tmp_path / "toy" / LATEST).mkdir()
    with pytest.raises(DataError, match="latest: cannot be written"):
        run.finish()
    assert sorted(path.name for path in run.path.parent.iterdir()) == sorted(
        [run.path.name, LATEST]
    )
    with pytest.raises(DataError, match="is no link to a run"):
        RunDirectory.create(tmp_path, "toy")


def test_a_failed_run_has_no_record_of_a_finished_one(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "toy")
    run.write_record({"run": "toy"})
    run.fail(DataError("late"), ())
    assert {path.name for path in run.path.iterdir()} == {FAILED, JOURNAL}


def test_only_its_owner_reads_a_run(tmp_path: Path, events: list[Event]) -> None:
    run = RunDirectory.create(tmp_path, "toy")
    run.write_scenario("name: toy\n")
    run.write_journal(events)
    run.write_observations({"secure_match": np.eye(2, dtype=bool)})
    run.write_record({"run": "toy"})
    run.finish()
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in run.path.iterdir()} == {0o600}


def test_files_read_back_as_written(tmp_path: Path, events: list[Event]) -> None:
    run = RunDirectory.create(tmp_path, "toy")
    run.write_scenario("name: toy\n")
    run.write_journal(events)
    run.write_observations({"secure_match": np.eye(2, dtype=bool)})
    run.write_record({"run": "toy", "wall_s": 1.5})
    lines = (run.path / JOURNAL).read_text().splitlines()
    assert len(lines) == len(events)
    assert {json.loads(line)["kind"] for line in lines} == {event.kind for event in events}
    with np.load(run.path / OBSERVATIONS, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["secure_match"], np.eye(2, dtype=bool))
    assert json.loads((run.path / RECORD).read_text()) == {"run": "toy", "wall_s": 1.5}
    assert files(run) == {"scenario.yaml", JOURNAL, OBSERVATIONS, RECORD}


def test_a_write_that_breaks_leaves_the_old_file(tmp_path: Path, events: list[Event]) -> None:
    run = RunDirectory.create(tmp_path, "toy")
    run.write_journal(events[:1])

    def broken() -> object:
        yield events[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run.write_journal(broken())  # type: ignore[arg-type]
    assert len((run.path / JOURNAL).read_text().splitlines()) == 1
    assert files(run) == {JOURNAL}


def test_an_aborted_run_keeps_its_error_and_journal(tmp_path: Path, events: list[Event]) -> None:
    run = RunDirectory.create(tmp_path, "toy")
    run.fail(PeerMisbehaviourError("sent nonsense", where="dealer", hint="abort"), events)
    failure = json.loads((run.path / FAILED).read_text())
    assert failure.pop("failed_utc")
    assert failure == {
        "error": "PeerMisbehaviourError",
        "message": "sent nonsense",
        "where": "dealer",
        "hint": "abort",
    }
    assert files(run) == {FAILED, JOURNAL}


def test_a_place_that_cannot_be_written_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="choose another place with --out"):
        RunDirectory.create(tmp_path / "file", "toy")
