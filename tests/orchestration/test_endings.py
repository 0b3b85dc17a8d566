"""However a run ends, it says so: on a full disk, on an ASCII terminal, by a bug."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from orchestration import job
from orchestration.cli.encoding import speak_plainly
from orchestration.cli.main import main
from orchestration.cli.verdict import judge
from orchestration.job import run_job
from protocol.errors import BautaError, InfrastructureError
from scenarios.schema import parse_scenario
from scenarios.specs import Scenario

TEXT = """
name: ends
runtime: memory
data: {kind: templates, dimension: 16, entries: 3, mated: 2, unmated: 2, batch: 2}
network: {kind: identity}
search: {threshold: 0.5}
insecure: [trusted_dealer]
"""


def scenario(*overrides: str) -> Scenario:
    return parse_scenario(TEXT, overrides)


def failure(folder: Path) -> dict[str, str]:
    (failed,) = folder.rglob("failed.json")
    found: dict[str, str] = json.loads(failed.read_text())
    return found


def test_a_full_disk_is_named_when_views_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = 0

    def full(*_: object, **__: object) -> None:
        nonlocal saved
        saved += 1
        if saved > 20:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestration.capture.np.save", full)
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        run_job(scenario("capture=payloads"), data_root=None, out_root=tmp_path, on_progress=print)
    assert "views" in caught.value.where
    assert "No space left" in failure(tmp_path)["message"]
    assert (next(tmp_path.rglob("failed.json")).parent / "journal.jsonl").stat().st_size > 0


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (OSError(errno.EIO, "Input/output error", "/x"), BautaError, "Input/output error"),
        (ValueError("secret"), ValueError, "unexpected ValueError"),
    ],
)
def test_what_nobody_expected_leaves_a_trace_without_its_text(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    raised: type[Exception],
    says: str,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(job, "observe", fails)
    with pytest.raises(raised):
        run_job(scenario(), data_root=None, out_root=tmp_path, on_progress=print)
    assert says in failure(tmp_path)["message"]
    assert "secret" not in json.dumps(failure(tmp_path))


def test_views_are_for_their_owner_only(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        path = run_job(
            scenario("capture=payloads"), data_root=None, out_root=tmp_path, on_progress=print
        )
    finally:
        os.umask(umask)
    modes = {stat.S_IMODE(entry.lstat().st_mode) for entry in path.rglob("*") if entry.is_file()}
    folders = {stat.S_IMODE(entry.stat().st_mode) for entry in path.rglob("*") if entry.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_a_terminal_of_ascii_gets_a_verdict_it_can_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run_job(scenario(), data_root=None, out_root=tmp_path, on_progress=print)
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", terminal)
    speak_plainly()
    assert judge(path) == 0
    assert b"ok oracle equal" in written.getvalue()
    assert written.getvalue().isascii()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--dimension", "0"],
        ["--dimension", "2000"],
        ["--templates", "0"],
        ["--scale", "0"],
        ["--scale", "1"],
        ["--cosine", "5"],
        ["--cosine", "nan"],
        ["--cosine", "-0.5"],
    ],
)
def test_leakage_refuses_what_it_cannot_measure(wrong: list[str]) -> None:
    result = CliRunner().invoke(main, ["leakage", *wrong])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "network", "shipped", "--seed", "-1"],
        ["audit", "--self-test", "--seed", "-1"],
        ["plan", "--entries", "1000", "--within-ms", "nan"],
        ["plan", "--entries", "1000", "--memory-gib", "inf"],
        ["train", "embedded", "--minutes", "nan"],
    ],
)
def test_numbers_nothing_can_be_done_with_are_usage_errors(command: list[str]) -> None:
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)


def test_a_scale_that_leaves_nothing_of_a_row_is_still_reported(tmp_path: Path) -> None:
    from reports import build

    path = run_job(scenario("search.scale=1"), data_root=None, out_root=tmp_path, on_progress=print)
    assert np.all([check["passed"] for check in build(path)["checks"]])
