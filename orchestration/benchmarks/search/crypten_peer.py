"""CrypTen's own path: its engine for both parties in this process, without our messages or journal.

Arrays go from party to party by reference, so nothing is encoded, copied or hashed. Two ways:

by itself   the fastest there is: one column per row of the gallery, and correlations made ahead
as written  as its interface has it: the gallery as it was enrolled, transposed for the product,
            and correlations made when an operation asks for them, which it has no other way to do
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Coroutine, Generator, Sequence
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orchestration.benchmarks.search.samples import Sample
from orchestration.benchmarks.search.workload import Search, Workload
from protocol.search.crypten.blocking import Arrays
from protocol.search.crypten.correlations import SearchShape
from protocol.search.crypten.search import ComputingParty, Prepared, SearchShares, Shared
from protocol.sharing.prg import Seed

__all__ = ["AS_WRITTEN", "BY_ITSELF", "CryptenContender"]

BY_ITSELF: Final = "crypten by itself"
AS_WRITTEN: Final = "crypten as written"

WORD: Final = np.dtype("<u8")
WORD_BYTES: Final = 8


class CryptenContender:
    """Both of CrypTen's computing parties, with its first-party provider of correlations.

    Args:
        rows: integer gallery [N,D].
        workload: what is right.
        turns: the searches it answers.
        as_written: the slower of the two ways.
    """

    runtime = "plain"
    costs_as_declared: bool | None = None

    def __init__(
        self,
        rows: npt.NDArray[Any],
        workload: Workload,
        turns: Sequence[Search],
        *,
        as_written: bool = False,
    ) -> None:
        self.name = AS_WRITTEN if as_written else BY_ITSELF
        self.enrol_s = 0.0
        self._as_written = as_written
        self._rows, self._workload, self._turns = rows, workload, tuple(turns)
        self._samples: list[Sample] = []
        self._links = _Links()

    def start(self) -> None:
        """Share the gallery."""
        begun = perf_counter()
        self._parties = tuple(ComputingParty(rank, "TFP", os.urandom) for rank in (0, 1))
        _together(*(p.setup(self._links.end(r)) for r, p in enumerate(self._parties)))
        columns = self._rows.T if self._as_written else np.ascontiguousarray(self._rows.T)
        self._gallery = _share(columns)
        self.enrol_s = perf_counter() - begun

    def turn(self, search: Search) -> None:
        """Make a search's correlations, then answer it; the probe is shared before the clock."""
        if search not in self._turns:
            return
        probes = _share(self._workload.integer_probes[search.probes])
        self._links.sent_bytes = 0
        begun, cpu = perf_counter(), process_time()
        prepared = self._prepare(search)
        offline_s = perf_counter() - begun
        if self._as_written:
            offline_s = 0.0
        else:
            begun, cpu = perf_counter(), process_time()
        first, second = self._search(prepared, probes)
        match = first.decisions ^ second.decisions
        online_s, cpu_s = perf_counter() - begun, process_time() - cpu
        packed = np.packbits(match, axis=1, bitorder="little")
        equal = bool(np.array_equal(packed, self._workload.oracle[search.probes]))
        self._samples.append(
            Sample(
                search, online_s, equal, cpu_s,
                offline_s=offline_s, offline_compute_s=offline_s, servers_online_s=online_s,
                online_server_bytes=self._links.sent_bytes // 2, offline_bytes=0,
            )
        )  # fmt: skip

    def samples(self) -> list[Sample]:
        """Return what every search cost."""
        return self._samples

    def stop(self) -> None:
        """Do nothing: it runs in the driver's own thread."""

    def _prepare(self, search: Search) -> list[Prepared]:
        rows, dimension = self._rows.shape
        shape = SearchShape(rows, search.batch, dimension)
        ends = map(self._links.end, (0, 1))
        return _together(*(p.prepare(e, shape) for p, e in zip(self._parties, ends, strict=True)))

    def _search(self, prepared: Sequence[Prepared], probes: Sequence[Shared]) -> list[SearchShares]:
        return _together(
            *(
                party.search(
                    self._links.end(rank),
                    prepared[rank],
                    gallery=self._gallery[rank],
                    probes=probes[rank],
                    threshold=self._workload.threshold,
                )
                for rank, party in enumerate(self._parties)
            )
        )


def _share(values: npt.NDArray[Any]) -> tuple[Shared, Shared]:
    """Split signed integers into two additive shares modulo 2^64."""
    first = np.empty_like(values, dtype=WORD)  # in memory as the values are
    first[...] = Seed.fresh(os.urandom).expand("share", values.shape, WORD)
    return Shared(first), Shared(values.astype(np.int64).view(WORD) - first)


class _Links:
    """Queues between the two parties, by receiver."""

    def __init__(self) -> None:
        self.queues: tuple[deque[Arrays], deque[Arrays]] = deque(), deque()
        self.sent_bytes = 0

    def end(self, rank: int) -> _LinkEnd:
        return _LinkEnd(self, rank)


class _LinkEnd:
    session = "benchmark"

    def __init__(self, links: _Links, rank: int) -> None:
        self._links = links
        self._rank = rank

    async def send(self, peer: int, arrays: Arrays) -> None:
        self._links.sent_bytes += sum(array.nbytes for array in arrays)
        self._links.queues[peer].append(arrays)

    async def receive(self, peer: int) -> Arrays:
        del peer  # there is only one
        queue = self._links.queues[self._rank]
        while not queue:
            await _OtherParty()
        return queue.popleft()


class _OtherParty:
    """Lets the other party run."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def _together(*coroutines: Coroutine[Any, None, Any]) -> list[Any]:
    """Step coroutines in turn until all have ended; return their results in order."""
    results: dict[int, Any] = {}
    while len(results) < len(coroutines):
        for index, coroutine in enumerate(coroutines):
            if index in results:
                continue
            try:
                coroutine.send(None)
            except StopIteration as end:
                results[index] = end.value
    return [results[index] for index in range(len(coroutines))]
