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

__all__ = ["LEFT", "held", "scratch", "short_folder"]

LEFT: Final = "left"
# Ray puts sockets below its folder, and their paths may not be longer than 107 bytes.
FOLDER_LENGTH_LIMIT: Final = 30
_HELD: Final[ContextVar[bool]] = ContextVar("scratch", default=False)


@contextmanager
def scratch(kept: Path | None) -> Iterator[None]:
    """Hold a temporary folder for everything the block starts; remove it at the end.

    Args:
        kept: folder that its regular files are moved to, beside copies of what the block wrote
            into caches; None to keep nothing.

    Raises:
        DataError: something cannot be kept.
    """
    began = time()
    folder = Path(tempfile.mkdtemp(prefix="bauta-", dir=short_folder()))
    try:
        with _as_temporary(folder):
            yield
    finally:
        try:
            if kept is not None:
                _keep(folder, began, kept)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def held() -> bool:
    """Tell whether what is written to the temporary folder is removed by a `scratch` around."""
    return _HELD.get()


def short_folder() -> Path:
    """Return where temporary folders are made: as usual, or where their paths stay short."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= FOLDER_LENGTH_LIMIT else Path("/tmp")  # noqa: S108


@contextmanager
def _as_temporary(folder: Path) -> Iterator[None]:
    """Make a folder the temporary one of this process and of all it starts."""
    before, chosen = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    token = _HELD.set(True)
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
