"""Any folder or zip of `identity/picture` at 112x112, as people have them.

What is there is listed once: pictures by person, and everything else by its kind, so that an
error can say what was found. One folder around all identities, as zip programs make it, is
looked through.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np

from protocol.errors import DataError
from scenarios.datasets.base import Pictures
from scenarios.datasets.decode import KINDS, MAX_FILE_BYTES, SIDE, Decoded, blank, decode, kind_of
from scenarios.datasets.files import open_archive, read_file, read_member

__all__ = ["FolderFaces", "Inspection"]

_TRAINING_SHARE = 0.3
_LAYOUT = "expected identity/picture at 112x112; pictures are " + ", ".join(KINDS)
_SHOWN = 10  # of a long list of what is wrong
_DEPTH = 3  # a folder around everything, a person, a picture

Watch = Callable[[int], None]


class Inspection(NamedTuple):
    """What decoding pictures found.

    Attributes:
        pictures: how many were decoded.
        changes: how many had to be changed, by what was done.
        problems: those that cannot be used.
    """

    pictures: int
    changes: Counter[str]
    problems: list[DataError]

    def refuse(self) -> None:
        """Raise one error that counts and names the pictures that cannot be used, if any.

        Raises:
            DataError: `where` is the first of them.
        """
        if not self.problems:
            return
        first, *others = self.problems
        if not others:
            raise first
        shown = [f"{error.where}: {error.message}" for error in others[: _SHOWN - 1]]
        if len(others) > len(shown):
            shown.append(f"and {len(others) - len(shown):,} more")
        lines = "".join(f"\n  also {line}" for line in shown)
        count = f"{len(self.problems):,} of {self.pictures:,} pictures cannot be used"
        raise DataError(f"{first.message} ({count}){lines}", where=first.where, hint=first.hint)

    def notes(self) -> Iterator[str]:
        """Yield one sentence about all pictures that were changed."""
        if self.changes:
            listed = ", ".join(f"{count:,} {what}" for what, count in sorted(self.changes.items()))
            yield f"of {self.pictures:,} pictures were converted to upright 8-bit RGB: {listed}"


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
        self._found = _Found(self._names())
        if not self._pictures:
            found = self._found.described("")
            raise DataError(f"no identities found: {found}", where=str(path), hint=_LAYOUT)
        self._refuse_empty()

    @cached_property
    def _archive(self) -> zipfile.ZipFile | None:
        if self._path.is_dir():
            return None
        return open_archive(self._path, "neither a folder nor a readable zip file", _LAYOUT)

    @property
    def _pictures(self) -> dict[str, list[str]]:
        return self._found.pictures

    def _refuse_empty(self) -> None:
        empty = [identity for identity, pictures in self._pictures.items() if not pictures]
        if not empty:
            return
        message = f"identity with no pictures: {self._found.described(empty[0])}"
        if len(empty) > 1:
            message += f"; so are {len(empty) - 1:,} more of {len(self._pictures):,} identities"
            message += f", all together {self._found.described(*empty)}"
        raise DataError(message, where=f"{self._path}/{empty[0]}", hint=_LAYOUT)

    def _names(self) -> Iterator[tuple[str, bool]]:
        """Yield (relative name, is a folder) of everything, as deep as pictures may lie."""
        if self._archive is not None:
            for entry in self._archive.infolist():
                yield entry.filename, entry.is_dir()
            return
        for folder, folders, files in os.walk(self._path):
            inside = Path(folder).relative_to(self._path)
            for name in files:
                yield (inside / name).as_posix(), False
            for name in folders:
                yield (inside / name).as_posix(), True
            if len(inside.parts) >= _DEPTH - 1:
                folders.clear()

    @property
    def identities(self) -> Sequence[str]:
        """All people, sorted."""
        return sorted(self._pictures)

    @cached_property
    def _by_hash(self) -> list[str]:
        return sorted(self._pictures, key=_digest)

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

    def ignored(self) -> Iterator[str]:
        """Yield one sentence about files beside the pictures that are no pictures, if any."""
        if self._found.others:
            yield f"{self._found.others_described()} beside the pictures were not read"

    def inspect(self, picture_ids: Sequence[str], watch: Watch = lambda _: None) -> Inspection:
        """Decode pictures to see whether they can be, and what has to be changed in them.

        Args:
            picture_ids: which.
            watch: told how many are done.
        """
        changes: Counter[str] = Counter()
        problems: list[DataError] = []
        for done, picture_id in enumerate(picture_ids):
            watch(done)
            try:
                changes.update(self._decode(picture_id).changes)
            except DataError as error:
                problems.append(error)
        return Inspection(len(picture_ids), changes, problems)

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        """Decode pictures uint8 [B, 112, 112, 3] in the order asked for.

        Raises:
            DataError: no such picture, unreadable, not 112x112, or all of one colour; names the
                file.
        """
        pictures = np.empty((len(picture_ids), SIDE, SIDE, 3), np.uint8)
        for row, picture_id in enumerate(picture_ids):
            pictures[row] = self._decode(picture_id).pixels
        return pictures

    def _decode(self, picture_id: str) -> Decoded:
        where = f"{self._path}/{self._found.root}{picture_id}"
        decoded = decode(self._read(picture_id), where)
        if blank(decoded.pixels[None])[0]:
            text = "the picture shows nothing: all its pixels are the same"
            hint = "a face has contrast; was it converted from another range of values?"
            raise DataError(text, where=where, hint=hint)
        return decoded

    def _read(self, picture_id: str) -> bytes:
        name = self._found.root + picture_id
        where = f"{self._path}/{name}"
        if picture_id not in self._found.listed:
            raise DataError("no such picture", where=where)
        if self._archive is not None:
            return read_member(self._archive, name, MAX_FILE_BYTES, "picture", where)
        return read_file(self._path / name, MAX_FILE_BYTES, "picture")


class _Found:
    """What a folder or zip holds: pictures by person, other files by person and kind.

    Attributes:
        root: the folder around all identities, with its slash; empty where there is none.
        pictures: picture ids by identity, sorted.
        others: files that are no pictures, by identity ("" above them) and kind.
    """

    def __init__(self, names: Iterator[tuple[str, bool]]) -> None:
        entries = sorted((parts, folder) for name, folder in names if (parts := _parts(name)))
        self.root = _wrapping(entries)
        self.pictures: dict[str, list[str]] = {}
        self.others: Counter[tuple[str, str]] = Counter()
        skipped = 1 if self.root else 0
        for parts, is_folder in entries:
            self._add(parts[skipped:], is_folder=is_folder)
        self.listed = {picture for own in self.pictures.values() for picture in own}

    def _add(self, parts: tuple[str, ...], *, is_folder: bool) -> None:
        if not parts:
            return
        if is_folder or len(parts) > 1:
            self.pictures.setdefault(parts[0], [])
        if is_folder:
            return
        kind = kind_of(parts[-1])
        if len(parts) == 2 and kind in KINDS:
            self.pictures[parts[0]].append("/".join(parts))
        else:
            place = "" if len(parts) == 1 else parts[0]
            self.others[place, kind if len(parts) < 3 else f"{kind} in folders below"] += 1

    def described(self, *identities: str) -> str:
        """Return what lies in the folders of identities that is no picture of theirs."""
        kinds: Counter[str] = Counter()
        for (place, kind), count in self.others.items():
            if place in identities:
                kinds[kind] += count
        return _kinds(kinds)

    def others_described(self) -> str:
        """Return everything that is no picture, wherever it lies."""
        kinds: Counter[str] = Counter()
        for (_, kind), count in self.others.items():
            kinds[kind] += count
        return _kinds(kinds)


def _kinds(kinds: Counter[str]) -> str:
    """Return for example `10 files of kind .xyz, 2 files without an ending`."""
    listed = [
        f"{count:,} {'file' if count == 1 else 'files'} "
        + (f"of kind {kind}" if kind.startswith(".") else f"without an ending{kind}")
        for kind, count in kinds.most_common(_SHOWN)
    ]
    if len(kinds) > _SHOWN:
        listed.append("and other kinds")
    return ", ".join(listed) or "it is empty"


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a relative name; none for what is hidden or climbs out."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith((".", "__MACOSX", "/")) for part in parts)
    return () if hidden or len(parts) > _DEPTH else parts


def _wrapping(entries: Sequence[tuple[tuple[str, ...], bool]]) -> str:
    """Return the one folder that lies around all identities, with its slash, or nothing.

    There is one if all pictures are one level too deep, in folders of one folder.
    """
    files = [parts for parts, is_folder in entries if not is_folder]
    pictures = [parts for parts in files if kind_of(parts[-1]) in KINDS]
    tops: Final = {parts[0] for parts in pictures}
    deep = all(len(parts) == _DEPTH for parts in pictures)
    return f"{tops.pop()}/" if pictures and deep and len(tops) == 1 else ""


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
