"""Ending a benchmark on Ray from outside: nothing is left running."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

pytestmark = pytest.mark.ray

PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from orchestration.cli.main import main; main()"
)
COMMAND = (
    "bench", "search", "--entries", "2000", "--dim", "32", "--batch", "1", "--against", "plaintext",
    "--repeats", "100000", "--runtime", "memory,ray",
)  # fmt: skip


def runs(process: psutil.Process) -> bool:
    """Return whether a process still does anything; a dead one may wait for init to collect it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow, id="out of memory"),
    ],
)
def test_no_process_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "result.json"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *COMMAND, "--out", str(out)],
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
        running.send_signal(number)
        rest = running.stderr.read()
        assert running.wait(timeout=60) == (-9 if number == signal.SIGKILL else 130), rest
    assert "Traceback" not in rest
    # Ray's agents notice within seconds that they are alone, then try for a minute to tell someone.
    deadline = monotonic() + 150
    while monotonic() < deadline and any(map(runs, family)):
        sleep(0.2)
    assert [process.name() for process in family if runs(process)] == []
    assert not out.exists()
