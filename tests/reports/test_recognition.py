from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reports.metrics import tar_at_far
from reports.recognition import judge_pairs, judge_people, tar_over_all_pairs
from reports.recognition_text import recognition_lines

Array = np.ndarray[Any, Any]


def faces(people: int, pictures: int, noise: float, seed: int = 1) -> tuple[Array, Array]:
    """Return unit vectors of people with equally many pictures, one person after another."""
    rng = np.random.default_rng(seed)
    centre = np.repeat(rng.standard_normal((people, 16)), pictures, axis=0)
    drawn = centre + noise * rng.standard_normal(centre.shape)
    units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return units.astype(np.float32), np.repeat(np.arange(people), pictures)


def test_all_pairs_in_blocks_equal_the_full_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.recognition.BLOCK", 7)
    units, person = faces(60, 4, 0.8)
    upper = np.triu_indices(len(person), 1)
    scores = (units @ units.T)[upper]
    own = (person[:, None] == person[None])[upper]
    found = tar_over_all_pairs(units, person)
    assert [pairs.rate.far_target for pairs in found] == [1e-3]  # 1e-4 of 28,320 is too few
    expected = tar_at_far(scores[None], np.array([1]), np.where(own, 1, 0), 1e-3)
    assert expected is not None
    assert found[0].rate.tar == expected.tar
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
    for rate, mean in zip(result.open_set.rates, result.open_set.per_person, strict=True):
        assert mean.value == pytest.approx(rate.tpir.value)  # everybody has as many probes


def test_single_pictures_allow_no_identification() -> None:
    units, person = faces(5, 1, 0.3)
    result = judge_people(units, person)
    assert (result.closed_set, result.open_set, result.all_pairs) == (None, None, [])


def test_pairs_are_pooled_over_their_folds() -> None:
    same = np.array([True, False] * 20)
    scores = np.where(same, 0.8, 0.2)
    scores[:2] = [0.1, 0.9]
    result = judge_pairs("list", scores, same, 10, shared_people=3)
    assert (result.pooled.count, result.pooled.total) == (38, 40)
    assert result.tar is None
    lines = recognition_lines(["seen: nobody."], [result], judge_people(*faces(30, 3, 0.3)))
    assert lines[0] == "seen: nobody."
    assert any("3 people of this list were adapted on" in line for line in lines)
    assert any(line.startswith("rank-1, 30 enrolled") for line in lines)
