"""Arrays on the wire: dtype, shape and raw little-endian bytes, nothing executable."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from protocol.errors import DecodeError, LocalProtocolError

__all__ = ["ALLOWED_DTYPES", "MAX_DIMENSIONS", "Tensor"]

ALLOWED_DTYPES: Final = frozenset({"<u1", "<u2", "<u4", "<u8", "<i2", "<i4", "<f4"})
MAX_DIMENSIONS: Final = 4
MAX_EMPTY_ELEMENTS: Final = 1 << 40
"""Largest product of the sides that are not 0: beside a 0 any others would fit the length."""


class Tensor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One array as it travels: `dtype` from the allow-list, `shape`, little-endian `data`."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Tensor:
        """Wrap an array without copying when it is contiguous and little-endian.

        Raises:
            LocalProtocolError: the dtype or the number of dimensions is not allowed.
        """
        code = _wire_code(array.dtype)
        if code not in ALLOWED_DTYPES or array.ndim > MAX_DIMENSIONS:
            text = f"arrays of dtype {array.dtype} with {array.ndim} dimensions do not travel"
            raise LocalProtocolError(text, hint=f"allowed: {', '.join(sorted(ALLOWED_DTYPES))}")
        flat = np.ascontiguousarray(array, dtype=np.dtype(code))
        return cls(code, array.shape, flat.reshape(-1).view(np.uint8).data)

    def array(self) -> npt.NDArray[Any]:
        """Return the array as a read-only view of the received bytes.

        Raises:
            DecodeError: unknown dtype, sides that no array has, too many of them, or a wrong
                length.
        """
        if self.dtype not in ALLOWED_DTYPES:
            raise DecodeError("tensor dtype is not on the allow-list")
        if len(self.shape) > MAX_DIMENSIONS or any(size < 0 for size in self.shape):
            raise DecodeError("tensor shape is not acceptable")
        if prod(size or 1 for size in self.shape) > MAX_EMPTY_ELEMENTS:
            raise DecodeError("tensor shape is not acceptable")
        dtype = np.dtype(self.dtype)
        if prod(self.shape) * dtype.itemsize != self.data.nbytes:
            raise DecodeError("tensor length does not match its shape and dtype")
        return np.frombuffer(self.data, dtype=dtype).reshape(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of raw data, without dtype and shape."""
        return self.data.nbytes


def _wire_code(dtype: np.dtype[Any]) -> str:
    """Return the little-endian type code; single bytes have no order, so they get `<` too."""
    code = dtype.newbyteorder("<").str
    return code.replace("|", "<")
