"""The ring Z_2^k, k = 16, 32 or 64, as unsigned numpy arrays that wrap.

Scores live in 16 or 32 bits; squared norms of checked inputs need 64.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from protocol.errors import LocalProtocolError

__all__ = ["RING_BITS", "Ring", "RingArray"]

RingArray: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
RING_BITS: Final = (16, 32, 64)


class Ring(msgspec.Struct, frozen=True):
    """Z_2^bits: element type, encoding of signed integers and the way back."""

    bits: int

    def __post_init__(self) -> None:
        """Refuse rings that have no kernels."""
        if self.bits not in RING_BITS:
            raise LocalProtocolError(
                f"there is no ring of {self.bits} bits", hint="use 16, 32 or 64"
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Unsigned element type."""
        return np.dtype(f"<u{self.bytes}")

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return self.bits // 8

    def encode(self, values: npt.NDArray[np.signedinteger[Any]]) -> RingArray:
        """Return signed integers modulo 2^bits.

        Raises:
            LocalProtocolError: a value is outside [-2^(bits-1), 2^(bits-1)).
        """
        half = 1 << (self.bits - 1)
        if values.size and (values.min() < -half or values.max() >= half):
            raise LocalProtocolError(f"a value does not fit the ring of {self.bits} bits")
        return values.astype(self.dtype)

    def decode(self, elements: RingArray) -> npt.NDArray[np.int64]:
        """Return the signed integers in [-2^(bits-1), 2^(bits-1)) the elements stand for."""
        return elements.view(np.dtype(f"<i{self.bytes}")).astype(np.int64)

    def constant(self, value: int) -> Any:  # noqa: ANN401 - numpy has no common scalar type
        """Return one signed integer as a ring scalar."""
        return self.dtype.type(value % (1 << self.bits))
