"""The cache of what runs worked out: whole or worked out again, for its owner alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from orchestration import remembered
from orchestration.remembered import SWITCH, Memory, pictures_digest
from scenarios.datasets import SyntheticFaces

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(SWITCH, "1")
    return tmp_path / "cache" / "bauta" / "remembered"


class Work:
    """Counts how often something is worked out."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> npt.NDArray[Any]:
        self.done += 1
        return VALUES


def recalled(work: Work, depends: Mapping[str, Any] | None = None, *, fits: bool = True) -> Memory:
    memory = Memory()
    told = {"network": "a"} if depends is None else depends
    found = memory.recall("kind", lambda: told, work, lambda _: fits)
    assert np.array_equal(found, VALUES)
    return memory


def test_what_was_worked_out_once_is_taken_over() -> None:
    work = Work()
    assert recalled(work).used == []
    assert recalled(work).used == ["kind"]
    assert work.done == 1


def test_whatever_it_depends_on_makes_another_entry() -> None:
    work = Work()
    recalled(work)
    recalled(work, {"network": "b"})
    recalled(work, {"network": "a", "pictures": "c"})
    assert work.done == 3


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 400])
def test_a_damaged_entry_is_worked_out_again_and_replaced(cache: Path, damage: bytes) -> None:
    work = Work()
    recalled(work)
    (entry,) = cache.iterdir()
    entry.write_bytes(damage)
    assert recalled(work).used == []
    assert recalled(work).used == ["kind"]
    assert work.done == 2


def test_every_truncation_is_noticed(cache: Path) -> None:
    work = Work()
    recalled(work)
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    for length in range(0, len(whole), 7):
        entry.write_bytes(whole[:length])
        assert recalled(work).used == []


def test_an_entry_that_does_not_fit_is_worked_out_again() -> None:
    work = Work()
    recalled(work)
    recalled(work, fits=False)
    assert work.done == 2


def test_entries_are_for_their_owner_alone(cache: Path) -> None:
    before = os.umask(0)
    try:
        recalled(Work())
    finally:
        os.umask(before)
    (entry,) = cache.iterdir()
    assert cache.stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_mode & 0o777 == 0o600


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    work = Work()
    recalled(work)
    recalled(work)
    assert work.done == 2


def test_the_entries_used_last_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "ENTRIES", 3)
    work = Work()
    for number in range(3):
        recalled(work, {"network": number})
    for age, entry in enumerate(sorted(cache.iterdir())):
        os.utime(entry, (age, age))
    recalled(work, {"network": 1})
    recalled(work, {"network": 3})
    assert len(list(cache.iterdir())) == 3
    recalled(work, {"network": 1})
    recalled(work, {"network": 3})
    assert work.done == 4


def test_what_must_not_be_kept_is_not(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Memory(active=False).recall("kind", dict, Work(), lambda _: True)
    Memory().recall("kind", None, Work(), lambda _: True)
    monkeypatch.setenv(SWITCH, "0")
    Memory().recall("kind", dict, Work(), lambda _: True)
    assert not cache.exists()


def test_pictures_are_told_apart_by_name_and_content() -> None:
    faces, others = (SyntheticFaces(seed, training_people=3, test_people=0) for seed in (7, 8))
    ids = [faces.pictures_of(person)[0] for person in faces.training_identities()]
    assert pictures_digest(faces, ids) == pictures_digest(faces, ids)
    assert pictures_digest(faces, ids) != pictures_digest(faces, ids[::-1])
    assert pictures_digest(faces, ids) != pictures_digest(others, ids)
