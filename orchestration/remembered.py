"""What one run worked out and a later one takes over: calibrations and baselines, in files.

An entry is one array, in a file named after a digest of everything the array depends on: network,
pictures, features, versions. Other inputs make another name, so nothing is ever out of date. Files
are written under a temporary name and renamed, and begin with a digest of what follows: an entry
that is truncated or damaged is worked out again and replaced. A cache that cannot be read or
written costs time and is no error. Folder and files are for the user alone (0700, 0600), and only
the entries used last are kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b, sha256
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from orchestration.machine import user_cache
from scenarios.datasets import DataSet

__all__ = ["ENTRIES", "SWITCH", "Memory", "file_digest", "pictures_digest"]

SWITCH: Final = "BAUTA_REMEMBER"
ENTRIES: Final = 64
FORMAT: Final = 1
DIGEST_BYTES: Final = 32
SAMPLED: Final = 8  # generated pictures are functions of their names; a few show the generator
LOAD_BATCH: Final = 64
VERSIONS: Final = ("bauta", "torch", "numpy")

Array = npt.NDArray[Any]


class Memory:
    """The entries of this user; see the module.

    Attributes:
        used: kinds of entries that were taken over, in order.
    """

    def __init__(self, *, active: bool = True) -> None:
        """Open the folder; inactive, or with BAUTA_REMEMBER=0, nothing is read or written."""
        self._active = active and os.environ.get(SWITCH, "1") != "0"
        self._folder = user_cache() / "bauta" / "remembered"
        self.used: list[str] = []

    def recall(
        self,
        kind: str,
        depends: Callable[[], Mapping[str, Any]] | None,
        work: Callable[[], Array],
        fits: Callable[[Array], bool],
    ) -> Array:
        """Return an array from its entry, or work it out and write the entry.

        Args:
            kind: what it is, a word.
            depends: tells everything it depends on; None where it must not be kept.
            work: works it out.
            fits: whether an entry's array will do, for instance has the shape it should.
        """
        if depends is None or not self._active:
            return work()
        path = self._folder / f"{kind}-{_name(depends())}"
        known = _read(path)
        if known is not None and fits(known):
            with suppress(OSError):
                os.utime(path)
            self.used.append(kind)
            return known
        found = work()
        with suppress(OSError):
            _write(path, found)
            _forget(self._folder)
        return found


def file_digest(path: Path) -> str:
    """Return a digest of a file's content."""
    return sha256(path.read_bytes()).hexdigest()


def pictures_digest(dataset: DataSet, ids: Sequence[str]) -> str:
    """Return a digest of which pictures these are and of what they show.

    Real pictures are all read, because a file may have changed under its name.
    """
    step = max(1, len(ids) // SAMPLED) if dataset.synthetic else 1
    digest = blake2b(repr((dataset.name, dataset.synthetic, list(ids))).encode(), digest_size=32)
    read = ids[::step]
    for start in range(0, len(read), LOAD_BATCH):
        pictures = dataset.load(read[start : start + LOAD_BATCH])
        digest.update(repr((pictures.dtype.str, pictures.shape)).encode())
        digest.update(pictures.tobytes())
    return digest.hexdigest()


def _name(depends: Mapping[str, Any]) -> str:
    known = {"format": FORMAT, "versions": list(_versions()), **depends}
    text = msgspec.json.encode(known, order="deterministic")
    return blake2b(text, digest_size=16).hexdigest()


def _versions() -> Iterator[str]:
    for package in VERSIONS:
        try:
            yield version(package)
        except PackageNotFoundError:
            yield ""


def _read(path: Path) -> Array | None:
    """Return an entry's array; None where there is none that is whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    told, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if sha256(body).digest() != told:
        return None
    try:
        array: Array = np.load(BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    return array


def _write(path: Path, array: Array) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    body = buffer.getvalue()
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # readable by its owner alone
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(sha256(body).digest() + body)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _forget(folder: Path) -> None:
    """Remove all but the entries used last, and what a killed writer left."""
    entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[ENTRIES:]:
        path.unlink(missing_ok=True)
