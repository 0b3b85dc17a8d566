from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.cli.main import main

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


def test_both_runtimes_take_turns_and_send_the_same_bytes(tmp_path: Path) -> None:
    found = CliRunner().invoke(
        main,
        [
            "bench", "search", "--entries", "300", "--dim", "24", "--batch", "1,2",
            "--against", "plaintext", "--repeats", "2", "--warmups", "1", "--json",
            "--out", str(tmp_path / "r.json"),
        ],
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    rows = [row for row in json.loads(found.stdout)["rows"] if row["name"] == "dealer"]
    assert [(row["runtime"], row["batch"]) for row in rows] == [
        ("memory", 1), ("memory", 2), ("ray", 1), ("ray", 2),
    ]  # fmt: skip
    for row in rows:
        assert row["equals_oracle"] is True
        assert row["costs_as_declared"] is True
    traffic = [
        (row["online_bytes_per_entry_per_party"], row["offline_bytes_per_entry"], row["rounds"])
        for row in rows
    ]
    assert traffic[:2] == traffic[2:]
