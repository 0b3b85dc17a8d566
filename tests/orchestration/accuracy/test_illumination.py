"""Who is searched under which light, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestration.accuracy.illumination import choose_people, embed_under_light, luminance_medians
from orchestration.accuracy.sources import Source
from orchestration.progress import Progress
from protocol.errors import DataError, ScenarioError
from scenarios.datasets import SyntheticFaces
from scenarios.datasets.stress_light import AS_TAKEN, CONDITIONS

CALLS: list[int] = []


def quiet(_: Progress) -> None:
    """Take progress and say nothing."""


def coarse(pictures: np.ndarray) -> np.ndarray:
    CALLS.append(len(pictures))
    return pictures[:, 8::16, 8::16].reshape(len(pictures), -1).astype(np.float32) + 1


def source(name: str = "coarse", embed: object = coarse) -> Source:
    return Source(name, "pixels", None, embed, {})  # type: ignore[arg-type]


class OneOrTwo(SyntheticFaces):
    """Generated people of whom the first twelve have two pictures, and the others one."""

    def pictures_of(self, identity: str) -> list[str]:
        count = 2 if identity in self.test_identities()[:12] else 1
        return list(super().pictures_of(identity))[:count]


@pytest.fixture(scope="module")
def faces() -> OneOrTwo:
    return OneOrTwo(3, training_people=2, test_people=120, pictures=2)


def test_nobody_has_two_parts(faces: OneOrTwo) -> None:
    people, notes = choose_people(faces, [source()], None, strangers=5, seed=7)
    owner = [name.rpartition("/")[0] or name for name in people.gallery]
    assert len(set(owner)) == len(owner) == len(people.mated)
    groups = [set(people.gallery), set(people.mated), set(people.strangers)]
    groups.append(set(people.calibration))
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert len(people.calibration) >= 100
    assert 1 <= len(people.strangers) <= 5
    assert notes == ["coarse: pixels."]
    again, _ = choose_people(faces, [source()], None, strangers=5, seed=7)
    assert again == people
    fewer, _ = choose_people(faces, [source()], None, enrolled=10, strangers=5, seed=7)
    assert len(fewer.gallery) == len(fewer.mated) == 10
    assert set(fewer.gallery) < set(people.gallery)


def test_too_few_people_are_refused() -> None:
    few = SyntheticFaces(3, training_people=2, test_people=20, pictures=2)
    with pytest.raises(ScenarioError, match="left to test on"):
        choose_people(few, [source()], None, strangers=5, seed=7)


def test_what_was_embedded_is_kept(faces: OneOrTwo, tmp_path: Path) -> None:
    people, _ = choose_people(faces, [source()], None, strangers=3, seed=7)
    few = people._replace(calibration=people.calibration[:4])
    first = embed_under_light(source(), faces, few, 7, quiet, work=tmp_path)
    assert set(first.probes) == {condition.name for condition in CONDITIONS}
    assert first.gallery.shape[0] == len(few.gallery)
    assert np.allclose(np.linalg.norm(first.probes[AS_TAKEN], axis=1), 1, atol=1e-5)
    CALLS.clear()
    second = embed_under_light(source(), faces, few, 7, quiet, work=tmp_path)
    assert not CALLS
    assert all(np.array_equal(first.probes[name], second.probes[name]) for name in first.probes)
    next(tmp_path.glob("light-*.npy")).write_bytes(b"no array")
    with pytest.raises(DataError, match="not a file of embeddings"):
        embed_under_light(source(), faces, few, 7, quiet, work=tmp_path)
    medians = luminance_medians(faces, few, 7)
    assert medians["5 stops darker"] < medians[AS_TAKEN]


def test_stored_embeddings_know_no_other_light(faces: OneOrTwo) -> None:
    people, _ = choose_people(faces, [source()], None, strangers=3, seed=7)
    with pytest.raises(ScenarioError, match="no other light"):
        embed_under_light(source("stored:ms1m", None), faces, people, 7, quiet)
