"""Labeled Faces in the Wild, aligned to 112x112: real people, read from where the user has it.

The archive is read member by member. View 1 of the benchmark divides the people: DevTrain may
be fitted on, DevTest may not; reversed, the other way round, so that two networks test everybody
once. The pictures are not part of this project.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from protocol.errors import DataError
from scenarios.datasets.base import Pictures
from scenarios.datasets.decode import MAX_FILE_BYTES, SIDE, decode_picture
from scenarios.datasets.files import open_archive, read_member

__all__ = ["LFW_FILES", "LfwFaces"]

_FOLDER = Path("data/lfw")
_ARCHIVE = _FOLDER / "lfw112_q95.zip"
_TRAIN, _TEST = _FOLDER / "peopleDevTrain.txt", _FOLDER / "peopleDevTest.txt"
LFW_FILES = (_ARCHIVE, _TRAIN, _TEST)


class LfwFaces:
    """LFW by person; picture ids are `Person_Name/Person_Name_0001.jpg`.

    Args:
        root: the BAUTA_DATA folder.
        reverse: fit on DevTest people and test on DevTrain people.

    Raises:
        DataError: a file is missing, or the archive and the people lists disagree.
    """

    synthetic = False

    def __init__(self, root: Path, *, reverse: bool = False) -> None:
        missing = [str(name) for name in LFW_FILES if not (root / name).is_file()]
        if missing:
            raise DataError(f"{', '.join(missing)} not found", where=f"BAUTA_DATA={root}")
        self._root = root
        self.name = "lfw-reversed" if reverse else "lfw"
        halves = [_read_people(root / _TRAIN), _read_people(root / _TEST)]
        self._training, self._test = reversed(halves) if reverse else halves
        unknown = [name for name in (*self._training, *self._test) if name not in self._pictures]
        if unknown:
            message = f"no pictures of {len(unknown)} listed people, first {unknown[0]}"
            raise DataError(message, where=str(root / _ARCHIVE))

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        return open_archive(self._root / _ARCHIVE, "not a readable zip archive")

    @cached_property
    def _pictures(self) -> dict[str, list[str]]:
        pictures: dict[str, list[str]] = {}
        for member in sorted(self._archive.namelist()):
            identity, slash, file = member.partition("/")
            if slash and file:
                pictures.setdefault(identity, []).append(member)
        return pictures

    @property
    def identities(self) -> Sequence[str]:
        """All people, sorted."""
        return list(self._pictures)

    def training_identities(self) -> Sequence[str]:
        """Return the DevTrain people; reversed, the DevTest people."""
        return self._training

    def test_identities(self) -> Sequence[str]:
        """Return the DevTest people; reversed, the DevTrain people."""
        return self._test

    def pictures_of(self, identity: str) -> Sequence[str]:
        """Return the picture ids of one person, sorted.

        Raises:
            DataError: no such person.
        """
        try:
            return self._pictures[identity]
        except KeyError:
            raise DataError("no such person in LFW", where=identity) from None

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        """Decode pictures uint8 [B, 112, 112, 3] in the order asked for.

        Raises:
            DataError: no such picture, or it cannot be decoded.
        """
        pictures = np.empty((len(picture_ids), SIDE, SIDE, 3), np.uint8)
        for row, picture_id in enumerate(picture_ids):
            if picture_id not in self._archive.NameToInfo:
                raise DataError("no such picture in LFW", where=picture_id)
            data = read_member(self._archive, picture_id, MAX_FILE_BYTES, "picture", picture_id)
            pictures[row] = decode_picture(data, picture_id)
        return pictures


def _read_people(path: Path) -> list[str]:
    """Read a people list: a count, then `name<TAB>pictures` per line."""
    lines = path.read_text(encoding="utf-8").split("\n")
    names = sorted(line.split("\t")[0] for line in lines[1:] if line.strip())
    if not lines[0].strip().isdecimal() or len(names) != int(lines[0]):
        raise DataError(f"expected a count and that many people, got {len(names)}", where=str(path))
    return names
