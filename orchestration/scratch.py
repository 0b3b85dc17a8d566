"""A run's own temporary folder, and what outlives its processes there and in caches.

Whatever a run starts gets the folder as `TMPDIR`, and Ray's session (logs, spilled objects) lies
in it. It is removed at the end; a run that records views first keeps the files for the audit.

A process that is killed outright cannot remove anything. Each folder therefore holds a file that
its process has locked, and whoever makes the next folder removes those whose lock is free.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from time import time
from typing import Final

import parties
import protocol
from orchestration.machine import user_cache
from orchestration.private import OWNER_ONLY, make_private_folder
from protocol.errors import DataError

__all__ = ["LEFT", "scratch", "within_scratch"]

LEFT: Final = "left"
# Ray puts sockets below its folder, and their paths may not be longer than 107 bytes.
FOLDER_LENGTH_LIMIT: Final = 28
PREFIX: Final = "bauta-"
OWNED: Final = ".owned"
"""The file that the owner of a folder has locked."""
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
    with _own_folder() as folder:
        try:
            with _as_temporary(folder):
                yield folder
        finally:
            if kept is not None:
                _keep(folder, began, kept)


@contextmanager
def within_scratch() -> Iterator[Path]:
    """Give the folder of the `scratch` around, which cleans up, or one for the block alone."""
    around = _HELD.get()
    if around is not None:
        yield around
        return
    with _own_folder() as own:
        yield own


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Make a folder that nobody else may enter, after removing what dead processes left.

    It lies where temporary folders are usually made, or where its path stays short.
    """
    usual = tempfile.gettempdir()
    place = Path(usual if len(usual) <= FOLDER_LENGTH_LIMIT else "/tmp")  # noqa: S108
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    with (folder / f"{OWNED}.new").open("w") as owned:
        fcntl.flock(owned, fcntl.LOCK_EX)
        # Whoever sweeps must never see the file without its lock.
        (folder / f"{OWNED}.new").rename(folder / OWNED)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove folders of this user whose owner is no more: its lock went with it."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_uid == os.getuid() and _is_free(folder / OWNED):
                shutil.rmtree(folder, ignore_errors=True)


def _is_free(owned: Path) -> bool:
    """Say whether nobody holds a lock; a folder without one is not ours to judge."""
    with owned.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


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
            _keep_file(path, kept / "temporary" / path.relative_to(folder), shutil.move)
        for name, root, pattern in _caches():
            for path in _files(root, pattern):
                # Other processes use these caches too, and may remove a file meanwhile.
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime >= began:
                        inside = path.relative_to(root)
                        _keep_file(path, kept / "caches" / name / inside, shutil.copyfile)
    except OSError as error:
        text = f"what the run left cannot be kept: {error.strerror or type(error).__name__}"
        raise DataError(text, where=str(kept), hint="choose another place with --out") from error


def _keep_file(path: Path, place: Path, take: Callable[[Path, Path], object]) -> None:
    make_private_folder(place.parent)
    take(path, place)
    place.chmod(OWNER_ONLY)


def _caches() -> Iterator[tuple[str, Path, str]]:
    """Yield where a run writes beside its own folders: adapted networks and compiled kernels."""
    yield "bauta", user_cache() / "bauta", "*"
    configured = os.environ.get("NUMBA_CACHE_DIR")
    yield "numba", Path(configured) if configured else user_cache() / "numba", "*"
    for package in (protocol, parties):
        yield package.__name__, Path(next(iter(package.__path__))), "__pycache__/*"


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the regular files below a folder; sockets and links are none."""
    found = folder.rglob(pattern)
    return sorted(p for p in found if p.is_file() and not p.is_symlink() and p.name != OWNED)
