from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import DataError
from reports.scaling import write_scaling_figure


def row(name: str, entries: int, online_s: float | None, **other: Any) -> dict[str, Any]:
    return {
        "name": name, "runtime": "memory", "entries": entries, "dim": 512, "batch": 1, "ring": 16,
        "online_s_median": online_s, **other,
    }  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "result.json"
    path.write_text(json.dumps({"rows": rows}))
    return path


def test_each_contender_is_a_line_and_skipped_cells_are_left_out(tmp_path: Path) -> None:
    rows = [
        row("dealer", 1000, 0.002), row("dealer", 10000, 0.003),
        row("dealer", 1000, 0.01, batch=32),
        row("faiss range_search", 1000, 0.002, runtime="plain"),
        row("faiss search k=1", 1000, 0.001, runtime="plain"),
        row("crypten", 10**6, None),
    ]  # fmt: skip
    svg, png = write_scaling_figure(write(tmp_path, rows))
    text = svg.read_text()
    assert "dealer (memory)" in text
    assert ">faiss<" in text
    assert "crypten" not in text
    assert "batch 32, d = 512" in text
    assert png.read_bytes().startswith(b"\x89PNG")


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, [row("dealer", 1000, 0.002)])
    first = write_scaling_figure(path)[0].read_bytes()
    assert write_scaling_figure(path)[0].read_bytes() == first


@pytest.mark.parametrize("rows", [[], [row("crypten", 10**6, None)]])
def test_nothing_to_draw_is_an_error(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="no measured row"):
        write_scaling_figure(write(tmp_path, rows))


def test_another_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("[]")
    with pytest.raises(DataError, match="no result file"):
        write_scaling_figure(path)
