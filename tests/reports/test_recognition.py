from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reports.all_pairs import tar_over_all_pairs
from reports.comparison import compare_pairs, compare_people
from reports.metrics import tar_at_far
from reports.recognition import PairList, judge_pairs, judge_people
from reports.recognition_text import difference_lines, recognition_lines

Array = np.ndarray[Any, Any]


def faces(people: int, pictures: int, noise: float, seed: int = 1) -> tuple[Array, Array]:
    """Return unit vectors of people with equally many pictures, one person after another."""
    rng = np.random.default_rng(seed)
    centre = np.repeat(rng.standard_normal((people, 16)), pictures, axis=0)
    drawn = centre + noise * rng.standard_normal(centre.shape)
    units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return units.astype(np.float32), np.repeat(np.arange(people), pictures)


def test_all_pairs_in_blocks_equal_the_full_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.all_pairs.BLOCK", 7)
    units, person = faces(60, 4, 0.8)
    upper = np.triu_indices(len(person), 1)
    scores = (units @ units.T)[upper]
    own = (person[:, None] == person[None])[upper]
    found = tar_over_all_pairs(units, person)
    assert [pairs.rate.far_target for pairs in found] == [1e-3]  # 1e-4 of 28,320 is too few
    expected = tar_at_far(scores[None], np.array([1]), np.where(own, 1, 0), 1e-3)
    assert expected is not None
    tar = found[0].rate.tar
    assert (tar.count, tar.total) == (expected.tar.count, expected.tar.total)
    assert tar.low is not None
    assert tar.low <= expected.tar.value  # type: ignore[operator]
    assert (found[0].rate.far.count, found[0].rate.far.total) == (28, 28320)
    assert found[0].per_person.value == pytest.approx(expected.tar.value)
    assert found[0].per_person.people == 60


def test_people_with_one_picture_are_strangers_in_the_open_set() -> None:
    units, person = faces(30, 3, 0.3)
    keep = (person < 20) | (np.arange(len(person)) % 3 == 0)
    result = judge_people(units[keep], person[keep])
    assert (result.people, result.pictures) == (30, 70)
    assert result.closed_set is not None
    assert result.open_set is not None
    assert (result.closed_set.gallery, result.closed_set.probes) == (30, 40)
    assert (result.open_set.gallery, result.open_set.mated, result.open_set.unmated) == (20, 40, 10)
    assert [rate.resolved for rate in result.open_set.rates] == [False, False]
    assert [rate.bounded for rate in result.open_set.rates] == [False, False]
    for rate in result.open_set.rates:
        # everybody has as many probes
        assert rate.tpir_per_person.value == pytest.approx(rate.tpir.value)


def test_single_pictures_allow_no_identification() -> None:
    units, person = faces(5, 1, 0.3)
    result = judge_people(units, person)
    assert (result.closed_set, result.open_set, result.all_pairs) == (None, None, [])


def test_pairs_are_pooled_over_their_folds() -> None:
    same = np.array([True, False] * 20)
    scores = np.where(same, 0.8, 0.2)
    scores[:2] = [0.1, 0.9]
    result = judge_pairs(PairList("list", scores, same, 10), shared_people=3)
    assert (result.pooled.count, result.pooled.total) == (38, 40)
    assert result.tar is None
    lines = recognition_lines(["seen: nobody."], [result], judge_people(*faces(30, 3, 0.3)))
    assert lines[0] == "seen: nobody."
    assert any("3 people of this list were adapted on" in line for line in lines)
    assert any(line.startswith("rank-1, 30 enrolled") for line in lines)


def test_pairs_of_few_people_are_less_certain_than_as_many_of_strangers() -> None:
    rng = np.random.default_rng(8)
    same = np.tile([True, False], 100)
    person = np.repeat(np.arange(10), 20)
    hard = rng.standard_normal(10)[person]
    scores = np.where(same, 1.2 + hard, 0) + 0.3 * rng.standard_normal(200)
    other = np.where(same, person, (person + 1 + np.arange(200) // 2 % 5) % 10)
    few = judge_pairs(PairList("list", scores, same, 10, person, other))
    many = judge_pairs(PairList("list", scores, same, 10))
    assert (few.people, many.people) == (10, None)
    assert few.pooled.value == many.pooled.value
    widths = [found.pooled.high - found.pooled.low for found in (few, many)]  # type: ignore[operator]
    assert widths[0] > 1.5 * widths[1]


def test_a_network_minus_itself_is_nothing_and_a_worse_one_is_worse() -> None:
    units, person = faces(40, 3, 0.5)
    keep = (person < 25) | (np.arange(len(person)) % 3 == 0)
    units, person = units[keep], person[keep]
    rng = np.random.default_rng(9)
    worse = units + 0.35 * rng.standard_normal(units.shape).astype(np.float32)
    worse /= np.linalg.norm(worse, axis=1, keepdims=True)
    for found in compare_people(units, units, person):
        assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    by_measure = {found.measure: found for found in compare_people(units, worse, person)}
    rank_1 = by_measure["rank-1"]
    assert rank_1.difference.low is not None
    assert 0 < rank_1.difference.low <= rank_1.difference.value
    assert rank_1.per_person is not None
    alone = [judge_people(each, person).closed_set for each in (units, worse)]
    assert alone[0] is not None
    assert alone[1] is not None
    values = [float(found.rank_1.value or 0) for found in alone if found is not None]
    assert rank_1.difference.value == pytest.approx(values[0] - values[1])
    lines = difference_lines("a", "b", list(by_measure.values()))
    assert "a minus b, points, on the same pictures" in lines
    assert any(line.startswith("rank-1") and " to +" in line for line in lines)


def test_pair_lists_are_compared_pair_by_pair() -> None:
    same = np.array([True, False] * 20)
    good = PairList("list", np.where(same, 0.8, 0.2), same, 10)
    flipped = good.scores.copy()
    flipped[:4] = [0.1, 0.9, 0.1, 0.9]
    (found,) = compare_pairs([good], [good._replace(scores=flipped)])
    assert found.measure == "accuracy, list"
    assert found.difference.value == pytest.approx(0.1)
    assert found.difference.low is not None
    assert found.difference.low >= 0
