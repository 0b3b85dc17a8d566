"""Lists of picture pairs to be verified: LFW's own, those of `.bin` files, and drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protocol.errors import DataError
from scenarios.datasets.base import DataSet, Pictures
from scenarios.datasets.decode import SIDE, decode_picture
from scenarios.datasets.files import read_file
from scenarios.datasets.plain_pickle import read_plain_pickle

__all__ = ["PairList", "draw_pairs", "read_lfw_pairs", "read_verification_bin"]

MAX_BIN_BYTES = 1 << 30
MAX_BIN_PICTURES = 100_000
_STREAM = 0xFA125  # keeps drawn pairs apart from other uses of the same seed


class PairList(NamedTuple):
    """Pairs in the order of their folds.

    Attributes:
        name: what the protocol is called.
        first: picture id of one side of each pair.
        second: picture id of the other side.
        same: whether both are of one person.
        folds: consecutive blocks the list is cut into.
    """

    name: str
    first: list[str]
    second: list[str]
    same: list[bool]
    folds: int


def read_lfw_pairs(path: Path, *, folds: int, name: str) -> PairList:
    """Read one of LFW's pair lists: `name i j` or `name i other j`, separated by tabs.

    Args:
        path: the list.
        folds: blocks it is cut into. A list whose head gives one number holds all pairs of one
            person before all others; they are then taken in turn, so that folds are alike.
        name: what to call the protocol.

    Raises:
        DataError: unreadable, or a line is neither of the two.
    """
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DataError("pair list cannot be read", where=str(path)) from error
    rows = list(enumerate(lines, start=2))
    if "\t" not in head:
        half = len(rows) // 2
        rows = [row for both in zip(rows[:half], rows[half:], strict=False) for row in both]
    first, second, same = [], [], []
    for number, line in rows:
        fields = line.split("\t")
        if len(fields) not in (3, 4) or not all(text.isdecimal() for text in fields[1::2]):
            where = f"{path}:{number}"
            raise DataError("expected `name i j` or `name i other j`", where=where)
        other = fields[0] if len(fields) == 3 else fields[2]
        first.append(_lfw_picture(fields[0], int(fields[1])))
        second.append(_lfw_picture(other, int(fields[-1])))
        same.append(len(fields) == 3)
    return PairList(name, first, second, same, folds)


def _lfw_picture(person: str, number: int) -> str:
    return f"{person}/{person}_{number:04d}.jpg"


def read_verification_bin(path: Path) -> tuple[Pictures, list[bool]]:
    """Read a verification `.bin` file: pairs of encoded pictures and whether they are the same.

    Returns:
        Pictures uint8 [2 P, 112, 112, 3], pair by pair, and P labels.

    Raises:
        DataError: unreadable, not such a file, asks for code to be run, or a picture that is not
            112x112.
    """
    where = str(path)
    value = read_plain_pickle(read_file(path, MAX_BIN_BYTES, "verification file"), where)
    bins, same = _checked(value, where)
    if len(bins) > MAX_BIN_PICTURES:  # a few bytes may name one picture a million times
        text = f"{len(bins):,} pictures are too many, {MAX_BIN_PICTURES:,} are the most"
        raise DataError(text, where=where)
    pictures = np.empty((len(bins), SIDE, SIDE, 3), np.uint8)
    for index, data in enumerate(bins):
        pictures[index] = decode_picture(data, f"{where}[{index}]")
    return pictures, same


def _checked(value: object, where: str) -> tuple[list[bytes], list[bool]]:
    problem = DataError(
        "expected two lists: encoded pictures, two for each pair, and a boolean for each pair",
        where=where,
    )
    if not (isinstance(value, (tuple, list)) and len(value) == 2):
        raise problem
    bins, same = value
    if not (isinstance(bins, list) and isinstance(same, list) and len(bins) == 2 * len(same)):
        raise problem
    if not all(type(item) is bytes for item in bins) or not same:
        raise problem
    if not all(type(item) in (bool, int) and item in (0, 1) for item in same):
        raise problem
    return bins, [bool(item) for item in same]


def draw_pairs(dataset: DataSet, people: Sequence[str], *, folds: int, seed: int) -> PairList:
    """Draw as many pairs of one person as of two, in folds that share no person.

    Every person with two or more pictures gives one pair of theirs, and one with somebody else
    of the same fold.

    Raises:
        DataError: a fold would have no pair of one person.
    """
    rng = np.random.default_rng([seed, _STREAM])
    several = [person for person in people if len(dataset.pictures_of(person)) > 1]
    if len(several) < 2 * folds:
        text = f"{len(several)} people have two pictures, {folds} folds need {2 * folds}"
        raise DataError(text, where=dataset.name, hint="use fewer folds or more pictures")
    blocks = np.array_split(rng.permutation(len(several)), folds)
    first, second, same = [], [], []
    for block in blocks:
        for place, index in enumerate(block):
            person, other = several[index], several[block[(place + 1) % len(block)]]
            mine = dataset.pictures_of(person)
            one, two = (mine[row] for row in rng.permutation(len(mine))[:2])
            theirs = dataset.pictures_of(other)
            chosen = int(rng.integers(len(theirs)))
            first += [one, one]
            second += [two, theirs[chosen]]
            same += [True, False]
    return PairList(f"{folds} folds of drawn pairs", first, second, same, folds)
