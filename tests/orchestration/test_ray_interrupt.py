"""Ctrl-C during a run on Ray: a quick end, and nothing left running."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.ray

# A shell's background job inherits an ignored SIGINT; a person's terminal does not.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from orchestration.cli.main import main; main()"
)
COMMAND = (
    "run", "templates-100k", "--runtime", "ray", "--set", "data.entries=500",
    "--set", "data.mated=4000", "--set", "data.dimension=32",
)  # fmt: skip


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *COMMAND, "--out", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        lines = []
        for line in running.stderr:
            lines.append(line)
            if line.startswith("search"):
                break
        family = psutil.Process(running.pid).children(recursive=True)
        assert family, lines
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
        assert running.wait(timeout=60) == 130, rest
    assert "interrupted" in rest
    assert "Traceback" not in rest
    _, alive = psutil.wait_procs(family, timeout=15)
    assert [process.name() for process in alive] == []
