from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocol.errors import ScenarioError
from scenarios.datasets import Pictures, Split, split_open_set


class Counts:
    """A data set that is only names: so many pictures for each person."""

    name = "counts"
    synthetic = True

    def __init__(self, training: Sequence[int], test: Sequence[int]) -> None:
        self._counts = {f"a{i:04d}": count for i, count in enumerate(training)}
        self._counts |= {f"b{i:04d}": count for i, count in enumerate(test)}
        self._training = len(training)

    @property
    def identities(self) -> Sequence[str]:
        return list(self._counts)

    def training_identities(self) -> Sequence[str]:
        return self.identities[: self._training]

    def test_identities(self) -> Sequence[str]:
        return self.identities[self._training :]

    def pictures_of(self, identity: str) -> Sequence[str]:
        return [f"{identity}/{picture}" for picture in range(self._counts[identity])]

    def load(self, picture_ids: Sequence[str]) -> Pictures:
        raise NotImplementedError


def people(pairs: Sequence[tuple[str, str]]) -> set[str]:
    return {identity for identity, _ in pairs}


@st.composite
def splits(draw: st.DrawFn) -> tuple[Counts, Split, tuple[int, int, int, int | None]]:
    counts = st.lists(st.integers(1, 6), min_size=2, max_size=30)
    dataset = Counts(draw(counts), draw(counts))
    people: Literal["test", "all"] = draw(st.sampled_from(["test", "all"]))
    pool = len(dataset.identities if people == "all" else dataset.test_identities())
    entries = draw(st.integers(1, pool))
    unmated = draw(st.integers(0, 2 * (pool - entries)))
    cap = draw(st.none() | st.integers(1, 5))
    seed = draw(st.integers(0, 2**62 - 1))
    asked = entries, draw(st.integers(0, 20)), unmated
    try:
        split = split_open_set(dataset, *asked, seed, people=people, per_person=cap)
    except ScenarioError as error:
        event(error.where)
        asked = entries, 0, min(unmated, pool - entries)
        split = split_open_set(dataset, *asked, seed, people=people, per_person=cap)
    assert split == split_open_set(dataset, *asked, seed, people=people, per_person=cap)
    return dataset, split, (*asked, cap)


@settings(max_examples=40)
@given(splits())
def test_a_split_has_what_was_asked_for(
    drawn: tuple[Counts, Split, tuple[int, int, int, int | None]],
) -> None:
    _, split, (entries, mated, unmated, cap) = drawn
    assert len(split.gallery) == len(people(split.gallery)) == entries
    assert (len(split.mated), len(split.unmated)) == (mated, unmated)
    assert split.probes == split.mated + split.unmated
    for probes in (split.mated, split.unmated):
        most = max(Counter(identity for identity, _ in probes).values(), default=0)
        assert cap is None or most <= cap


@settings(max_examples=40)
@given(splits())
def test_no_picture_appears_twice_and_strangers_are_not_enrolled(
    drawn: tuple[Counts, Split, tuple[int, int, int, int | None]],
) -> None:
    dataset, split, _ = drawn
    pairs = split.gallery + split.probes
    assert len({picture for _, picture in pairs}) == len(pairs)
    assert all(picture in dataset.pictures_of(identity) for identity, picture in pairs)
    assert people(split.mated) <= people(split.gallery)
    assert not people(split.unmated) & people(split.gallery)
    assert all(picture == dataset.pictures_of(i)[0] for i, picture in split.gallery)


@settings(max_examples=40)
@given(splits())
def test_people_of_the_training_half_are_counted(
    drawn: tuple[Counts, Split, tuple[int, int, int, int | None]],
) -> None:
    dataset, split, _ = drawn
    seen = people(split.gallery + split.probes) & set(dataset.training_identities())
    assert split.seen_in_training == len(seen)
    if split.people == "test":
        assert not seen


def test_people_with_several_pictures_are_enrolled_first() -> None:
    dataset = Counts([], [1] * 20 + [3] * 10)
    split = split_open_set(dataset, 12, 10, 5, seed=1)
    several = {i for i in dataset.identities if len(dataset.pictures_of(i)) > 1}
    assert several <= people(split.gallery)
    assert people(split.mated) == several


def test_people_with_several_pictures_are_left_out_only_for_the_unmated_probes() -> None:
    dataset = Counts([], [1] * 20 + [3] * 10)
    split = split_open_set(dataset, 15, 10, 21, seed=1)
    assert len(split.unmated) == 21
    assert len(people(split.mated)) == 7
    with pytest.raises(ScenarioError):
        split_open_set(dataset, 15, 15, 31, seed=1)


def test_another_seed_gives_another_split() -> None:
    dataset = Counts([], [2] * 40)
    drawn = {split_open_set(dataset, 10, 5, 5, seed=seed).gallery for seed in range(5)}
    assert len(drawn) == 5


@pytest.mark.parametrize(
    ("entries", "mated", "unmated", "where", "found"),
    [
        (41, 1, 1, "data.entries", "40"),
        (40, 40, 1, "data.unmated", "0"),
        (20, 21, 1, "data.mated", "20"),
    ],
)
def test_too_few_pictures_are_told_with_numbers(
    entries: int, mated: int, unmated: int, where: str, found: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        split_open_set(Counts([], [2] * 40), entries, mated, unmated, seed=1)
    assert caught.value.where == where
    assert f"has {found} " in caught.value.message
    assert "lower" in caught.value.hint
    assert caught.value.hint.count(f"{where} or {where}") == 0
