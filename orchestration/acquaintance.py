"""Whom a network was adapted on, and whom of them it meets again.

A student's record names nobody: beside the data set's name and the number of people it keeps a
salted digest of every training person's name, so that any data set's people can be compared with
it, whatever half or folder they come from. Digests of guessable names hide nothing from whoever
guesses the name; they keep a file from being a list of people. Files from before there were
digests are compared by what their data set says of its people today.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from protocol.errors import DataError
from scenarios.datasets import DataSet, LfwFaces

__all__ = ["Acquaintance", "acquaintance", "public_record", "remember_people"]

DIGEST_BYTES: Final = 6  # of 10,000 names and 10,000 others, one pair in 3 million is equal
SALT_BYTES: Final = 16
_DIGESTS, _SALT = "people_digests", "people_salt"
_LFW: Final = ("lfw", "lfw-reversed")


class Acquaintance(NamedTuple):
    """What a network's record says about people.

    Attributes:
        data: the data sets it was adapted on.
        met: those of the people asked about that it was adapted on.
        known: whether the record can tell at all.
    """

    data: str
    met: frozenset[str]
    known: bool

    def notes(self, people: int) -> Iterator[str]:
        """Yield what a reader of accuracy figures on so many people must know."""
        if self.met:
            yield (
                f"{len(self.met)} of the {people} people of this run have the names of people the "
                f"network was adapted on ({self.data}): accuracy is optimistic; use people or a "
                "network that do not meet before quoting it."
            )
        elif not self.known:
            yield (
                f"The network's file does not say whom it was adapted on ({self.data}): whether "
                "it saw people of this run cannot be told."
            )


def remember_people(record: dict[str, Any], dataset: DataSet) -> None:
    """Write into a student's record whom it was adapted on: data set, number, digests of names."""
    people = dataset.training_identities()
    salt = os.urandom(SALT_BYTES)
    record["data"] = dataset.name
    record["people"] = len(people)
    record[_SALT] = salt.hex()
    record[_DIGESTS] = "".join(sorted(_digest(person, salt) for person in people))


def public_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without the digests, for people to read."""
    kept = {name: value for name, value in record.items() if name not in (_DIGESTS, _SALT)}
    if isinstance(kept.get("start"), Mapping):
        kept["start"] = public_record(kept["start"])
    return kept


def acquaintance(
    record: Mapping[str, Any], dataset: DataSet, people: Iterable[str], root: Path | None
) -> Acquaintance:
    """Compare a student's record, and those of the networks it started from, with people.

    Args:
        record: of the student; empty for a network that no data set of ours adapted.
        dataset: where the people are.
        people: their names.
        root: the BAUTA_DATA folder, for records without digests.
    """
    asked, met, known = frozenset(people), set[str](), True
    names: list[str] = []
    for entry in _chain(record):
        data = str(entry.get("data", "unknown"))
        if data not in names:
            names.append(data)
        found = _met(entry, data, dataset, asked, root)
        known = known and found is not None
        met |= found or set()
    return Acquaintance(" and ".join(names), frozenset(met), known)


def _chain(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a record and those it started from; one that says nothing of data is left out."""
    current: object = record
    while isinstance(current, Mapping) and current:
        yield current
        current = current.get("start")


def _met(
    record: Mapping[str, Any], data: str, dataset: DataSet, asked: frozenset[str], root: Path | None
) -> set[str] | None:
    digests, salt = _digests(record)
    if digests is not None:
        return {person for person in asked if _digest(person, salt) in digests}
    if data == "synthetic":
        return set()  # nobody real, and generated anew by every seed
    trained = _listed(data, dataset, root)
    return None if trained is None else set(asked & trained)


def _listed(data: str, dataset: DataSet, root: Path | None) -> frozenset[str] | None:
    """Return the training people of a named data set as it is today, where it is at hand."""
    if data == dataset.name:
        return frozenset(dataset.training_identities())
    if data in _LFW and root is not None:
        try:
            return frozenset(LfwFaces(root, reverse=data == _LFW[1]).training_identities())
        except DataError:
            return None
    return None


def _digests(record: Mapping[str, Any]) -> tuple[frozenset[str] | None, bytes]:
    """Return a record's digests and salt; None where there are none or they are malformed."""
    text, salt = record.get(_DIGESTS), record.get(_SALT)
    if not isinstance(text, str) or not isinstance(salt, str):
        return None, b""
    step = 2 * DIGEST_BYTES
    try:
        key = bytes.fromhex(salt)
    except ValueError:
        return None, b""
    if len(key) != SALT_BYTES or len(text) % step:
        return None, b""
    return frozenset(text[at : at + step] for at in range(0, len(text), step)), key


def _digest(person: str, salt: bytes) -> str:
    return blake2b(person.encode(), digest_size=DIGEST_BYTES, key=salt).hexdigest()
