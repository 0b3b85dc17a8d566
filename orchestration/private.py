"""Folders and files for their owner alone: what a run leaves is as sensitive as its data."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["OWNER_ONLY", "make_private_folder", "open_private"]

OWNER_ONLY: Final = 0o600
_FOLDER: Final = 0o700


def make_private_folder(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for their owner alone; return it.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        make_private_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=_FOLDER)
    return folder


def open_private(path: Path, mode: str) -> IO[Any]:
    """Open a file that is new or ours, for writing or appending; only the owner may read it.

    Raises:
        OSError: it cannot be opened.
    """
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, OWNER_ONLY))
