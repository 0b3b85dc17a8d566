"""Signals during a run on Ray: a quick end in order, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_address
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


@pytest.mark.parametrize(
    ("moment", "number", "code", "said"),
    [
        ("search", signal.SIGINT, 130, "interrupted"),
        ("search", signal.SIGTERM, 143, "stopped by SIGTERM"),
        ("start Ray", signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_signal_ends_the_run_in_order(
    tmp_path: Path, moment: str, number: signal.Signals, code: int, said: str
) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as scratch,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *COMMAND, "--out", tmp_path],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": scratch},
        ) as running,
    ):
        assert running.stderr is not None
        lines = []
        for line in running.stderr:
            lines.append(line)
            if line.startswith(moment):
                break
        if moment == "start Ray":
            time.sleep(1.5)  # in the middle of it
        family = psutil.Process(running.pid).children(recursive=True)
        assert family, lines
        running.send_signal(number)
        rest = running.stderr.read()
        assert running.wait(timeout=60) == code, rest
        assert said in rest
        assert "Traceback" not in rest
        assert "logging.cc" not in rest
        _, alive = psutil.wait_procs(family, timeout=15)
        assert [process.name() for process in alive] == []
        assert list(Path(scratch).iterdir()) == []
    (failed,) = tmp_path.glob("templates-100k/*/failed.json")
    assert json.loads(failed.read_text())["message"] == said
    kept = (failed.parent / "journal.jsonl").read_text()
    assert bool(kept) == (moment == "search")


def test_ray_listens_on_loopback_only_and_in_a_folder_of_its_user() -> None:
    """Found where a cluster of our own is started: in a process of its own."""
    code = (
        "import psutil, pathlib; from orchestration.runtime.ray_cluster import cluster\n"
        "from orchestration.scratch import scratch\n"
        "with scratch(None) as folder, cluster():\n"
        "    for child in psutil.Process().children(recursive=True):\n"
        "        for at in child.net_connections('inet'):\n"
        "            if at.status == psutil.CONN_LISTEN: print(at.laddr.ip)\n"
        "    print(oct(folder.stat().st_mode & 0o777))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert "handler" not in done.stderr
    *addresses, mode = done.stdout.split()
    plain = [address.removeprefix("::ffff:") for address in addresses]
    assert plain
    assert all(ip_address(address).is_loopback for address in plain), addresses
    assert mode == "0o700"
