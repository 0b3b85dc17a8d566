"""Which product kernel is taken: measured in the course of the first large product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from protocol.sharing import kernels_choice, kernels_product
from protocol.sharing.kernels import ring_product
from protocol.sharing.kernels_choice import KERNELS, Kernel, chosen, settled, use_clock
from protocol.sharing.kernels_product import TILE_ROWS


class Cost:
    """A clock that only computing moves, and kernels that take so long a row."""

    def __init__(self, seconds_a_row: dict[Kernel, float]) -> None:
        self.now = 0.0
        self.rows: dict[Kernel, list[tuple[int, int]]] = {name: [] for name in KERNELS}
        self.kernels = {name: self._kernel(name, cost) for name, cost in seconds_a_row.items()}

    def _kernel(self, name: Kernel, cost: float) -> Callable[[int, int], None]:
        def compute(start: int, stop: int) -> None:
            first = not self.rows[name]
            self.rows[name].append((start, stop))
            self.now += cost * (stop - start) + 100 * first  # the first call compiles

        return compute


@pytest.fixture(autouse=True)
def _without_clock() -> Iterator[None]:
    use_clock(None)
    yield
    use_clock(None)


@pytest.mark.parametrize("fast", KERNELS)
def test_the_kernel_that_takes_less_time_is_kept(fast: Kernel) -> None:
    cost = Cost({name: 1.0 if name == fast else 1.2 for name in KERNELS})
    use_clock(lambda: cost.now)
    matrix = np.zeros((100_000, 64), np.uint16)
    name, done = settled(cost.kernels, matrix, 5, TILE_ROWS)
    assert name == fast == chosen(matrix, 5)
    covered = sorted(block for blocks in cost.rows.values() for block in blocks)
    assert covered[0][0] == 0
    assert covered[-1][1] == done
    assert all(one[1] == two[0] for one, two in pairwise(covered))
    before = cost.now
    assert settled(cost.kernels, matrix, 5, TILE_ROWS) == (fast, 0)
    assert cost.now == before


def test_small_products_single_probes_and_processes_without_a_clock_measure_nothing() -> None:
    cost = Cost(dict.fromkeys(KERNELS, 1.0))
    large, small = np.zeros((100_000, 64), np.uint16), np.zeros((1000, 64), np.uint16)
    assert settled(cost.kernels, large, 5, TILE_ROWS) == ("rows", 0)
    use_clock(lambda: cost.now)
    assert settled(cost.kernels, small, 5, TILE_ROWS) == ("rows", 0)
    assert settled(cost.kernels, small, 500, TILE_ROWS) == ("lanes", 0)
    assert settled(cost.kernels, large, 1, TILE_ROWS) == ("rows", 0)
    assert cost.now == 0


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("fast", KERNELS)
def test_a_product_that_is_measured_while_it_is_computed_is_exact(
    bits: int, threads: int, fast: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels_choice, "_TURN_BYTES", 4096)
    monkeypatch.setattr(kernels_product, "_BLOCK_BYTES", 4096)
    random = np.random.default_rng(bits)
    matrix = random.integers(0, 1 << bits, (9_001, 37), dtype=f"u{bits // 8}")
    probes = random.integers(0, 1 << bits, (6, 37), dtype=matrix.dtype)
    ticks = iter(range(10_000))
    turns = iter(KERNELS * 3)
    slow = {name: 0 if name == fast else 5 for name in KERNELS}
    late = [0]

    def clock() -> float:
        tick = next(ticks)
        if tick % 2:
            late[0] += slow[next(turns)]
        return tick + late[0]

    use_clock(clock)
    for _ in range(2):
        product = ring_product(matrix, probes, threads=threads)
        assert np.array_equal(product, probes @ matrix.T)
    assert chosen(matrix, 6) == fast
