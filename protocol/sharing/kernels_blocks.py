"""One computation cut into blocks that run on several threads, for code that drops the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

__all__ = ["compute_threads", "computing_with", "run_blocks", "set_compute_threads"]

_allowed: list[int] = [1]


def set_compute_threads(count: int) -> None:
    """Let kernels of this process compute with this many threads unless told otherwise; 1 at first.

    As torch.set_num_threads does for torch. A runtime decides, since only it knows which parties
    compute at the same time; results do not depend on it.
    """
    _allowed[0] = max(count, 1)


@contextmanager
def computing_with(count: int) -> Iterator[None]:
    """Let kernels compute with this many threads inside, and with as many as before afterwards."""
    before = compute_threads()
    set_compute_threads(count)
    try:
        yield
    finally:
        set_compute_threads(before)


def compute_threads() -> int:
    """Return how many threads kernels of this process may compute with."""
    return _allowed[0]


def run_blocks(
    step: Callable[[int, int], None], count: int, unit: int, threads: int | None
) -> None:
    """Call step(start, stop) for blocks that cover 0 … count, one per thread at most.

    Args:
        step: writes its own part of the result, so the result does not depend on the cut.
        count: elements in all.
        unit: blocks begin at multiples of this.
        threads: blocks at once; with 1 the caller's thread does all, None: `compute_threads`.
    """
    threads = threads or compute_threads()
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
