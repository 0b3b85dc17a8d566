"""Matrix products modulo 2^16 and 2^32 on a graphics card: 8-bit limbs on integer tensor cores.

An element is split into signed bytes, x = sum of x_i 2^(8 i) modulo 2^k. Products x_i y_j with
i + j below the number of limbs are summed in 32 bits, which wrap, and shifted into place: three
limb products for 16 bits, ten for 32, grouped as one matrix product per limb of the rows.

The same code runs on the processor's tensors, which is how it is tested where there is no card.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from protocol.errors import InfrastructureError, LocalProtocolError
from protocol.sharing.kernels import readable
from protocol.sharing.ring import RingArray

__all__ = ["Device", "LimbMatrix", "has_cuda"]

Device: TypeAlias = Literal["cpu", "cuda"]

_ROW_MULTIPLE: Final = 32
_MULTIPLE: Final = 8
"""Columns and probes are padded to 8, rows to 32: the integer product on a card asks for it."""
_SUM_BYTES: Final = 1 << 28
"""Bound on one block's 32-bit sums: the scores of any gallery pass through this much memory."""


def has_cuda() -> bool:
    """Tell whether there is a card that torch can use."""
    return torch.cuda.is_available()


class LimbMatrix:
    """Rows resident on a device as byte planes, k/8 bytes per element in all.

    Attributes:
        rows: rows N.
        columns: columns D.
    """

    def __init__(self, matrix: RingArray, device: Device) -> None:
        """Move rows to the device, a block at a time.

        Raises:
            LocalProtocolError: not a matrix of 16 or 32 bits.
            InfrastructureError: there is no such device.
        """
        if matrix.ndim != 2 or matrix.dtype.itemsize not in {2, 4}:
            text = f"cannot split rows {matrix.shape} {matrix.dtype} into limbs"
            raise LocalProtocolError(text, hint="use a matrix of the ring of 16 or 32 bits")
        if device == "cuda" and not has_cuda():
            raise InfrastructureError("there is no CUDA device", hint="use device cpu")
        self.rows, self.columns = matrix.shape
        self._dtype = matrix.dtype
        self._device = torch.device(device)
        size = (matrix.dtype.itemsize, _padded(self.rows, _ROW_MULTIPLE), _padded(self.columns))
        self._limbs = torch.zeros(size, dtype=torch.int8, device=self._device)
        block = _rows_within(8 * size[2])
        for start in range(0, self.rows, block):
            stop = min(start + block, self.rows)
            self._limbs[:, start:stop, : self.columns] = self._split(matrix[start:stop])

    @property
    def nbytes(self) -> int:
        """Bytes held on the device."""
        return self._limbs.nbytes

    def product(self, probes: RingArray) -> RingArray:
        """Return probes @ matrix.T modulo 2^k, [B, N]: what `ring_product` returns.

        Raises:
            LocalProtocolError: shapes or rings do not agree.
        """
        if probes.shape[1:] != (self.columns,) or probes.dtype != self._dtype:
            text = f"cannot multiply {self.columns} columns {self._dtype} by probes {probes.shape}"
            raise LocalProtocolError(f"{text} {probes.dtype}")
        out = np.empty((len(probes), self.rows), dtype=self._dtype)
        factors = self._factors(probes)
        block = _rows_within(4 * factors.shape[1])
        for start in range(0, self.rows, block):
            stop = min(start + block, self.rows)
            sums = self._block(start, start + _padded(stop - start, _ROW_MULTIPLE), factors)
            out[:, start:stop] = self._element_bytes(sums[: len(probes), : stop - start])
        return out

    def _split(self, elements: RingArray) -> torch.Tensor:
        """Return signed limbs [limbs, rows, columns] of elements, on the device."""
        signed = readable(elements).view(np.dtype(f"i{elements.dtype.itemsize}"))
        wide = torch.from_numpy(signed).to(self._device).to(torch.int64)
        limbs = []
        for _ in range(elements.dtype.itemsize):
            limb = wide.to(torch.int8)  # the low byte, as a number from -128 to 127
            limbs.append(limb)
            wide = (wide - limb) >> 8
        return torch.stack(limbs)

    def _factors(self, probes: RingArray) -> torch.Tensor:
        """Return the probes' limbs side by side, [columns, limbs * B], padded with zeros."""
        limbs = self._split(probes)
        size = (len(limbs), _padded(len(probes)), self._limbs.shape[2])
        padded = torch.zeros(size, dtype=torch.int8, device=self._device)
        padded[:, : len(probes), : self.columns] = limbs
        return padded.reshape(-1, size[2]).t()

    def _block(self, start: int, stop: int, factors: torch.Tensor) -> torch.Tensor:
        """Return the products of a block of rows modulo 2^32, [B, rows]."""
        count = len(self._limbs)
        probes = factors.shape[1] // count
        total = torch.zeros((stop - start, probes), dtype=torch.int32, device=self._device)
        for place in range(count):
            used = factors[:, : probes * (count - place)]
            sums = torch._int_mm(self._limbs[place, start:stop], used)  # noqa: SLF001 - torch has no public integer product
            for other in range(count - place):
                part = sums[:, probes * other : probes * (other + 1)]
                total += part << (8 * (place + other))
        return total.t()

    def _element_bytes(self, sums: torch.Tensor) -> npt.NDArray[np.unsignedinteger]:
        """Return sums modulo 2^k as ring elements on the host."""
        kind = torch.int16 if self._dtype.itemsize == 2 else torch.int32
        return sums.to(kind).contiguous().cpu().numpy().view(self._dtype)


def _padded(count: int, multiple: int = _MULTIPLE) -> int:
    return -(-count // multiple) * multiple


def _rows_within(row_bytes: int) -> int:
    """Return how many rows, a multiple of the padding, keep a block within its bound."""
    return max(_SUM_BYTES // row_bytes // _ROW_MULTIPLE, 1) * _ROW_MULTIPLE
