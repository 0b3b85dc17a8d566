"""Integer kernels: products modulo 2^k and transposition to and from bit planes.

A bit plane is a vector of 64-bit words; bit `i % 64` of word `i // 64` belongs to entry `i`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocol.errors import LocalProtocolError
from protocol.jit import kernel
from protocol.sharing.ring import RingArray

__all__ = [
    "WORD_BITS",
    "Planes",
    "bit_planes",
    "plane_bytes",
    "ring_product",
    "unpack_bits",
    "words_for",
]

Planes = npt.NDArray[np.uint64]
WORD_BITS: Final = 64


def words_for(entries: int) -> int:
    """Return how many 64-bit words hold one bit of every entry."""
    return -(-entries // WORD_BITS)


def ring_product(matrix: RingArray, probes: RingArray) -> RingArray:
    """Return probes @ matrix.T modulo 2^k.

    Args:
        matrix: rows, [N, D], contiguous.
        probes: [B, D], same ring.

    Returns:
        Array [B, N] of the same ring. Rows are read once for all probes.

    Raises:
        LocalProtocolError: shapes or rings do not agree.
    """
    if matrix.shape[1] != probes.shape[1] or matrix.dtype != probes.dtype:
        text = f"cannot multiply rows {matrix.shape} {matrix.dtype} by probes {probes.shape}"
        raise LocalProtocolError(text)
    out = np.empty((probes.shape[0], matrix.shape[0]), dtype=matrix.dtype)
    if matrix.dtype == np.uint16:
        _product_16(_contiguous(matrix).view(np.int16), _contiguous(probes).view(np.int16), out)
    else:
        _product_32(_contiguous(matrix), _contiguous(probes), out)
    return out


def bit_planes(values: RingArray, bits: int) -> Planes:
    """Return the lowest `bits` bits of a flat array as planes [bits, words]."""
    planes = np.zeros((bits, words_for(values.size)), dtype=np.uint64)
    _to_planes(_contiguous(values.reshape(-1)), planes)
    return planes


def unpack_bits(plane: npt.NDArray[np.uint64], entries: int) -> npt.NDArray[np.bool_]:
    """Return the first `entries` bits of a plane as booleans."""
    packed = np.ascontiguousarray(plane).view(np.uint8)
    return np.unpackbits(packed, count=entries, bitorder="little").astype(np.bool_)


def plane_bytes(plane: npt.NDArray[np.uint64], entries: int) -> npt.NDArray[np.uint8]:
    """Return the first `entries` bits of a plane packed into bytes, padding bits zero."""
    packed = np.ascontiguousarray(plane).view(np.uint8)[: -(-entries // 8)].copy()
    if entries % 8:
        packed[-1] &= (1 << entries % 8) - 1
    return packed


def _contiguous(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a contiguous, writable-typed view: one compiled kernel instead of four."""
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else array.copy()


@kernel
def _product_16(
    matrix: npt.NDArray[np.int16], probes: npt.NDArray[np.int16], out: npt.NDArray[np.uint16]
) -> None:
    # Signed 16-bit factors with a 32-bit sum vectorise to multiply-add pairs; the low 16 bits
    # do not depend on the signs.
    for row in range(matrix.shape[0]):
        for probe in range(probes.shape[0]):
            total = np.int32(0)
            for column in range(matrix.shape[1]):
                product = np.int32(matrix[row, column]) * np.int32(probes[probe, column])
                total = np.int32(total + product)
            out[probe, row] = np.uint16(total)


@kernel
def _product_32(
    matrix: npt.NDArray[np.uint32], probes: npt.NDArray[np.uint32], out: npt.NDArray[np.uint32]
) -> None:
    for row in range(matrix.shape[0]):
        for probe in range(probes.shape[0]):
            total = np.uint32(0)
            for column in range(matrix.shape[1]):
                total = np.uint32(total + np.uint32(matrix[row, column] * probes[probe, column]))
            out[probe, row] = total


@kernel
def _to_planes(values: RingArray, planes: Planes) -> None:
    for bit in range(planes.shape[0]):
        for word in range(planes.shape[1]):
            start = word * 64
            stop = min(start + 64, values.size)
            packed = np.uint64(0)
            for index in range(start, stop):
                one = (np.uint64(values[index]) >> np.uint64(bit)) & np.uint64(1)
                packed |= one << np.uint64(index - start)
            planes[bit, word] = packed
