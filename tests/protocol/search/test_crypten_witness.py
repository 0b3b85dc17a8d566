"""What CrypTen's generators give is told to whoever records a view, and to nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from crypten_ranks import Session, additive_shares

from protocol.search.crypten.correlations import Level, SearchShape
from protocol.search.crypten.ranks import Provider
from protocol.search.crypten.search import Known, Shared
from protocol.sharing.prg import WITNESS


class Told(NamedTuple):
    label: str
    seed: bytes
    array: npt.NDArray[Any]


@contextmanager
def witness(told: list[Told]) -> Iterator[None]:
    def hear(label: str, seed: bytes, array: npt.NDArray[Any]) -> None:
        told.append(Told(label, seed, array.copy()))

    token = WITNESS.set(hear)
    try:
        yield
    finally:
        WITNESS.reset(token)


def searched(provider: Provider, level: Level = "bitmap") -> list[bytes]:
    """Run one search and return every frame that was sent."""
    rng = np.random.default_rng(7)
    rows, probes = rng.integers(-9, 10, (4, 3)), rng.integers(-9, 10, (2, 4))
    session = Session.open(provider)
    prepared = session.prepare(SearchShape(3, 2, 4, level))
    first, second = additive_shares(rows, rng)
    known = Known(0, (2, 4), probes), Known(0, (2, 4))
    session.search(prepared, (Shared(first), Shared(second)), known, 20)
    return session.links.frames


@pytest.mark.parametrize("provider", ["TTP", "TFP"])
def test_a_witness_changes_nothing(provider: Provider) -> None:
    alone = searched(provider)
    with witness([]):
        assert searched(provider) == alone


def test_both_holders_of_a_seed_tell_the_same_under_one_label() -> None:
    told: list[Told] = []
    with witness(told):
        searched("TTP")
    first: dict[tuple[str, bytes], Told] = {}
    for one in told:
        np.testing.assert_array_equal(one.array, first.setdefault((one.label, one.seed), one).array)
    assert set(Counter(one[:2] for one in told).values()) == {2}
    assert {one.label.partition("/")[0] for one in told} == {"search-0000"}


def test_a_first_party_tells_the_masks_themselves() -> None:
    told: list[Told] = []
    with witness(told):
        searched("TFP")
    once = [label for label, count in Counter(one[:2] for one in told).items() if count == 1]
    alone = [one.array for one in told if one[:2] in once]
    assert [(array.dtype.str, array.size) for array in alone[:2]] == [("<u8", 8), ("<u8", 12)]


def test_bits_are_told_as_booleans_and_words_as_bytes() -> None:
    told: list[Told] = []
    with witness(told):
        searched("TTP", "identity")
    forms = {one.label.partition("/")[2].rpartition(" ")[0]: one.array for one in told}
    assert {name: array.dtype.str for name, array in forms.items()} == {
        "ring elements": "<u8", "1-bit words": "|b1", "64-bit words": "|u1", "16-bit words": "|u1",
    }  # fmt: skip
    assert forms["64-bit words"].shape[1] == 8
    assert forms["16-bit words"].shape[1] == 2
