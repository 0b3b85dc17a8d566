from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.benchmarks.kernels import (
    KernelSizes,
    KernelTiming,
    measure_kernels,
    read_through,
)
from orchestration.cli.main import main


@pytest.mark.parametrize("ring_bits", [16, 32])
def test_every_kernel_is_measured_for_every_batch(ring_bits: int) -> None:
    seen: list[KernelTiming] = []
    sizes = KernelSizes(entries=100, dimension=40, batches=(1, 3), ring_bits=ring_bits)
    timings = measure_kernels(sizes, repeats=2, on_result=seen.append)
    assert timings == seen
    names = {timing.name for timing in timings}
    assert {"product by rows", "bit planes", "comparison tree", "stream AES-256-CTR"} <= names
    assert len(timings) == 2 * len(names)
    assert all(0 < timing.best_s <= timing.median_s for timing in timings)
    products = [timing for timing in timings if timing.name.startswith("product")]
    assert all(timing.share_of_read and timing.read_s for timing in products)
    assert all(timing.share_of_read is None for timing in timings if timing not in products)
    assert [timing.multiplications for timing in products] == [4_000, 12_000]
    assert {timing.read_bytes for timing in products} == {4_000 * ring_bits // 8}


def test_the_command_prints_one_line_per_kernel() -> None:
    sizes = ["--entries", "100", "--dim", "32", "--batch", "1", "--repeats", "1"]
    result = CliRunner().invoke(main, ["bench", "kernels", *sizes])
    assert result.exit_code == 0
    head, *lines = result.output.splitlines()
    assert head.split() == [
        "batch",
        "ms",
        "best",
        "GB/s",
        "GMAC/s",
        "ns/entry",
        "of",
        "read",
        "kernel",
    ]
    *lines, limit = lines
    assert limit.startswith("one core of ")
    assert limit.endswith(" GB/s in sequence")
    assert len(lines) == 7
    assert "product by rows" in lines[0]
    assert all(float(line.split()[1]) >= 0 for line in lines)


@pytest.mark.parametrize("ring", ["16", "32"])
def test_the_products_are_told_as_json_beside_the_read_bandwidth(ring: str) -> None:
    sizes = ["--entries", "101", "--dim", "33", "--batch", "1", "--batch", "40", "--ring", ring]
    result = CliRunner().invoke(main, ["bench", "kernels", *sizes, "--repeats", "3", "--json"])
    assert result.exit_code == 0
    told = msgspec.json.decode(result.output)
    assert set(told) == {"read_gb_s", "rows"}
    assert told["read_gb_s"] > 0
    assert [row["batch"] for row in told["rows"]] == [1, 40]
    assert [row["kernel"] for row in told["rows"]] == ["product by rows", "product by lanes"]
    for row in told["rows"]:
        assert set(row) == {"batch", "kernel", "gb_s", "share_of_read"}
        assert row["gb_s"] > 0
        assert row["share_of_read"] > 0


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64])
def test_reading_through_a_matrix_reads_every_word(dtype: type[np.unsignedinteger[Any]]) -> None:
    words = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, 1001, dtype=dtype)
    assert read_through(words) == int(words.sum(dtype=np.uint64))
