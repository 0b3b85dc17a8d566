"""Transposition between arrays of integers and bit planes, 64 entries at a time.

A vector comparison of 64 lanes is a 64-bit word of a plane: vptestm or vpmovmskb, no bit loop.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba.core import types

from protocol.jit import Llvm, emitted, ir, kernel

__all__ = ["WORD_BITS", "Integers", "Planes", "compare_digit", "from_planes", "to_planes"]

Planes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.unsignedinteger[Any]]
WORD_BITS: Final = 64
_BLOCK_WORDS: Final = 8  # values read again for every bit while they are in the first cache


def _emit_greater(context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> Llvm:
    """Of 64 values from start on: (value >> shift) & mask > bound, as a word."""
    pointer, vector = _lanes(context, builder, signature, arguments)
    shift, mask, bound = (_spread(builder, value, vector) for value in arguments[2:])
    values = builder.load(pointer, align=vector.element.width // 8)
    digit = builder.and_(builder.lshr(values, shift), mask)
    return builder.bitcast(builder.icmp_unsigned(">", digit, bound), ir.IntType(64))


def _emit_add_bits(context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> Llvm:
    """Set bit `shift` of 64 values from start on where the word has a one."""
    pointer, vector = _lanes(context, builder, signature, arguments)
    align = vector.element.width // 8
    bits = builder.bitcast(arguments[2], ir.VectorType(ir.IntType(1), WORD_BITS))
    moved = builder.shl(builder.zext(bits, vector), _spread(builder, arguments[3], vector))
    values = builder.load(pointer, align=align)
    builder.store(builder.or_(values, moved), pointer, align=align)
    return context.get_dummy_value()


def _lanes(context: Llvm, builder: Llvm, signature: Llvm, arguments: Llvm) -> tuple[Llvm, Llvm]:
    """Return a pointer to 64 elements from the start on, and their vector type."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    vector = ir.VectorType(ir.IntType(signature.args[0].dtype.bitwidth), WORD_BITS)
    start = builder.gep(array.data, [arguments[1]])
    return builder.bitcast(start, vector.as_pointer()), vector


def _spread(builder: Llvm, value: Llvm, vector: Llvm) -> Llvm:
    """Repeat a 64-bit integer in every lane, cut to the element type."""
    element = vector.element
    lane = value if element.width == 64 else builder.trunc(value, element)
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, lane, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WORD_BITS), None)
    return builder.shuffle_vector(first, empty, zeros)


_greater = emitted("values start shift mask bound", _emit_greater, types.uint64)
_add_bits = emitted("values start word shift", _emit_add_bits)


@kernel
def to_planes(values: Integers, padding: Integers, planes: Planes) -> None:
    """Write bit b of every value to plane b.

    Args:
        values: flat, any unsigned type, contiguous.
        padding: 64 zeros of the same type; overwritten.
        planes: [bits, words], written whole; bits past the last value are zero.
    """
    whole = values.size // 64
    for index in range(whole * 64, values.size):
        padding[index - whole * 64] = values[index]
    for block in range(0, whole, _BLOCK_WORDS):
        stop = min(block + _BLOCK_WORDS, whole)
        for bit in range(planes.shape[0]):
            for word in range(block, stop):
                planes[bit, word] = _greater(values, word * 64, bit, 1, 0)
    if whole < planes.shape[1]:
        for bit in range(planes.shape[0]):
            planes[bit, whole] = _greater(padding, 0, bit, 1, 0)


@kernel
def compare_digit(
    values: Integers, padding: Integers, low_bit: int, width: int, planes: Planes
) -> None:
    """Write [digit > v] to plane v, where digit is `width` bits of a value from `low_bit` on.

    Args:
        values: flat, any unsigned type, contiguous.
        padding: 64 zeros of the same type; overwritten.
        low_bit: lowest bit of the digit.
        width: bits of the digit.
        planes: [up to 2^width - 1, words], written whole; bits past the last value are zero.
    """
    whole = values.size // 64
    for index in range(whole * 64, values.size):
        padding[index - whole * 64] = values[index]
    digit = (1 << width) - 1
    for word in range(whole):
        for value in range(planes.shape[0]):
            planes[value, word] = _greater(values, word * 64, low_bit, digit, value)
    if whole < planes.shape[1]:
        for value in range(planes.shape[0]):
            planes[value, whole] = _greater(padding, 0, low_bit, digit, value)


@kernel
def from_planes(planes: Planes, padded: Integers) -> None:
    """Write the integers whose bits the planes hold.

    Args:
        planes: [bits, words].
        padded: zeros, [64 * words], any unsigned type.
    """
    for word in range(planes.shape[1]):
        for bit in range(planes.shape[0]):
            _add_bits(padded, word * 64, planes[bit, word], bit)
