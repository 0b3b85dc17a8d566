"""A run's temporary folder is its own, is removed, and is kept only for an audit."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import time
from typing import Any

import pytest

from orchestration.job import run_job
from orchestration.progress import Progress
from orchestration.scratch import FOLDER_LENGTH_LIMIT, scratch, within_scratch
from protocol.errors import DataError
from scenarios.schema import parse_scenario

SCENARIO = """
name: scratch
runtime: memory
data: {kind: templates, dimension: 8, entries: 3, mated: 2, unmated: 0, batch: 2}
network: {kind: identity}
search: {threshold: 0.5}
insecure: [trusted_dealer]
report: false
"""


def ignore(_: Progress) -> None:
    pass


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "bauta" / "adapted"
    folder.mkdir(parents=True)
    return folder


def leave(text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write(text)
    return Path(file.name)


def fail_after(path: Path) -> None:
    raise DataError("too late", where=str(path))


def test_the_temporary_folder_is_the_runs_own_and_goes_with_it() -> None:
    before = tempfile.gettempdir(), os.environ.get("TMPDIR")
    with scratch(None) as folder, within_scratch() as same:
        assert same == folder
        path = leave("text")
        assert str(path.parent) == tempfile.gettempdir() == os.environ["TMPDIR"] != before[0]
    assert not path.parent.exists()
    assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == before
    with within_scratch() as own:
        assert own != folder
        assert own.exists()
    assert not own.exists()


def test_nobody_else_may_enter_the_folder() -> None:
    with within_scratch() as own:
        assert own.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        assert len(place) <= FOLDER_LENGTH_LIMIT
        folders = [_killed_owner(), _killed_owner()]
        foreign = Path(place) / "bauta-foreign"
        foreign.mkdir()
        with within_scratch() as living, within_scratch() as own:
            assert living.exists()
            assert own.exists()
            assert not any(folder.exists() for folder in folders)
            assert foreign.exists(), "without an owner's file it is not ours to judge"


def _killed_owner() -> Path:
    """Return the folder of a process that was killed while it had it."""
    code = (
        "import sys, time; from orchestration.scratch import within_scratch\n"
        "with within_scratch() as own:\n  print(own, flush=True)\n  time.sleep(600)"
    )
    environment = os.environ | {"TMPDIR": tempfile.gettempdir()}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert folder.exists()
        owner.kill()
    assert folder.exists()
    return folder


def test_what_is_left_is_kept_also_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too late"), scratch(tmp_path / "left"):
        fail_after(leave("text"))
    (kept,) = (tmp_path / "left" / "temporary").iterdir()
    assert kept.read_text() == "text"


def test_only_what_is_new_in_a_cache_is_kept(tmp_path: Path, caches: Path) -> None:
    (caches / "old.npz").write_text("old")
    os.utime(caches / "old.npz", (time() - 60, time() - 60))
    with scratch(tmp_path / "left"):
        (caches / "new.npz").write_text("new")
    kept = tmp_path / "left" / "caches" / "bauta" / "adapted"
    assert [path.name for path in kept.iterdir()] == ["new.npz"]
    assert (caches / "new.npz").exists()


def test_a_run_keeps_files_only_if_it_records_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration import job

    play = job._play

    def leaving(*given: Any) -> Any:
        leave("text")
        return play(*given)

    monkeypatch.setattr(job, "_play", leaving)
    for capture, count in (("none", 0), ("payloads", 1)):
        scenario = parse_scenario(SCENARIO, [f"capture={capture}"])
        path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=ignore)
        assert len(list(path.glob("left/temporary/*.txt"))) == count
