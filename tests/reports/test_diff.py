"""Differences between runs, and which of them fail a gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from orchestration.cli.main import main
from reports.diff import compare, opened_run, regressions
from reports.records import Event, read_events

GOLDEN = Path(__file__).parent.parent / "golden" / "dealer-bitmap"
Change = Callable[[list[Event]], list[Event]]


def changed(folder: Path, change: Change) -> Path:
    lines = (msgspec.json.encode(e) + b"\n" for e in change(read_events(GOLDEN)))
    (folder / "journal.jsonl").write_bytes(b"".join(lines))
    shutil.copy(GOLDEN / "scenario.yaml", folder)
    return folder


def with_first(kind: str, /, **facts: object) -> Change:
    def change(events: list[Event]) -> list[Event]:
        index = next(i for i, event in enumerate(events) if event.kind == kind)
        events[index] = msgspec.structs.replace(events[index], **facts)
        return events

    return change


def test_a_run_does_not_differ_from_itself() -> None:
    assert compare(opened_run(GOLDEN), opened_run(GOLDEN)) == []


@pytest.mark.parametrize(
    ("change", "kind", "worse"),
    [
        (with_first("MaskedProbes", kind="Embeddings"), "flow", True),
        (with_first("MaskedProbes", form="plain"), "label", True),
        (with_first("MaskedProbes", payload_bytes=10**6), "bytes", True),
        (with_first("MaskedProbes", payload_bytes=1), "bytes", False),
        (with_first("DecisionShares", round=99), "rounds", True),
        (lambda events: events + events[-1:], "messages", True),
        (lambda events: [e for e in events if e.kind != "MaskedProbes"], "opening", False),
    ],
)
def test_differences_are_told_and_weighed(
    tmp_path: Path, change: Change, kind: str, *, worse: bool
) -> None:
    found = compare(opened_run(GOLDEN), opened_run(changed(tmp_path, change)))
    assert [c.worse for c in found if c.kind == kind][:1] == [worse]
    assert bool(regressions(found)) == any(c.worse for c in found)


def test_a_new_opening_fails_the_gate(tmp_path: Path) -> None:
    less = changed(tmp_path, lambda events: [e for e in events if e.kind != "MaskedProbes"])
    found = regressions(compare(opened_run(less), opened_run(GOLDEN)))
    assert {"flow", "opening"} <= {c.kind for c in found}
    result = CliRunner().invoke(main, ["diff", str(less), str(GOLDEN), "--gate"])
    assert result.exit_code == 1
    assert "! opening: e = q - b (masked probe): not opened -> to Gallery holder" in result.output
    result = CliRunner().invoke(main, ["diff", str(GOLDEN), str(less), "--gate", "--json"])
    assert result.exit_code == 0
    assert all(not change["worse"] for change in json.loads(result.output))
