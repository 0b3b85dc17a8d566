"""Matrix products modulo 2^16 and 2^32 as register tiles of LLVM vectors.

Two tiles cover every batch. One or two probes read rows as they lie (`_dot_tile`); more probes are
packed lane by lane and each matrix element meets a whole vector of them (`_lane_tile`). 16-bit
elements are multiplied in pairs: signed 16-bit factors, 32-bit sums, of which the low 16 bits do
not depend on the signs. LLVM turns that into vpmaddwd or vpdpwssd where the processor has them;
see docs/decisions/0016-product-kernels.md for what was measured.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocol.jit import Llvm, cgutils, emitted, ir, kernel, processor_has
from protocol.sharing.kernels_blocks import run_blocks

__all__ = ["DOT_PROBES", "TILE_ROWS", "product"]

Signed = npt.NDArray[np.signedinteger[Any]]
DOT_PROBES: Final = 2
"""Up to here rows are read as they lie; beyond, probes fill vector lanes."""


_LANES: Final = 16 if processor_has("avx512bw") else 8
_DOT_ROWS: Final = 2
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
    whole = len(matrix) // TILE_ROWS * TILE_ROWS
    small = len(probes) <= DOT_PROBES
    step, lanes = (_dot_rows, probes) if small else (_lane_rows, _packed(probes))
    run_blocks(partial(step, matrix, probes, lanes, out), whole, _block_unit(matrix), threads)
    rest = len(matrix) - whole
    if rest:
        padded = np.zeros((TILE_ROWS, matrix.shape[1]), dtype=matrix.dtype)
        padded[:rest] = matrix[whole:]
        wider = np.empty((len(out), TILE_ROWS), dtype=out.dtype)
        step(padded, probes, lanes, wider, 0, TILE_ROWS)
        out[:, whole:] = wider[:, :rest]


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

    def store_sum(self, total: Llvm, place: int) -> None:
        """Write the sum of a vector's lanes to the output."""
        builder = self._builder
        kind = ir.FunctionType(_INT32, [self.sums])
        name = f"llvm.vector.reduce.add.v{_LANES}i32"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        value = builder.call(function, [builder.load(total)])
        builder.store(value, builder.gep(self.totals.data, [self.size(place)]))

    def store_lanes(self, total: Llvm, place: int) -> None:
        """Write a vector's lanes to a row of the output."""
        builder = self._builder
        target = builder.gep(self.totals.data, [self.size(place * _LANES)])
        target = builder.bitcast(target, self.sums.as_pointer())
        builder.store(builder.load(total), target, align=4)


def _emit_dot_tile(context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> Llvm:
    emit = _Emitter(context, builder, signature, arguments)
    step = emit.size(_LANES * emit.each)
    totals = emit.accumulators(_DOT_ROWS)
    rows = emit.row_pointers(_DOT_ROWS)
    probe = builder.gep(emit.other.data, [builder.mul(emit.index, emit.columns)])
    with cgutils.for_range(builder, builder.udiv(emit.columns, step)) as loop:
        offset = builder.mul(loop.index, step)
        vector = emit.load(probe, offset)
        for total, row in zip(totals, rows, strict=True):
            emit.add_product(total, emit.load(row, offset), vector)
    for place, total in enumerate(totals):
        emit.store_sum(total, place)
    return context.get_dummy_value()


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


_dot_tile = emitted("matrix row probes probe totals", _emit_dot_tile)
_lane_tile = emitted("matrix row packed group totals", _emit_lane_tile)


@kernel
def _dot_rows(
    matrix: Signed, probes: Signed, _: Signed, out: npt.NDArray[Any], start: int, stop: int
) -> None:
    totals = np.empty(_DOT_ROWS, dtype=np.int32)
    columns = matrix.shape[1]
    step = _LANES * (4 // matrix.itemsize)
    done = columns // step * step
    for first in range(start, stop, _DOT_ROWS):
        for probe in range(probes.shape[0]):
            _dot_tile(matrix, first, probes, probe, totals)
            for row in range(_DOT_ROWS):
                total = np.int64(totals[row])
                for column in range(done, columns):
                    total += np.int64(matrix[first + row, column]) * probes[probe, column]
                out[probe, first + row] = total


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
