"""Secrets in what outlives an actor are found: its log, its temporary files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.audit import Verdict, judge_run

pytestmark = pytest.mark.ray

SCENARIO = """
name: left
runtime: ray
data: {kind: templates, dimension: 32, entries: 6, mated: 4, unmated: 2, batch: 3}
network: {kind: identity}
search: {threshold: 0.5}
insecure: [trusted_dealer]
capture: payloads
report: false
"""
TALKATIVE = (
    "from functools import partial; from orchestration.runtime import ray;"
    "ray.run_on_ray = partial(ray.run_on_ray, builder='talkative_parties:build');"
)
HONEST = ""


def canaries_of(folder: Path, program: str) -> tuple[Path, Verdict]:
    """Run in a process of its own, so that the cluster and its files are the run's own."""
    (folder / "left.yaml").write_text(SCENARIO)
    code = f"{program}from orchestration.cli.main import main; main()"
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", code, "run", folder / "left.yaml", "--out", folder],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path = (folder / "left" / "latest").resolve()
    return path, next(v for v in judge_run(path) if v.check == "canaries")


def test_an_honest_run_leaves_no_secret_in_rays_files(tmp_path: Path) -> None:
    path, found = canaries_of(tmp_path, HONEST)
    assert found.passed, found.detail
    logs = [file.name for file in path.glob("left/temporary/r/session_*/logs/worker-*")]
    assert len(logs) >= 4


def test_a_row_in_an_actors_log_and_one_in_a_temporary_file_are_found(tmp_path: Path) -> None:
    _, found = canaries_of(tmp_path, TALKATIVE)
    assert not found.passed
    assert "rows 2 as decimal text with ', ' in left/temporary/" in found.detail
    assert "/logs/worker-" in found.detail
    assert "rows 3 as raw" in found.detail
    assert "rows 0" not in found.detail
