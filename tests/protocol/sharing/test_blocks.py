"""Cutting work into blocks: what is covered, and how many threads are allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.sharing.kernels_blocks import compute_threads, computing_with, run_blocks


@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 5))
def test_blocks_cover_everything_once_and_begin_at_multiples(
    count: int, unit: int, threads: int
) -> None:
    blocks: list[tuple[int, int]] = []
    run_blocks(lambda *block: blocks.append(block), count, unit, threads)
    blocks.sort()
    assert len(blocks) <= threads
    assert [start for start, _ in blocks] == [0, *(stop for _, stop in blocks[:-1])]
    assert blocks[-1][1] == count
    assert all(start % unit == 0 for start, _ in blocks)


def test_unless_told_otherwise_as_many_threads_as_the_process_allows() -> None:
    blocks: list[tuple[int, int]] = []
    with computing_with(3):
        assert compute_threads() == 3
        run_blocks(lambda *block: blocks.append(block), 9, 1, None)
    assert sorted(blocks) == [(0, 3), (3, 6), (6, 9)]
    assert compute_threads() == 1
