"""A run's own temporary folder, and what outlives its processes there and in caches.

Whatever a run starts gets the folder as `TMPDIR`, and Ray's session (logs, spilled objects) lies
in it. It is removed at the end; a run that records views first keeps the files for the audit.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from time import time
from typing import Final

import parties
import protocol
from orchestration.machine import user_cache
from protocol.errors import DataError

__all__ = ["LEFT", "scratch", "within_scratch"]

LEFT: Final = "left"
# Ray puts sockets below its folder, and their paths may not be longer than 107 bytes.
FOLDER_LENGTH_LIMIT: Final = 30
_HELD: Final[ContextVar[Path | None]] = ContextVar("scratch", default=None)


@contextmanager
def scratch(kept: Path | None) -> Iterator[Path]:
    """Give a temporary folder for everything the block starts; remove it at the end.

    Args:
        kept: folder that its regular files are moved to, beside copies of what the block wrote
            into caches; None to keep nothing.

    Raises:
        DataError: something cannot be kept.
    """
    began = time()
    folder = _made_folder()
    try:
        with _as_temporary(folder):
            yield folder
    finally:
        try:
            if kept is not None:
                _keep(folder, began, kept)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def within_scratch() -> Iterator[Path]:
    """Give the folder of the `scratch` around, which cleans up, or one for the block alone."""
    around = _HELD.get()
    if around is not None:
        yield around
        return
    own = _made_folder()
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _made_folder() -> Path:
    """Make a folder where temporary ones are usually made, or where its path stays short."""
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= FOLDER_LENGTH_LIMIT else "/tmp"  # noqa: S108
    return Path(tempfile.mkdtemp(prefix="bauta-", dir=place))


@contextmanager
def _as_temporary(folder: Path) -> Iterator[None]:
    """Make a folder the temporary one of this process and of all it starts."""
    before, chosen = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    token = _HELD.set(folder)
    try:
        yield
    finally:
        _HELD.reset(token)
        tempfile.tempdir = chosen
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def _keep(folder: Path, began: float, kept: Path) -> None:
    try:
        for path in _files(folder):
            shutil.move(path, _made(kept / "temporary" / path.relative_to(folder)))
        for name, root, pattern in _caches():
            for path in _files(root, pattern):
                # Other processes use these caches too, and may remove a file meanwhile.
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime >= began:
                        inside = path.relative_to(root)
                        shutil.copyfile(path, _made(kept / "caches" / name / inside))
    except OSError as error:
        text = f"what the run left cannot be kept: {error.strerror or type(error).__name__}"
        raise DataError(text, where=str(kept), hint="choose another place with --out") from error


def _caches() -> Iterator[tuple[str, Path, str]]:
    """Yield where a run writes beside its own folders: adapted networks and compiled kernels."""
    yield "bauta", user_cache() / "bauta", "*"
    configured = os.environ.get("NUMBA_CACHE_DIR")
    yield "numba", Path(configured) if configured else user_cache() / "numba", "*"
    for package in (protocol, parties):
        yield package.__name__, Path(next(iter(package.__path__))), "__pycache__/*"


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the regular files below a folder; sockets and links are none."""
    return sorted(p for p in folder.rglob(pattern) if p.is_file() and not p.is_symlink())


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
