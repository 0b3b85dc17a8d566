"""How fast the search kernels are on this machine: one server's local work, piece by piece.

A product cannot be faster than its matrix can be read. How fast one core reads it from front to
back and does nothing else is measured in turns with the product, so that both meet the same
machine, also one that others use at the time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from protocol.jit import kernel
from protocol.search.comparison import and_operands, circuit, joined, leaves, secret_planes
from protocol.sharing.kernels import Planes, bit_planes, plane_bytes, ring_product, words_for
from protocol.sharing.kernels_choice import chosen, use_clock
from protocol.sharing.prg import Seed
from protocol.sharing.ring import Ring, RingArray

__all__ = ["KernelReport", "KernelSizes", "KernelTiming", "kernel_report", "measure_kernels"]

PRODUCT = "product"
_SEED = Seed(bytes(32))  # what is measured takes as long on any elements


class KernelSizes(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        entries: gallery rows N.
        dimension: columns D.
        batches: probes at once, one product and one comparison each.
        ring_bits: 16 or 32.
        radix: bits of a digit of the comparison.
        threads: threads of the products and of the stream.
        cuda: measure the products on the card as well.
    """

    entries: int = 100_000
    dimension: int = 512
    batches: tuple[int, ...] = (1, 8, 32)
    ring_bits: int = 16
    radix: int = 2
    threads: int = 1
    cuda: bool = False


class KernelTiming(msgspec.Struct, frozen=True, kw_only=True):
    """Wall time of one kernel.

    Attributes:
        name: the kernel.
        batch: probes at once.
        median_s: median of the repeats.
        best_s: fastest repeat: what an idle machine would take.
        read_bytes: bytes of its large operand.
        multiplications: ring multiplications, 0 where there are none.
        comparisons: scores it works on.
        read_s: median time of one core to read the large operand and do nothing else, measured in
            turns with the kernel; None where its operand is not in memory.
        share_of_read: median, over the turns, of the reading's time by the kernel's.
    """

    name: str
    batch: int
    median_s: float
    best_s: float
    read_bytes: int
    multiplications: int
    comparisons: int
    read_s: float | None = None
    share_of_read: float | None = None

    @property
    def gb_s(self) -> float:
        """Bytes of the large operand by median time, in 10^9 a second."""
        return self.read_bytes / self.median_s / 1e9


class KernelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One product of a report: batch, kernel taken, GB/s and share of the read bandwidth."""

    batch: int
    kernel: str
    gb_s: float
    share_of_read: float


class KernelReport(msgspec.Struct, frozen=True, kw_only=True):
    """The products beside the sequential read bandwidth of one core."""

    read_gb_s: float
    rows: list[KernelRow]


class _Work(NamedTuple):
    name: str
    batch: int
    action: Callable[[], object]
    read_bytes: int
    multiplications: int
    comparisons: int
    read: Callable[[], object] | None = None


def measure_kernels(
    sizes: KernelSizes,
    *,
    repeats: int = 9,
    on_result: Callable[[KernelTiming], None] = lambda _: None,
    products_only: bool = False,
) -> list[KernelTiming]:
    """Measure each kernel after a warm-up that compiles it; elements are pseudorandom.

    Raises:
        InfrastructureError: the card is asked for and there is none.
    """
    timings = []
    for work in _all_work(sizes, products_only=products_only):
        timing = _measured(work, repeats)
        on_result(timing)
        timings.append(timing)
    return timings


def kernel_report(timings: Sequence[KernelTiming]) -> KernelReport:
    """Return the products of some timings as shares of the read bandwidth of one core."""
    read = [timing.read_bytes / timing.read_s / 1e9 for timing in timings if timing.read_s]
    rows = [
        KernelRow(
            batch=timing.batch,
            kernel=timing.name,
            gb_s=timing.gb_s,
            share_of_read=timing.share_of_read,
        )
        for timing in timings
        if timing.share_of_read is not None
    ]
    return KernelReport(read_gb_s=statistics.median(read), rows=rows)


def _measured(work: _Work, repeats: int) -> KernelTiming:
    work.action()
    reading, seconds = [], []
    for _ in range(repeats):
        if work.read is not None:
            reading.append(_timed(work.read))
        seconds.append(_timed(work.action))
    shares = [read / spent for read, spent in zip(reading, seconds, strict=False)]
    return KernelTiming(
        name=work.name,
        batch=work.batch,
        median_s=statistics.median(seconds),
        best_s=min(seconds),
        read_bytes=work.read_bytes,
        multiplications=work.multiplications,
        comparisons=work.comparisons,
        read_s=statistics.median(reading) if reading else None,
        share_of_read=statistics.median(shares) if shares else None,
    )


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _all_work(sizes: KernelSizes, *, products_only: bool) -> Iterator[_Work]:
    ring = Ring(sizes.ring_bits)
    matrix = _elements("rows", (sizes.entries, sizes.dimension), ring)
    words = matrix.reshape(-1).view(f"u{8 if matrix.nbytes % 8 == 0 else ring.bytes}")
    use_clock(time.thread_time)
    for name, product in _products(matrix, sizes):
        for batch in sizes.batches:
            probes = _elements(f"probes-{batch}", (batch, sizes.dimension), ring)
            count = batch * sizes.entries
            action = _bound(product, probes)
            work = _Work(name, batch, action, matrix.nbytes, count * sizes.dimension, count)
            if name != PRODUCT:
                yield work
                continue
            action()  # settles which kernel is the faster one
            kernel_name = f"{PRODUCT} by {chosen(matrix, batch)}"
            yield work._replace(name=kernel_name, read=lambda: read_through(words))
    for batch in () if products_only else sizes.batches:
        yield from _comparison_work(batch, sizes, ring)


def _products(
    matrix: RingArray, sizes: KernelSizes
) -> Iterator[tuple[str, Callable[[RingArray], RingArray]]]:
    yield PRODUCT, lambda probes: ring_product(matrix, probes, threads=sizes.threads)
    if sizes.cuda:
        from protocol.sharing.kernels_cuda import LimbMatrix

        yield "product on the card", LimbMatrix(matrix, "cuda").product


@kernel
def read_through(words: npt.NDArray[Any]) -> np.uint64:
    """Return the sum of all words modulo 2^64: as little work as reading every byte takes."""
    total = np.uint64(0)
    for word in words:
        total += np.uint64(word)
    return total


def _bound(product: Callable[[RingArray], RingArray], probes: RingArray) -> Callable[[], RingArray]:
    return lambda: product(probes)


def _comparison_work(batch: int, sizes: KernelSizes, ring: Ring) -> Iterator[_Work]:
    """Yield what one server does after the product, then the dealer's part and the stream."""
    shape = circuit(ring.bits, sizes.radix)
    count = batch * sizes.entries
    scores = _elements("scores", (count,), ring)
    opened, shares = bit_planes(scores, ring.bits), _planes("bits", shape.secret_planes, count)
    masks = _planes("masks", shape.operands, count)
    products = _planes("products", shape.products, count)
    nodes = leaves(opened, shares, shape, first=True)

    def tree() -> Planes:
        state, operand, product = nodes, 0, 0
        for index, layer in enumerate(shape.layers):
            rows = masks[operand : operand + shape.layer_operands(index)]
            gates = products[product : product + sum(join.products for join in layer)]
            state = joined(state, layer, and_operands(state, layer) ^ rows, rows, gates, first=True)
            operand, product = operand + len(rows), product + len(gates)
        return state[0]

    stream_bytes = masks.nbytes + products.nbytes
    steps: list[tuple[str, Callable[[], object], int]] = [
        ("bit planes", lambda: bit_planes(scores, ring.bits), scores.nbytes),
        ("comparison leaves", lambda: leaves(opened, shares, shape, first=True), shares.nbytes),
        ("comparison tree", tree, stream_bytes),
        ("decision bytes", lambda: plane_bytes(opened[0], count), opened[0].nbytes),
        ("dealer's planes", lambda: secret_planes(scores, shape), scores.nbytes),
        ("stream AES-256-CTR", lambda: _stream(stream_bytes, sizes.threads), stream_bytes),
    ]
    for name, action, read_bytes in steps:
        yield _Work(name, batch, action, read_bytes, 0, count)


def _elements(label: str, shape: tuple[int, ...], ring: Ring) -> RingArray:
    return _SEED.expand(f"{label}-{prod(shape)}", shape, ring.dtype)


def _planes(label: str, planes: int, entries: int) -> Planes:
    return _SEED.expand(label, (planes, words_for(entries)), np.dtype(np.uint64))


def _stream(length: int, threads: int) -> object:
    return _SEED.expand("stream", (length,), np.dtype(np.uint8), threads=threads)
