"""Read npz archives of plain arrays from bytes nobody vouches for.

What an archive will unpack to is known from its list of members and the arrays' headers, which are
compared and bounded before anything is allocated: a megabyte may unpack to a gigabyte, and a
header may promise a terabyte. Only plain numbers and booleans are taken: no objects, no records.
"""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

__all__ = ["read_npz"]

_KINDS: Final = "biufS"  # booleans, integers, floats, byte strings of one length
_LONGEST_HEADER: Final = 10_000
_SUFFIX: Final = ".npy"
_BROKEN: Final = (
    OSError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError, SyntaxError,
    RuntimeError, NotImplementedError, OverflowError, MemoryError, struct.error,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What zipfile, zlib and NumPy raise, depending on where an archive is damaged."""


def read_npz(stream: IO[bytes], limit_bytes: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz archive that unpack to at most `limit_bytes` together.

    Raises:
        ValueError: not such an archive, damaged, larger, or with arrays of another kind; the text
            says which, without any content.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _refuse_too_much(sum(member.file_size for member in members), limit_bytes)
            return {
                member.filename.removesuffix(_SUFFIX): _array(archive, member) for member in members
            }
    except _RefusedError:
        raise
    except _BROKEN as error:
        raise _RefusedError("not a readable npz archive of plain arrays") from error


class _RefusedError(ValueError):
    """Our own refusals, told from the libraries' errors."""


def _refuse_too_much(unpacked_bytes: int, limit_bytes: int) -> None:
    if unpacked_bytes > limit_bytes:
        text = f"unpacks to {unpacked_bytes:,} bytes, {limit_bytes:,} are the most"
        raise _RefusedError(text)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, kind = read(file, max_header_size=_LONGEST_HEADER)
        if kind.kind not in _KINDS or kind.itemsize == 0:
            raise _RefusedError(f"holds an array of kind {kind.kind!r}, expected plain numbers")
        size = kind.itemsize
        for side in shape:
            size *= int(side)
        if min(shape, default=0) < 0 or size > member.file_size:
            raise _RefusedError("holds an array that is shorter than its header says")
        data = file.read(size + 1)
    if len(data) != size:
        raise _RefusedError("holds an array that is not as long as its header says")
    array = np.frombuffer(bytearray(data), dtype=kind)
    return array.reshape(shape, order="F" if fortran else "C")
