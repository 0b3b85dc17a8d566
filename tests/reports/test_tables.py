"""A run as data frames and CSV files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from protocol.errors import DataError
from reports.records import RunFiles, read_run
from reports.tables import run_tables, write_tables


@pytest.fixture(scope="module")
def small_run(opened_original: Path) -> RunFiles:
    """A run read back."""
    return read_run(opened_original)


def test_tables_hold_the_whole_run(small_run: RunFiles) -> None:
    tables = run_tables(small_run)
    assert len(tables["journal"]) == len(small_run.events)
    sent = tables["journal"][tables["journal"]["event"] == "sent"]
    assert tables["messages"]["wire_bytes"].sum() == sent["wire_bytes"].sum()
    assert tables["costs"]["equal"].all()
    decisions = tables["decisions"]
    assert len(decisions) == len(small_run.observations["probe_identity"])
    assert decisions["equals_oracle"].all()
    matched = int(small_run.observations["secure_match"].sum())
    assert decisions["rows_matched"].sum() == matched


def test_files_read_back_equal(small_run: RunFiles, tmp_path: Path) -> None:
    paths = write_tables(small_run, tmp_path / "tables")
    for path in paths:
        frame = run_tables(small_run)[path.stem]
        assert len(pd.read_csv(path)) == len(frame)


def test_a_place_that_cannot_be_written_is_told(small_run: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="cannot be"):
        write_tables(small_run, tmp_path / "file")
