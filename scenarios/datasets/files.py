"""Read files people hand over: regular ones only, and never more than was agreed on.

A path may name a device that never ends, a pipe nobody writes to, or a sparse file larger than
memory; a few bytes of a zip member may unpack to gigabytes. All are refused before they are read.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Final

from protocol.errors import DataError

__all__ = ["open_archive", "read_file", "read_member", "read_text"]

BROKEN_ARCHIVE: Final = (
    OSError, EOFError, KeyError, IndexError, ValueError, RuntimeError, NotImplementedError,
    MemoryError, struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What a damaged or encrypted zip file raises, depending on where it is damaged."""


def read_file(path: Path, limit_bytes: int, what: str, hint: str = "") -> bytes:
    """Return the content of a regular file of at most `limit_bytes`.

    Raises:
        DataError: `what` cannot be read, is no regular file, or is larger.
    """
    where = str(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{what} is no regular file", where=where, hint=hint)
            if status.st_size > limit_bytes:
                raise _too_large(what, status.st_size, limit_bytes, where)
            data = file.read(limit_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in a name
        raise DataError(f"{what} cannot be read", where=where, hint=hint) from error
    if len(data) > limit_bytes:
        raise _too_large(what, len(data), limit_bytes, where)
    return data


def read_text(path: Path, limit_bytes: int, what: str, hint: str = "") -> str:
    """Return a regular file's UTF-8 text; raises DataError as `read_file`."""
    try:
        return read_file(path, limit_bytes, what, hint).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{what} is no UTF-8 text", where=str(path), hint=hint) from error


def open_archive(path: Path, message: str, hint: str = "") -> zipfile.ZipFile:
    """Open a zip file and read its list of members.

    Raises:
        DataError: with `message`; it is no regular file, or no zip file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(message, where=str(path), hint=hint)
        return zipfile.ZipFile(path)
    except BROKEN_ARCHIVE as error:
        raise DataError(message, where=str(path), hint=hint) from error


def read_member(
    archive: zipfile.ZipFile, name: str, limit_bytes: int, what: str, where: str
) -> bytes:
    """Return what a member of a zip file unpacks to, at most `limit_bytes`.

    Raises:
        DataError: `what` is damaged, encrypted or larger.
    """
    try:
        member = archive.getinfo(name)
        if member.file_size > limit_bytes:
            raise _too_large(what, member.file_size, limit_bytes, where)
        with archive.open(member) as file:  # what the list says of sizes need not be so
            data = file.read(limit_bytes + 1)
    except BROKEN_ARCHIVE as error:
        raise DataError(f"{what} cannot be read", where=where) from error
    if len(data) > limit_bytes:
        raise _too_large(what, len(data), limit_bytes, where)
    return data


def _too_large(what: str, size_bytes: int, limit_bytes: int, where: str) -> DataError:
    text = f"{what} of {size_bytes:,} bytes is too large, {limit_bytes:,} are the most"
    return DataError(text, where=where)
