"""Matrix products modulo 2^16 and 2^32 as register tiles of LLVM vectors.

Two kernels do every batch, and which of them is faster depends on processor and batch.
`_row_rows` reads one row at a time, from front to back, for up to eight probes at once: one stream
of memory, which every processor's prefetcher follows at full bandwidth. Two rows read in turns are
two streams a kilobyte apart and halve it on some. `_lane_rows` packs probes lane by lane, so that
each matrix element meets a whole vector of them and no sum is ever taken across lanes: many probes
cost less arithmetic. `kernels_choice` says which one a product takes.

16-bit elements are multiplied in pairs: signed 16-bit factors, 32-bit sums, of which the low 16
bits do not depend on the signs. LLVM turns that into vpmaddwd or vpdpwssd where the processor has
them; see docs/decisions/0016-search-kernels.md and 0035 for what was measured.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocol.jit import Llvm, cgutils, emitted, ir, kernel, processor_has
from protocol.sharing.kernels_blocks import run_blocks
from protocol.sharing.kernels_choice import Kernel, Product, settled

__all__ = ["ROW_PROBES", "TILE_ROWS", "product"]

Signed = npt.NDArray[np.signedinteger[Any]]
ROW_PROBES: Final = (8, 4, 2, 1)
"""How many probes meet a row at once: the most that are left over."""

_SUMS: Final = 4
"""Chains of additions at least: one alone would wait for each addition's latency."""
_LANES: Final = 16 if processor_has("avx512bw") else 8
_BLOCK_BYTES: Final = 256 * 1024
_INT32: Final = ir.IntType(32)
TILE_ROWS: Final = _LANES  # accumulators of a tile: half the registers of the machine


def product(matrix: Signed, probes: Signed, out: npt.NDArray[Any], threads: int | None) -> None:
    """Write probes @ matrix.T into out [B,N]; rows are cut into one block per thread.

    Args:
        matrix: [N, D], signed view, contiguous and writable (as are all arguments).
        probes: [B, D], same type.
        out: [B, N], unsigned of the same width.
        threads: row blocks computed at once; the result does not depend on it.
    """
    packed = cache(partial(_packed, probes))
    kernels: dict[Kernel, Product] = {
        "rows": partial(_row_rows, matrix, probes, out),
        "lanes": lambda start, stop: _lane_rows(matrix, probes, packed(), out, start, stop),
    }
    unit, whole = _block_unit(matrix), len(matrix) // TILE_ROWS * TILE_ROWS
    name, done = settled(kernels, matrix, len(probes), unit)
    compute = kernels[name]
    run_blocks(lambda start, stop: compute(done + start, done + stop), whole - done, unit, threads)
    kernels["rows"](whole, len(matrix))


def _block_unit(matrix: Signed) -> int:
    """Return of how many rows blocks are made: less memory is read sooner than threads agree."""
    return TILE_ROWS * max(_BLOCK_BYTES // (TILE_ROWS * matrix.itemsize * matrix.shape[1] or 1), 1)


def _packed(probes: Signed) -> Signed:
    """Return probes as [groups, steps, lanes * elements per step]; absent probes are zero."""
    count, columns = probes.shape
    each = 4 // probes.itemsize
    groups, steps = -(-count // _LANES), columns // each
    padded = np.zeros((groups * _LANES, steps * each), dtype=probes.dtype)
    padded[:count] = probes[:, : steps * each]
    lanes = padded.reshape(groups, _LANES, steps, each).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(lanes).reshape(groups, steps, _LANES * each)


class _Emitter:
    """Writes one tile's LLVM code: rows by columns in vectors, sums in registers."""

    def __init__(self, context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> None:
        self._builder = builder
        self.matrix, self.other, self.totals = (
            context.make_array(signature.args[place])(context, builder, arguments[place])
            for place in (0, 2, 4)
        )
        self.row, self.index = arguments[1], arguments[3]
        self.columns = cgutils.unpack_tuple(builder, self.matrix.shape)[1]
        self.bits = signature.args[0].dtype.bitwidth
        self.each = 32 // self.bits
        self.sums = ir.VectorType(_INT32, _LANES)
        self._inputs = ir.VectorType(ir.IntType(self.bits), _LANES * self.each)

    def size(self, value: int) -> Llvm:
        """Return a constant of the type of array sizes."""
        return ir.Constant(self.columns.type, value)

    def accumulators(self, count: int) -> list[Llvm]:
        """Return zeroed vectors of sums; they end up in registers."""
        zero = ir.Constant(self.sums, None)
        return [cgutils.alloca_once_value(self._builder, zero) for _ in range(count)]

    def added(self, totals: list[Llvm]) -> Llvm:
        """Return the sum of accumulators, still lane by lane."""
        vector = self._builder.load(totals[0])
        for total in totals[1:]:
            vector = self._builder.add(vector, self._builder.load(total))
        return vector

    def other_pointers(self, count: int) -> list[Llvm]:
        """Return the first elements of consecutive rows of the other matrix, from the index on."""
        builder = self._builder
        rows = [builder.add(self.index, self.size(row)) for row in range(count)]
        return [builder.gep(self.other.data, [builder.mul(row, self.columns)]) for row in rows]

    def row_pointers(self, count: int) -> list[Llvm]:
        """Return the first elements of consecutive rows of the matrix."""
        builder = self._builder
        rows = [builder.add(self.row, self.size(row)) for row in range(count)]
        return [builder.gep(self.matrix.data, [builder.mul(row, self.columns)]) for row in rows]

    def load(self, pointer: Llvm, offset: Llvm) -> Llvm:
        """Load one vector of elements."""
        place = self._builder.gep(pointer, [offset])
        place = self._builder.bitcast(place, self._inputs.as_pointer())
        return self._builder.load(place, align=self.bits // 8)

    def load_spread(self, pointer: Llvm, offset: Llvm) -> Llvm:
        """Load 32 bits and repeat them in every lane."""
        builder = self._builder
        place = builder.bitcast(builder.gep(pointer, [offset]), _INT32.as_pointer())
        lane = builder.load(place, align=self.bits // 8)
        empty = ir.Constant(self.sums, ir.Undefined)
        lanes = builder.insert_element(empty, lane, ir.Constant(_INT32, 0))
        lanes = builder.shuffle_vector(lanes, empty, ir.Constant(self.sums, None))
        return builder.bitcast(lanes, self._inputs)

    def add_product(self, total: Llvm, one: Llvm, two: Llvm) -> None:
        """Add the products of two vectors, in neighbouring pairs where they are 16 bits."""
        builder = self._builder
        if self.bits == 32:
            product = builder.mul(one, two)
        else:
            wide = ir.VectorType(_INT32, 2 * _LANES)
            pairs = builder.mul(builder.sext(one, wide), builder.sext(two, wide))
            halves = [self._every_other(pairs, first) for first in (0, 1)]
            product = builder.add(*halves)
        builder.store(builder.add(builder.load(total), product), total)

    def _every_other(self, vector: Llvm, first: int) -> Llvm:
        places = ir.Constant(self.sums, list(range(first, 2 * _LANES, 2)))
        return self._builder.shuffle_vector(vector, vector, places)

    def prefetch(self, pointer: Llvm, offset: Llvm) -> None:
        """Ask for a line of memory that is needed soon; never faults."""
        builder = self._builder
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        hints = [ir.Constant(_INT32, value) for value in (0, 3, 1)]
        builder.call(function, [builder.gep(builder.bitcast(pointer, byte), [offset]), *hints])

    def store_sums(self, totals: list[Llvm]) -> None:
        """Write the sum of each vector's lanes to the output; their number is a power of two."""
        builder = self._builder
        if len(totals) == 1:
            kind = ir.FunctionType(_INT32, [self.sums])
            name = f"llvm.vector.reduce.add.v{_LANES}i32"
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.store(builder.call(function, totals), self.totals.data)
            return
        vectors = totals
        while len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self._neighbours(one, two, 2 * _LANES) for one, two in pairs]
        (vector,) = vectors
        lanes = _LANES
        while lanes > len(totals):
            vector, lanes = self._neighbours(vector, vector, lanes), lanes // 2
        target = builder.bitcast(self.totals.data, vector.type.as_pointer())
        builder.store(vector, target, align=4)

    def _neighbours(self, one: Llvm, two: Llvm, lanes: int) -> Llvm:
        """Return the sums of neighbouring lanes of two vectors laid end to end."""
        kind = ir.VectorType(_INT32, lanes // 2)
        halves = [ir.Constant(kind, list(range(first, lanes, 2))) for first in (0, 1)]
        return self._builder.add(*[self._builder.shuffle_vector(one, two, half) for half in halves])

    def store_lanes(self, total: Llvm, place: int) -> None:
        """Write a vector's lanes to a row of the output."""
        builder = self._builder
        target = builder.gep(self.totals.data, [self.size(place * _LANES)])
        target = builder.bitcast(target, self.sums.as_pointer())
        builder.store(builder.load(total), target, align=4)


def _row_tile(probes: int) -> Llvm:
    """Return the tile of one row and so many probes."""
    chains = max(_SUMS // probes, 1)

    def emit_tile(context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> Llvm:
        emit = _Emitter(context, builder, signature, arguments)
        totals = [emit.accumulators(chains) for _ in range(probes)]
        (row,) = emit.row_pointers(1)
        others = emit.other_pointers(probes)

        def add(step: Llvm, chain: int) -> None:
            offset = builder.mul(step, emit.size(_LANES * emit.each))
            elements = emit.load(row, offset)
            for total, other in zip(totals, others, strict=True):
                emit.add_product(total[chain], elements, emit.load(other, offset))

        steps = builder.udiv(emit.columns, emit.size(_LANES * emit.each))
        rounds = builder.udiv(steps, emit.size(chains))
        together = builder.mul(rounds, emit.size(chains))
        with cgutils.for_range(builder, rounds) as loop:
            first = builder.mul(loop.index, emit.size(chains))
            for chain in range(chains):
                add(builder.add(first, emit.size(chain)), chain)
        with cgutils.for_range(builder, builder.sub(steps, together)) as loop:
            add(builder.add(together, loop.index), 0)
        emit.store_sums([emit.added(total) for total in totals])
        return context.get_dummy_value()

    return emitted("matrix row probes probe totals", emit_tile)


def _emit_lane_tile(context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> Llvm:
    emit = _Emitter(context, builder, signature, arguments)
    steps = cgutils.unpack_tuple(builder, emit.other.shape)[1]
    step = emit.size(_LANES * emit.each)
    totals = emit.accumulators(TILE_ROWS)
    *rows, next_tile = emit.row_pointers(TILE_ROWS + 1)
    start = builder.mul(builder.mul(emit.index, steps), step)
    with cgutils.for_range(builder, steps) as loop:
        lanes = emit.load(emit.other.data, builder.add(start, builder.mul(loop.index, step)))
        # Rows follow each other in memory: the next tile is one run of bytes, walked evenly.
        emit.prefetch(next_tile, builder.mul(loop.index, emit.size(4 * TILE_ROWS)))
        offset = builder.mul(loop.index, emit.size(emit.each))
        for total, row in zip(totals, rows, strict=True):
            emit.add_product(total, emit.load_spread(row, offset), lanes)
    for place, total in enumerate(totals):
        emit.store_lanes(total, place)
    return context.get_dummy_value()


_row_by_8, _row_by_4, _row_by_2, _row_by_1 = (_row_tile(probes) for probes in ROW_PROBES)
_lane_tile = emitted("matrix row packed group totals", _emit_lane_tile)


@kernel
def _row_rows(matrix: Signed, probes: Signed, out: npt.NDArray[Any], start: int, stop: int) -> None:
    totals = np.empty(8, dtype=np.int32)
    count, columns = probes.shape
    step = _LANES * (4 // matrix.itemsize)
    done = columns // step * step
    for row in range(start, stop):
        probe = 0
        while probe < count:
            left = count - probe
            if left >= 8:
                together = 8
                _row_by_8(matrix, row, probes, probe, totals)
            elif left >= 4:
                together = 4
                _row_by_4(matrix, row, probes, probe, totals)
            elif left >= 2:
                together = 2
                _row_by_2(matrix, row, probes, probe, totals)
            else:
                together = 1
                _row_by_1(matrix, row, probes, probe, totals)
            for place in range(together):
                total = np.int64(totals[place])
                for column in range(done, columns):
                    total += np.int64(matrix[row, column]) * probes[probe + place, column]
                out[probe + place, row] = total
            probe += together


@kernel
def _lane_rows(
    matrix: Signed, probes: Signed, packed: Signed, out: npt.NDArray[Any], start: int, stop: int
) -> None:
    totals = np.empty((TILE_ROWS, _LANES), dtype=np.int32)
    columns = matrix.shape[1]
    paired = packed.shape[1] * packed.shape[2] // _LANES
    # Counting from zero shows the compiler that no index is negative: what is stored needs no wrap.
    for tile in range(stop // TILE_ROWS):
        first = tile * TILE_ROWS
        if first < start:
            continue
        for group in range(packed.shape[0]):
            _lane_tile(matrix, first, packed, group, totals)
            base = group * _LANES
            for lane in range(min(_LANES, probes.shape[0] - base)):
                for row in range(TILE_ROWS):
                    out[base + lane, first + row] = totals[row, lane]
            if paired < columns:
                for probe in range(base, min(base + _LANES, probes.shape[0])):
                    factor = np.int64(probes[probe, paired])
                    for row in range(first, first + TILE_ROWS):
                        out[probe, row] += factor * matrix[row, paired]
