"""Thresholds from all pictures of few people, and from none where that would be a guess."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from orchestration.calibration import (
    CALIBRATION_PICTURES,
    calibrated_threshold,
    pair_far,
    public_pictures,
)
from protocol.errors import ScenarioError
from protocol.mapping import open_form
from scenarios.schema import load_scenario
from scenarios.specs import Scenario


class Counts:
    """A data set of which only the numbers of pictures matter."""

    name, synthetic = "counts", False

    def __init__(self, *pictures: int) -> None:
        self._pictures = {f"p{index:04d}": count for index, count in enumerate(pictures)}

    @property
    def identities(self) -> Sequence[str]:
        return list(self._pictures)

    def training_identities(self) -> Sequence[str]:
        return self.identities

    def test_identities(self) -> Sequence[str]:
        return []

    def pictures_of(self, identity: str) -> Sequence[str]:
        return [f"{identity}/{index}" for index in range(self._pictures[identity])]

    def load(self, picture_ids: Sequence[str]) -> Any:
        raise NotImplementedError(picture_ids)


def asked(*overrides: str) -> Scenario:
    return load_scenario("embedded", ("data.entries=20", "search.fpir=0.1", *overrides))


def test_all_pictures_of_few_people_are_used_in_turn() -> None:
    chosen = public_pictures(asked(), Counts(3, 1, 20)).threshold
    assert len(chosen) == 24
    assert [person for person, _ in chosen[:5]] == ["p0000", "p0001", "p0002", "p0000", "p0002"]


def test_of_many_people_one_picture_each_up_to_a_stated_number() -> None:
    chosen = public_pictures(asked(), Counts(*[3] * 2000)).threshold
    assert len(chosen) == CALIBRATION_PICTURES == len({person for person, _ in chosen})


def test_a_mapping_and_a_threshold_share_people_only_where_they_must() -> None:
    mapped = asked("mapping={kind: folded, blocks: 4, cohort: 48}")
    found = public_pictures(mapped, Counts(*[2] * 200))
    assert len(found.mapping) == 48
    assert not {person for person, _ in found.mapping} & {p for p, _ in found.threshold}
    few = public_pictures(mapped, Counts(*[2] * 60))
    assert {person for person, _ in few.mapping} <= {p for p, _ in few.threshold}


def test_too_few_impostor_pairs_are_refused_with_numbers() -> None:
    with pytest.raises(ScenarioError) as caught:
        public_pictures(asked("data.entries=1000", "search.fpir=0.01"), Counts(2, 2, 2))
    error = caught.value
    assert error.where == "search.threshold"
    assert "6 pictures of 3 training people give 12 impostor pairs" in error.message
    assert "search.fpir 0.01 over 1,000 entries needs 9,950 at least" in error.message
    assert "cosine" in error.hint
    for nobody in (Counts(), Counts(9)):
        with pytest.raises(ScenarioError, match="0 impostor pairs"):
            public_pictures(asked(), nobody)


def test_a_given_threshold_needs_no_pictures() -> None:
    assert public_pictures(asked("search.threshold=0.5"), Counts(2)).threshold == ()


def test_pairs_of_ones_own_pictures_do_not_count() -> None:
    units = np.repeat(np.eye(8)[:4], 3, axis=0)  # equal within a person, orthogonal between
    people = [f"p{index}" for index in range(4) for _ in range(3)]
    form = open_form(asked().mapping, 8, 16, 127, None)
    threshold, notes = calibrated_threshold(
        asked("search.fpir=0.5"), form, units, people, os.urandom
    )
    assert threshold == 1
    assert any("4 training people (6 pairs of people, 12 pictures)" in note for note in notes)


def test_the_rate_of_a_pair_gives_the_rate_of_a_search() -> None:
    far = pair_far(asked("data.entries=300", "search.fpir=0.01"))
    assert 1 - (1 - far) ** 300 == pytest.approx(0.01, rel=1e-9)
    assert pair_far(asked("search.task=verify", "search.fpir=0.01")) == pytest.approx(0.01)


def test_the_threshold_passes_the_wanted_share_of_pairs() -> None:
    rng = np.random.default_rng(4)
    units = rng.standard_normal((400, 8))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    form = open_form(asked().mapping, 8, 16, 127, None)
    scenario = asked("data.entries=1", "search.fpir=0.01")
    people = [f"p{index}" for index in range(400)]
    threshold, notes = calibrated_threshold(scenario, form, units, people, os.urandom)
    probes = form.map_probe(units).astype(np.int64)
    above = (probes @ probes.T)[~np.eye(400, dtype=bool)] >= threshold
    assert 0.009 < above.mean() <= 0.01
    assert notes == ()
