"""One computation cut into blocks that run on several threads, for code that drops the lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

__all__ = ["run_blocks"]


def run_blocks(step: Callable[[int, int], None], count: int, unit: int, threads: int) -> None:
    """Call step(start, stop) for blocks that cover 0 … count, one per thread at most.

    Args:
        step: writes its own part of the result, so the result does not depend on the cut.
        count: elements in all.
        unit: blocks begin at multiples of this.
        threads: blocks at once; with 1 the caller's thread does all.
    """
    block = max(-(-count // (threads * unit)), 1) * unit
    starts = range(0, count, block)
    if len(starts) <= 1:
        step(0, count)
        return
    pending = [_pool(threads).submit(step, start, min(start + block, count)) for start in starts]
    for future in pending:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernels")
