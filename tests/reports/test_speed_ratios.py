"""Ratios to FAISS by processor: from result files, never one without the others."""

from __future__ import annotations

from typing import Any

from reports.processors import measured, processors_markdown, ratio_range


def result(processor: str, ratio: float, instructions: list[str] | None = None) -> dict[str, Any]:
    def row(runtime: str, scale: float, **other: Any) -> dict[str, Any]:
        return {
            "name": "dealer", "runtime": runtime, "entries": 100_000, "dim": 512, "ring": 16,
            "batch": 1, "online_s_median": 0.02 * scale, "ratio_to_faiss": ratio * scale, **other,
        }  # fmt: skip

    told = {} if instructions is None else {"instructions": instructions}
    rows = [row("memory", 1), row("ray", 2), row("memory", 9, dim=128), row("plain", 9, entries=9)]
    return {
        "started_utc": "2026-11-25T14:52:35+00:00", "rows": rows,
        "environment": {"processor": processor, **told},
    }  # fmt: skip


RESULTS = {
    "a.json": result("Xeon", 1.05),
    "b.json": result("EPYC", 1.5, ["avx2", "avx512bw", "avx512_vnni"]),
}


def test_a_line_for_each_processor_with_both_runtimes() -> None:
    _, _, first, second = processors_markdown(measured(RESULTS)).splitlines()
    told = "| Xeon | 2026-11-25 | 100,000 | 1 | 20.0 | **1.05** | 40.0 | **2.10** |"
    assert first == f"{told} [`a.json`](a.json) |"
    assert second.startswith("| EPYC, AVX-512 |")


def test_the_range_is_over_processors() -> None:
    cells = measured(RESULTS)
    assert ratio_range(cells, 100_000, "memory") == (1.05, 1.5)
    assert ratio_range(cells, 100_000, "ray") == (2.1, 3.0)
