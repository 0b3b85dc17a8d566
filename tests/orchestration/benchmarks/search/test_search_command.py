from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from orchestration.benchmarks.search import measure, memory
from orchestration.benchmarks.search.cells import PEERS
from orchestration.benchmarks.search.parties import MeasuredClient
from orchestration.benchmarks.search.rows import Row
from orchestration.cli.main import main

ISSUE_FIELDS = [
    "name", "runtime", "entries", "dim", "batch", "ring", "online_s_median", "offline_s_median",
    "online_bytes_per_entry_per_party", "offline_bytes_per_entry", "rounds", "ratio_to_faiss",
    "ratio_to_crypten", "equals_oracle",
]  # fmt: skip
SMALL = (
    "--entries", "200", "--dim", "24", "--batch", "1,3", "--runtime", "memory",
    "--repeats", "2", "--warmups", "1",
)  # fmt: skip


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "search", *arguments])


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("bench") / "result.json"
    return bench(*SMALL, "--json", "--out", str(out)), out


def rows_of(found: Result) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(found.stdout)["rows"]
    return rows


def test_everything_searches_the_same_gallery_and_is_right(result: tuple[Result, Path]) -> None:
    found, _ = result
    assert found.exit_code == 0, found.output
    rows = rows_of(found)
    names = {row["name"] for row in rows}
    assert names == {
        "dealer", "faiss range_search", "faiss search k=1", "plaintext", "plaintext integers",
        "crypten by itself", "crypten as written",
    }  # fmt: skip
    assert len(rows) == 2 * len(names) - 1
    for row in rows:
        assert row["equals_oracle"] is (None if row["name"] == "faiss search k=1" else True)
        assert row["repeats"] == 2


def test_json_is_environment_and_rows_with_the_fields_asked_for(
    result: tuple[Result, Path],
) -> None:
    content = json.loads(result[0].stdout)
    assert list(content) == ["environment", "rows"]
    assert content["environment"]["processor"]
    assert content["environment"]["packages"]["faiss-cpu"] != "not installed"
    for row in content["rows"]:
        assert list(row)[: len(ISSUE_FIELDS)] == ISSUE_FIELDS
        msgspec.convert(row, Row)


def test_a_protocol_row_holds_what_the_journal_says(result: tuple[Result, Path]) -> None:
    (row,) = [r for r in rows_of(result[0]) if (r["name"], r["batch"]) == ("dealer", 3)]
    assert row["rounds"] == 6
    assert row["costs_as_declared"] is True
    # 200 rows and 3 probes: 2 bytes under masks, AND operands, a bit each, and the masked probes.
    assert 4 < row["online_bytes_per_entry_per_party"] < 8
    assert 6 < row["offline_bytes_per_entry"] < 8
    assert 0 < row["servers_online_s_median"] < row["online_s_max"]
    assert row["online_s_min"] <= row["online_s_median"] <= row["online_s_max"]


def test_ratios_are_taken_against_the_fastest_of_each_peer(result: tuple[Result, Path]) -> None:
    for batch in (1, 3):
        rows = {r["name"]: r for r in rows_of(result[0]) if r["batch"] == batch}
        times = {name: row["online_s_median"] for name, row in rows.items()}
        faiss_s = min(times["faiss range_search"], times["faiss search k=1"])
        assert rows["dealer"]["ratio_to_faiss"] == pytest.approx(times["dealer"] / faiss_s)
        crypten_s = times["crypten by itself"]
        crypten_s = min(crypten_s, times.get("crypten as written", crypten_s))
        assert rows["dealer"]["ratio_to_crypten"] == pytest.approx(crypten_s / times["dealer"])


def test_the_result_file_says_how_it_was_made(result: tuple[Result, Path]) -> None:
    found, out = result
    content = json.loads(out.read_bytes())
    assert content["rows"] == rows_of(found)
    assert content["environment"] == json.loads(found.stdout)["environment"]
    assert content["options"]["entries"] == [200]
    assert content["options"]["seed"] == 7
    assert content["command"].split()[0] == "bauta"
    assert content["started_utc"].endswith("+00:00")


def test_a_finished_gallery_is_not_measured_again(
    result: tuple[Result, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> list[Row]:
        raise AssertionError

    monkeypatch.setattr(measure, "measure_gallery", never)
    found, out = result
    again = bench(*SMALL, "--json", "--out", str(out))
    assert again.exit_code == 0
    assert rows_of(again) == rows_of(found)


def test_rows_of_other_options_are_not_mixed(result: tuple[Result, Path]) -> None:
    found = bench(*SMALL, "--seed", "8", "--out", str(result[1]))
    assert found.exit_code == 2
    assert "other options" in found.output


def test_rows_of_another_processor_are_not_mixed(
    result: tuple[Result, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "processor: " in bench(*SMALL, "--out", str(result[1])).output
    monkeypatch.setattr("orchestration.environment.processor", lambda: "Another 9000")
    found = bench(*SMALL, "--out", str(result[1]))
    assert found.exit_code == 2
    assert "not Another 9000" in found.output


def test_a_file_that_is_no_result_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "notes.json"
    out.write_text("{}")
    found = bench(*SMALL, "--out", str(out))
    assert found.exit_code == 2
    assert out.read_text() == "{}"


def test_a_wrong_decision_fails_the_benchmark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    note = MeasuredClient._note

    def flipped(self: MeasuredClient, name: str, values: np.ndarray) -> None:
        if name == "match":
            values = values ^ (np.arange(values.shape[1]) == 17)
        note(self, name, values)

    monkeypatch.setattr(MeasuredClient, "_note", flipped)
    found = bench(*SMALL, "--against", "plaintext", "--out", str(tmp_path / "r.json"))
    assert found.exit_code == 1
    assert found.output.count("WRONG") == 2


def test_a_gallery_too_large_is_refused_with_the_figure_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: 4 << 30)
    monkeypatch.setattr(measure, "measure_gallery", None)
    found = bench("--entries", "9000000", "--json", "--out", str(tmp_path / "r.json"))
    assert found.exit_code == 2
    assert "9,000,000 entries of dimension 512 need about" in found.stderr
    assert "GiB" in found.stderr
    assert found.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--protocol", "dealr"), "there is no protocol dealr"),
        (("--ring", "17"), "there is no ring of 17 bits"),
        (("--against", "lucene"), "'lucene' is none of"),
        (("--entries", "0"), "0 is not in the range"),
        (("--batch", "1,x"), "'x' is not a valid integer"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: tuple[str, ...], text: str) -> None:
    found = bench(*arguments)
    assert found.exit_code == 2
    assert text in found.output


def test_the_table_ends_with_a_legend(tmp_path: Path) -> None:
    found = bench(
        "--entries", "64", "--dim", "16", "--batch", "1", "--runtime", "memory", "--repeats", "1",
        "--warmups", "0", "--against", "faiss", "--out", str(tmp_path / "r.json"),
    )  # fmt: skip
    assert found.exit_code == 0
    header, *lines = found.stdout.splitlines()
    assert all(name in header for name in ("servers ms", "offline ms", "x FAISS", "CrypTen/"))
    assert sum("equal" in line for line in lines) == 3
    assert "wall time" in found.stdout


def test_peers_of_the_command_are_those_of_the_benchmark() -> None:
    (option,) = [p for p in main.commands["bench"].commands["search"].params if p.name == "against"]  # type: ignore[attr-defined]
    assert option.default == ",".join(PEERS)
