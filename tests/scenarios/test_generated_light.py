"""Generated light: of training and of the test, both functions of their seeds."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.features.luminance import median_luminance
from scenarios.datasets import SyntheticFaces
from scenarios.datasets.relight import expose, linear_light, relight
from scenarios.datasets.stress_light import AS_TAKEN, CONDITIONS, Condition, under_light

Pictures = np.ndarray
BY_NAME = {condition.name: condition for condition in CONDITIONS}


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    faces = SyntheticFaces(3, training_people=12, test_people=2, pictures=2)
    return faces.load([faces.pictures_of(person)[0] for person in faces.training_identities()])


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_training_light_is_a_function_of_its_generator(pictures: Pictures) -> None:
    before = pictures.copy()
    one = relight(pictures, rng())
    assert one.shape == pictures.shape
    assert one.dtype == np.uint8
    assert np.array_equal(pictures, before)
    assert np.array_equal(one, relight(pictures, rng()))
    assert not np.array_equal(one, relight(pictures, rng(6)))


def test_training_light_reaches_dark_and_one_sided_faces(pictures: Pictures) -> None:
    many = np.concatenate([relight(pictures, rng(seed)) for seed in range(8)])
    before = np.tile(median_luminance(pictures), 8)
    ratio = median_luminance(many) / before
    assert (ratio < 0.3).mean() > 0.2
    assert (ratio > 0.8).mean() > 0.02
    left, right = (many[:, 30:90, part].mean((1, 2, 3)) for part in (slice(20, 50), slice(62, 92)))
    sided = np.abs(np.log2((left + 1) / (right + 1)))
    assert (sided > 1).mean() > 0.2
    assert (sided < 0.3).mean() > 0.2


def test_an_exposure_loses_what_was_there(pictures: Pictures) -> None:
    light = linear_light(pictures[0])
    same = expose(light, 0, rng())
    assert np.abs(same.astype(int) - pictures[0]).mean() < 4
    dark = expose(light, 5, rng())
    assert len(np.unique(dark)) < len(np.unique(pictures[0])) / 3
    # Brightened again, the noise is much larger than where nothing was lost.
    restored = np.clip(linear_light(dark) * 32, 0, 1)
    kept = np.clip(linear_light(same), 0, 1)
    assert np.abs(restored - light).mean() > 3 * np.abs(kept - light).mean()


def test_conditions_have_names_of_their_own_and_begin_as_taken(pictures: Pictures) -> None:
    assert len(BY_NAME) == len(CONDITIONS)
    assert CONDITIONS[0].name == AS_TAKEN
    ids = [str(row) for row in range(len(pictures))]
    assert np.array_equal(under_light(pictures, ids, CONDITIONS[0], 7), pictures)


@pytest.mark.parametrize("condition", CONDITIONS[1:], ids=lambda found: found.name)
def test_light_of_a_picture_does_not_depend_on_its_batch(
    pictures: Pictures, condition: Condition
) -> None:
    ids = [str(row) for row in range(4)]
    together = under_light(pictures[:4], ids, condition, 7)
    alone = under_light(pictures[2:3], ids[2:3], condition, 7)
    assert np.array_equal(together[2:3], alone)
    assert not np.array_equal(together, under_light(pictures[:4], ids, condition, 8))
    assert not np.array_equal(together, pictures[:4])


def test_wider_angles_and_more_stops_are_darker(pictures: Pictures) -> None:
    ids = [str(row) for row in range(len(pictures))]
    for family in ("lamp", "exposure"):
        medians = [
            float(np.median(median_luminance(under_light(pictures, ids, condition, 7))))
            for condition in CONDITIONS
            if condition.family == family
        ]
        assert medians == sorted(medians, reverse=True)
        assert medians[-1] < 0.45 * medians[0]
