from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from editable_run import ENTRIES, MATED, UNMATED, EditableRun

from protocol.errors import DataError
from reports.records import Protection, read_run


def test_a_finished_run_is_read_whole(opened: EditableRun) -> None:
    run = read_run(opened.path)
    assert (run.entries, run.probes) == (ENTRIES, MATED + UNMATED)
    assert run.record.scenario == "tiny"
    assert run.record.protection.insecure == ["open_scores", "trusted_dealer"]
    assert run.scenario["data"]["entries"] == ENTRIES
    assert len(run.events) == 2 * len(list(run.sent()))
    assert run.observations["secure_scores"].shape == (run.probes, run.entries)
    assert run.observations["gallery_identity"].dtype == np.int64


def test_scores_are_absent_where_they_were_not_opened(closed: EditableRun) -> None:
    observations = read_run(closed.path).observations
    assert not {name for name in observations if name.endswith("_scores")}


def test_no_field_of_the_protection_record_is_dropped(opened: EditableRun) -> None:
    record = json.loads((opened.path / "run.json").read_text())
    assert set(record["protection"]) == set(Protection.__struct_fields__)


@pytest.mark.parametrize("name", ["run.json", "journal.jsonl", "observations.npz", "scenario.yaml"])
def test_a_missing_file_is_named_with_a_hint(opened: EditableRun, name: str) -> None:
    (opened.path / name).unlink()
    with pytest.raises(DataError, match="missing") as caught:
        read_run(opened.path)
    assert caught.value.where == str(opened.path / name)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["run.json", "journal.jsonl", "observations.npz", "scenario.yaml"])
@pytest.mark.parametrize("data", [b"\xff\xfe{", b"[1, 2", b"3"])
def test_garbage_is_refused_and_named(opened: EditableRun, name: str, data: bytes) -> None:
    (opened.path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_run(opened.path)
    assert name in caught.value.where


def test_an_aborted_run_says_where_the_reason_is(opened: EditableRun) -> None:
    (opened.path / "run.json").rename(opened.path / "failed.json")
    with pytest.raises(DataError, match="aborted") as caught:
        read_run(opened.path)
    assert "failed.json" in caught.value.hint


def test_a_bad_journal_line_is_named_by_number(opened: EditableRun) -> None:
    events = opened.journal()
    events[2]["sender"] = "somebody"
    opened.write_journal(events)
    with pytest.raises(DataError) as caught:
        read_run(opened.path)
    assert caught.value.where.endswith("journal.jsonl:3")
    assert "$.sender" in caught.value.message


def test_an_event_of_another_run_is_refused(opened: EditableRun) -> None:
    events = opened.journal()
    events[-1]["run"] = "another"
    opened.write_journal(events)
    with pytest.raises(DataError, match="another run") as caught:
        read_run(opened.path)
    assert caught.value.where.endswith(f":{len(events)}")


def test_a_record_field_of_the_wrong_type_is_named(opened: EditableRun) -> None:
    opened.edit_record(lambda record: record.update(threshold_ring="high"))
    with pytest.raises(DataError, match=r"\$\.threshold_ring"):
        read_run(opened.path)


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda arrays: arrays.pop(name)


def _changed(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], object]:
    return lambda arrays: arrays.update({name: change(arrays[name])})


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (_without("oracle_match"), "oracle_match"),
        (_changed("secure_match", lambda a: a[:-1]), "secure_match"),
        (_changed("secure_match", lambda a: a.astype(np.int8)), "secure_match"),
        (_changed("oracle_scores", lambda a: a.T), "oracle_scores"),
        (_changed("probe_identity", lambda a: a[:, None]), "probe_identity"),
        (_changed("gallery_identity", lambda a: a.astype(np.float64)), "gallery_identity"),
        (_changed("protected_scores", lambda a: np.where(a > 0, np.nan, a)), "protected_scores"),
    ],
)
def test_arrays_that_do_not_fit_are_named(
    opened: EditableRun, damage: Callable[[dict[str, Any]], object], name: str
) -> None:
    arrays = opened.observations()
    damage(arrays)
    opened.write_observations(arrays)
    with pytest.raises(DataError, match=name):
        read_run(opened.path)


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("sprung"),))


def test_pickles_are_never_opened(
    opened: EditableRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = opened.observations()
    arrays["probe_identity"] = np.array([_Trap()], dtype=object)
    opened.write_observations(arrays)
    with pytest.raises(DataError, match="plain arrays"):
        read_run(opened.path)
    (opened.path / "observations.npz").write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(DataError, match="plain arrays"):
        read_run(opened.path)
    assert not (tmp_path / "sprung").exists()
