"""Generated people for the carried networks: which, in which order, and how they are judged."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from orchestration import generated
from orchestration.generated import Album, FactorBatches, factors, recognition
from scenarios.datasets import SyntheticFaces
from scenarios.datasets.face_identity import draw_person


def test_an_album_holds_the_pictures_of_the_generator() -> None:
    album = Album(first=40, people=3, pictures=2)
    faces = SyntheticFaces(generated.SEED, training_people=100, test_people=0)
    some = album.load([3, 0])
    assert np.array_equal(some, faces.load(["train-00041/01", "train-00040/00"]))
    assert len(album) == len(album.load()) == 6
    assert np.array_equal(album.load()[[3, 0]], some)


def test_people_are_trained_on_or_judged_never_both() -> None:
    stretches = sorted(
        [
            (generated.TRAINED, generated.TRAINED_PEOPLE),
            (generated.FINISHED, generated.HELD_OUT - generated.FINISHED),
            (generated.HELD_OUT, generated.HELD_OUT_PEOPLE),
        ]
    )
    assert all(first + people <= after for (first, people), (after, _) in pairwise(stretches))
    assert sum(stretches[-1]) <= generated.PEOPLE


def test_every_pass_shows_everybody_once_in_another_picture() -> None:
    batches = FactorBatches(Album(0, 12, 2), 4)
    passes = [
        np.concatenate([batches.rows(3 * visit + step) for step in range(3)]) for visit in range(3)
    ]
    for visit, rows in enumerate(passes):
        assert sorted(rows // 2) == list(range(12))
        assert set(rows % 2) == {visit % 2}
    assert not np.array_equal(passes[0] // 2, passes[1] // 2)
    again = FactorBatches(Album(0, 12, 2), 4)
    assert np.array_equal(again.rows(5), batches.rows(5))


def test_a_batch_tells_where_the_factors_of_its_people_point() -> None:
    first, second = FactorBatches(Album(0, 6, 2), 3), FactorBatches(Album(0, 6, 2), 3)
    pictures, wanted = first(2)  # the second pass begins
    assert pictures.shape == (3, 112, 112, 3)
    assert wanted.shape == (3, generated.DIMENSION)
    assert np.array_equal(second(2)[0], pictures)
    assert np.array_equal(second(2)[1], wanted)
    assert np.array_equal(pictures, Album(0, 6, 2).load(first.rows(2)))
    earlier = {
        int(person): row for person, row in zip(first.rows(0) // 2, first(0)[1], strict=True)
    }
    earlier |= {
        int(person): row for person, row in zip(first.rows(1) // 2, first(1)[1], strict=True)
    }
    for person, row in zip(first.rows(2) // 2, wanted, strict=True):
        assert np.array_equal(row, earlier[int(person)])


def test_factors_leave_out_what_no_picture_fixes() -> None:
    person = draw_person(np.random.default_rng(1))
    found = factors(person)
    assert found.ndim == 1
    assert person.hair_phase not in found
    assert person.jaw_width in found


def test_recognition_of_two_known_cases() -> None:
    people = np.random.default_rng(1).standard_normal((60, 32))
    perfect = recognition(np.repeat(people, 2, axis=0))
    assert perfect == (60, 1.0, 1.0)
    strangers = recognition(np.random.default_rng(2).standard_normal((120, 32)))
    assert strangers.rank_1 < 0.1
    assert strangers.tpir < 0.1
    assert str(perfect) == "60 held-out people: rank-1 100.0 %, TPIR at FPIR 1 % 100.0 %"


def test_rank_1_is_the_chance_among_299_others() -> None:
    """One impostor of three scores above the own picture: (2/3)^299, and 1 for the others."""
    angles = np.array([0.0, 0.5, 2.0, 2.0, 4.0, 4.0, 0.4, 0.4])
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = recognition(unit)
    assert found.rank_1 == pytest.approx((3 + (2 / 3) ** 299) / 4)
