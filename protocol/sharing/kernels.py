"""Integer kernels: products modulo 2^k and transposition to and from bit planes.

A bit plane is a vector of 64-bit words; bit `i % 64` of word `i // 64` belongs to entry `i`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from protocol.errors import LocalProtocolError
from protocol.sharing.kernels_planes import (
    WORD_BITS,
    Planes,
    compare_digit,
    from_planes,
    to_planes,
)
from protocol.sharing.kernels_product import product
from protocol.sharing.ring import RingArray

__all__ = [
    "WORD_BITS",
    "Planes",
    "bit_planes",
    "plane_bytes",
    "plane_values",
    "readable",
    "ring_product",
    "thermometer",
    "unpack_bits",
    "words_for",
]

_Scalar = TypeVar("_Scalar", bound=np.generic)


def words_for(entries: int) -> int:
    """Return how many 64-bit words hold one bit of every entry."""
    return -(-entries // WORD_BITS)


def ring_product(matrix: RingArray, probes: RingArray, *, threads: int | None = None) -> RingArray:
    """Return probes @ matrix.T modulo 2^k.

    Args:
        matrix: rows, [N, D]; copied first unless contiguous.
        probes: [B, D], same ring.
        threads: blocks of rows computed at once; None: as many as this process allows. The result
            does not depend on it.

    Returns:
        Array [B, N] of the same ring. Rows are read from memory once for all probes.

    Raises:
        LocalProtocolError: shapes or rings do not agree.
    """
    if matrix.shape[1] != probes.shape[1] or matrix.dtype != probes.dtype:
        text = f"cannot multiply rows {matrix.shape} {matrix.dtype} by probes {probes.shape}"
        raise LocalProtocolError(text)
    out = np.empty((probes.shape[0], matrix.shape[0]), dtype=matrix.dtype)
    if matrix.dtype.itemsize == 8:
        # Of 64 bits only the vectors of a check exist: numpy's own loop does.
        return np.matmul(probes, matrix.T, out=out)
    signed = np.dtype(f"i{matrix.dtype.itemsize}")
    product(readable(matrix).view(signed), readable(probes).view(signed), out, threads)
    return out


def bit_planes(values: RingArray, bits: int) -> Planes:
    """Return the lowest `bits` bits of an array's elements as planes [bits, words]."""
    planes = np.empty((bits, words_for(values.size)), dtype=np.uint64)
    to_planes(readable(values).reshape(-1), np.zeros(WORD_BITS, values.dtype), planes)
    return planes


def thermometer(values: RingArray, low_bit: int, width: int, out: Planes) -> None:
    """Write the planes [v < digit], v = 0 … 2^width - 2, of the `width` bits from `low_bit` on."""
    flat = readable(values).reshape(-1)
    compare_digit(flat, np.zeros(WORD_BITS, values.dtype), low_bit, width, out)


def plane_values(planes: Planes, entries: int, dtype: np.dtype[Any]) -> RingArray:
    """Return the integers whose bits the planes hold, lowest bit first: undoes `bit_planes`."""
    values = np.zeros(planes.shape[1] * WORD_BITS, dtype=dtype)
    from_planes(readable(planes), values)
    return values[:entries]


def unpack_bits(plane: npt.NDArray[np.uint64], entries: int) -> npt.NDArray[np.bool_]:
    """Return the first `entries` bits of a plane as booleans."""
    packed = np.ascontiguousarray(plane).view(np.uint8)
    return np.unpackbits(packed, count=entries, bitorder="little").view(np.bool_)


def plane_bytes(plane: npt.NDArray[np.uint64], entries: int) -> npt.NDArray[np.uint8]:
    """Return the first `entries` bits of a plane as ceil(entries / 8) bytes, then zero bits."""
    packed = np.ascontiguousarray(plane).view(np.uint8)[: -(-entries // 8)].copy()
    if entries % 8:
        packed[-1] &= (1 << entries % 8) - 1
    return packed


def readable(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Return the same elements as kernels take them: contiguous and typed as writable.

    A received array is read-only, which to the compiler is another type and another compilation.
    No kernel writes to what it reads, so the flag is changed on an alias and nothing is copied.
    """
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else np.asarray(_Alias(array))


class _Alias:
    """The memory of a read-only array, described to numpy as writable."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._owner = array
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
