"""Plain contenders: the same gallery and probes with nothing hidden.

All of them get the quantised templates, so that their decisions can be compared exactly: in single
precision a score of a 16-bit ring is exact, whatever the order of its sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter, process_time
from types import ModuleType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orchestration.benchmarks.search.samples import Sample
from orchestration.benchmarks.search.workload import BLOCK_ROWS, Search, Workload
from protocol.errors import InfrastructureError
from protocol.sharing.kernels import ring_product
from protocol.sharing.ring import Ring

__all__ = ["PlainContender", "faiss_contenders", "load_faiss", "plaintext_contenders"]

# From so many probes on BLAS is the faster of FAISS's two ways; its default is 128,000 / d.
BLAS_PROBES: Final = 2
FLOAT_EXACT: Final = 1 << 24

Decide: TypeAlias = Callable[[slice], Any]
Pack: TypeAlias = Callable[[Any], npt.NDArray[np.uint8]]


class PlainContender:
    """A function of the probes that takes part in no protocol.

    Args:
        name: what it is called.
        decide: answers the probes of a slice; this is timed.
        pack: turns the answer into decisions packed little-endian; None if it has none for all
            rows, or could round them wrongly.
        workload: what is right.
    """

    runtime = "plain"
    enrol_s = 0.0
    costs_as_declared: bool | None = None

    def __init__(self, name: str, decide: Decide, pack: Pack | None, workload: Workload) -> None:
        self.name = name
        self._decide, self._pack = decide, pack
        self._workload = workload
        self._samples: list[Sample] = []

    def start(self) -> None:
        """Do nothing: the gallery is in place."""

    def turn(self, search: Search) -> None:
        """Answer a search."""
        begun, cpu = perf_counter(), process_time()
        answer = self._decide(search.probes)
        online_s, cpu_s = perf_counter() - begun, process_time() - cpu
        equal = None
        if self._pack is not None:
            right = self._workload.oracle[search.probes]
            equal = bool(np.array_equal(self._pack(answer), right))
        self._samples.append(Sample(search, online_s, equal, cpu_s))

    def samples(self) -> list[Sample]:
        """Return what every search cost."""
        return self._samples

    def stop(self) -> None:
        """Do nothing."""


def faiss_contenders(
    rows: npt.NDArray[Any], workload: Workload, threads: int
) -> Iterator[PlainContender]:
    """Yield FAISS's flat index in single precision, asked in the two ways it can be.

    `range_search` gives all rows above the threshold, which is the same answer as ours; `search`
    with k = 1 gives the best row only, and is sometimes faster.

    Raises:
        InfrastructureError: FAISS is not installed.
    """
    faiss = load_faiss()
    faiss.omp_set_num_threads(threads)
    faiss.cvar.distance_compute_blas_threshold = BLAS_PROBES * rows.shape[1]
    index = faiss.IndexFlatIP(rows.shape[1])
    for start in range(0, len(rows), BLOCK_ROWS):
        index.add(rows[start : start + BLOCK_ROWS].astype(np.float32))
    probes = workload.integer_probes.astype(np.float32)
    threshold = workload.threshold - 0.5

    def above(chosen: slice) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        limits, _, found = index.range_search(probes[chosen], threshold)
        return limits, found

    def pack(answer: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]) -> npt.NDArray[np.uint8]:
        limits, found = answer
        match = np.zeros((len(limits) - 1, len(rows)), dtype=np.bool_)
        match[np.repeat(np.arange(len(match)), np.diff(limits).astype(np.int64)), found] = True
        return _packed(match)

    exact = pack if _exact(workload) else None
    yield PlainContender("faiss range_search", above, exact, workload)
    yield PlainContender("faiss search k=1", lambda p: index.search(probes[p], 1), None, workload)


def plaintext_contenders(
    rows: npt.NDArray[Any], workload: Workload, ring: Ring
) -> Iterator[PlainContender]:
    """Yield numpy's product in single precision, and the servers' own kernel on open integers."""
    single, probes = rows.astype(np.float32), workload.integer_probes.astype(np.float32)
    threshold = np.float32(workload.threshold - 0.5)

    def by_blas(chosen: slice) -> Any:  # noqa: ANN401 - bool [B,N]
        alone = chosen.stop - chosen.start == 1
        scores = (single @ probes[chosen.start])[None] if alone else probes[chosen] @ single.T
        return scores >= threshold

    matrix, integers = ring.encode(rows), ring.encode(workload.integer_probes)
    signed = np.dtype(f"<i{ring.bytes}")

    def by_kernel(chosen: slice) -> Any:  # noqa: ANN401 - bool [B,N]
        return ring_product(matrix, integers[chosen]).view(signed) >= workload.threshold

    exact = _packed if _exact(workload) else None
    yield PlainContender("plaintext", by_blas, exact, workload)
    yield PlainContender("plaintext integers", by_kernel, _packed, workload)


def load_faiss() -> ModuleType:
    """Import FAISS.

    Raises:
        InfrastructureError: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        hint = "`pip install -c constraints.txt .[bench]` adds it; or leave it out of --against"
        raise InfrastructureError(f"FAISS cannot be imported: {error}", hint=hint) from error
    module: ModuleType = faiss
    return module


def _exact(workload: Workload) -> bool:
    """Return whether single precision holds every score."""
    return workload.max_abs_score < FLOAT_EXACT


def _packed(match: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.packbits(match, axis=1, bitorder="little")
