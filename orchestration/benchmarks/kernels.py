"""How fast the search kernels are on this machine: one server's local work, piece by piece."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

import msgspec
import numpy as np

from protocol.search.comparison import and_operands, circuit, joined, leaves, secret_planes
from protocol.sharing.kernels import Planes, bit_planes, plane_bytes, ring_product, words_for
from protocol.sharing.prg import Seed
from protocol.sharing.ring import Ring, RingArray

__all__ = ["KernelSizes", "KernelTiming", "measure_kernels"]

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
    """

    name: str
    batch: int
    median_s: float
    best_s: float
    read_bytes: int
    multiplications: int
    comparisons: int


class _Work(NamedTuple):
    name: str
    batch: int
    action: Callable[[], object]
    read_bytes: int
    multiplications: int
    comparisons: int


def measure_kernels(
    sizes: KernelSizes,
    *,
    repeats: int = 9,
    on_result: Callable[[KernelTiming], None] = lambda _: None,
) -> list[KernelTiming]:
    """Measure each kernel after a warm-up that compiles it; elements are pseudorandom.

    Raises:
        InfrastructureError: the card is asked for and there is none.
    """
    timings = []
    for work in _all_work(sizes):
        timing = _measured(work, repeats)
        on_result(timing)
        timings.append(timing)
    return timings


def _measured(work: _Work, repeats: int) -> KernelTiming:
    work.action()
    seconds = [_timed(work.action) for _ in range(repeats)]
    return KernelTiming(
        name=work.name,
        batch=work.batch,
        median_s=statistics.median(seconds),
        best_s=min(seconds),
        read_bytes=work.read_bytes,
        multiplications=work.multiplications,
        comparisons=work.comparisons,
    )


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _all_work(sizes: KernelSizes) -> Iterator[_Work]:
    ring = Ring(sizes.ring_bits)
    matrix = _elements("rows", (sizes.entries, sizes.dimension), ring)
    for name, product in _products(matrix, sizes):
        for batch in sizes.batches:
            probes = _elements(f"probes-{batch}", (batch, sizes.dimension), ring)
            count = batch * sizes.entries
            action = _bound(product, probes)
            yield _Work(name, batch, action, matrix.nbytes, count * sizes.dimension, count)
    for batch in sizes.batches:
        yield from _comparison_work(batch, sizes, ring)


def _products(
    matrix: RingArray, sizes: KernelSizes
) -> Iterator[tuple[str, Callable[[RingArray], RingArray]]]:
    yield "product", lambda probes: ring_product(matrix, probes, threads=sizes.threads)
    if sizes.cuda:
        from protocol.sharing.kernels_cuda import LimbMatrix

        yield "product on the card", LimbMatrix(matrix, "cuda").product


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
