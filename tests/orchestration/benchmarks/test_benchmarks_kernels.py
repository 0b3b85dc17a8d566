from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestration.benchmarks.kernels import KernelSizes, KernelTiming, measure_kernels
from orchestration.cli.main import main


@pytest.mark.parametrize("ring_bits", [16, 32])
def test_every_kernel_is_measured_for_every_batch(ring_bits: int) -> None:
    seen: list[KernelTiming] = []
    sizes = KernelSizes(entries=100, dimension=40, batches=(1, 3), ring_bits=ring_bits)
    timings = measure_kernels(sizes, repeats=2, on_result=seen.append)
    assert timings == seen
    names = {timing.name for timing in timings}
    assert {"product", "bit planes", "comparison tree", "stream AES-256-CTR"} <= names
    assert len(timings) == 2 * len(names)
    assert all(0 < timing.best_s <= timing.median_s for timing in timings)
    products = [timing for timing in timings if timing.name == "product"]
    assert [timing.multiplications for timing in products] == [4_000, 12_000]
    assert {timing.read_bytes for timing in products} == {4_000 * ring_bits // 8}


def test_the_command_prints_one_line_per_kernel() -> None:
    sizes = ["--entries", "100", "--dim", "32", "--batch", "1", "--repeats", "1"]
    result = CliRunner().invoke(main, ["bench", "kernels", *sizes])
    assert result.exit_code == 0
    head, *lines = result.output.splitlines()
    assert head.split() == ["batch", "ms", "best", "GB/s", "GMAC/s", "ns/entry", "kernel"]
    assert len(lines) == 7
    assert all(float(line.split()[1]) >= 0 for line in lines)
