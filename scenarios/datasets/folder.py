"""Any folder or zip of `identity/picture.jpg` (or .png) at 112x112."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from protocol.errors import DataError
from scenarios.datasets.base import Pictures
from scenarios.datasets.decode import SIDE, decode_picture

__all__ = ["FolderFaces"]

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_TRAINING_SHARE = 0.3
_LAYOUT = "expected identity/picture.jpg (or .png) at 112x112"


class FolderFaces:
    """Faces of a user's own; picture ids are `identity/picture.jpg`.

    Three people in ten, chosen by a hash of their names, are training people: adding people
    moves none from one group to the other except at the border.

    Args:
        path: a folder or a zip file.

    Raises:
        DataError: nothing there, an identity without pictures, or not a zip file.
    """

    synthetic = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        if not path.exists():
            raise DataError("no such folder or zip file", where=str(path), hint=_LAYOUT)
        if not self._pictures:
            raise DataError("no identities found", where=str(path), hint=_LAYOUT)
        for identity, pictures in self._pictures.items():
            if not pictures:
                where = f"{path}/{identity}"
                raise DataError("identity with no pictures", where=where, hint=_LAYOUT)

    @cached_property
    def _archive(self) -> zipfile.ZipFile | None:
        if self._path.is_dir():
            return None
        try:
            return zipfile.ZipFile(self._path)
        except (OSError, zipfile.BadZipFile) as error:
            message = "neither a folder nor a readable zip file"
            raise DataError(message, where=str(self._path), hint=_LAYOUT) from error

    @cached_property
    def _pictures(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, is_folder in sorted(self._names()):
            parts = PurePosixPath(name).parts
            if not parts or any(part.startswith((".", "__MACOSX")) for part in parts):
                continue
            if is_folder and len(parts) == 1:
                found.setdefault(parts[0], [])
            elif len(parts) == 2 and PurePosixPath(name).suffix.lower() in _SUFFIXES:
                found.setdefault(parts[0], []).append(name)
        return found

    def _names(self) -> list[tuple[str, bool]]:
        """Return (relative name, is a folder) of everything one or two levels down."""
        if self._archive is not None:
            return [(entry.filename, entry.is_dir()) for entry in self._archive.infolist()]
        paths = [*self._path.glob("*"), *self._path.glob("*/*")]
        return [(path.relative_to(self._path).as_posix(), path.is_dir()) for path in paths]

    @property
    def identities(self) -> Sequence[str]:
        """All people, sorted."""
        return sorted(self._pictures)

    @cached_property
    def _by_hash(self) -> list[str]:
        return sorted(self._pictures, key=lambda name: hashlib.sha256(name.encode()).digest())

    @property
    def _border(self) -> int:
        return int(len(self._by_hash) * _TRAINING_SHARE)

    def training_identities(self) -> Sequence[str]:
        """Return the people networks and calibrations may be fitted on."""
        return sorted(self._by_hash[: self._border])

    def test_identities(self) -> Sequence[str]:
        """Return people disjoint from the training identities."""
        return sorted(self._by_hash[self._border :])

    def pictures_of(self, identity: str) -> Sequence[str]:
        """Return the picture ids of one person, sorted.

        Raises:
            DataError: no such person.
        """
        try:
            return self._pictures[identity]
        except KeyError:
            raise DataError("no such person", where=f"{self._path}/{identity}") from None

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        """Decode pictures uint8 [B, 112, 112, 3] in the order asked for.

        Raises:
            DataError: no such picture, unreadable, or not 112x112; names the file.
        """
        pictures = np.empty((len(picture_ids), SIDE, SIDE, 3), np.uint8)
        for row, picture_id in enumerate(picture_ids):
            pictures[row] = decode_picture(self._read(picture_id), f"{self._path}/{picture_id}")
        return pictures

    def _read(self, picture_id: str) -> bytes:
        where = f"{self._path}/{picture_id}"
        if picture_id not in self._pictures.get(picture_id.partition("/")[0], []):
            raise DataError("no such picture", where=where)
        try:
            if self._archive is not None:
                return self._archive.read(picture_id)
            return (self._path / picture_id).read_bytes()
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise DataError("picture cannot be read", where=where) from error
