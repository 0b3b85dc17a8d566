from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.errors import DataError
from scenarios.datasets import (
    RandomTemplates,
    SyntheticFaces,
    open_dataset,
    split_scenario_data,
)
from scenarios.schema import load_scenario
from scenarios.specs import DataSpec

Rows = NDArray[np.floating]


def rank_one(gallery: Rows, probes: Rows) -> float:
    """Return the share of probes whose nearest row by centred cosine is their own."""
    gallery, probes = gallery - gallery.mean(0), probes - probes.mean(0)
    scores = (probes @ gallery.T) / np.linalg.norm(gallery, axis=1)
    return float((scores.argmax(1) == np.arange(len(gallery))).mean())


def pixels(pictures: NDArray[np.uint8]) -> Rows:
    return pictures.reshape(len(pictures), -1).astype(np.float32)


def load(dataset: SyntheticFaces, people: Sequence[str], picture: int) -> NDArray[np.uint8]:
    return dataset.load([f"{identity}/{picture:02d}" for identity in people])


def test_a_picture_depends_only_on_seed_person_and_number() -> None:
    first, second = SyntheticFaces(3), SyntheticFaces(3, test_people=5, pictures=20)
    ids = ["test-00004/01", "train-00004/01", "test-00004/02", "test-00003/01"]
    together = first.load(ids)
    assert together.shape == (4, 112, 112, 3)
    assert together.dtype == np.uint8
    assert np.array_equal(second.load(ids[::-1])[::-1], together)
    assert len({picture.tobytes() for picture in together}) == 4
    assert not np.array_equal(SyntheticFaces(4).load(ids[:1]), together[:1])


@pytest.mark.slow
def test_another_process_draws_the_same_picture() -> None:
    code = (
        "import hashlib; from scenarios.datasets.synthetic import SyntheticFaces as S;"
        "print(hashlib.sha256(S(3).load(['test-00001/01']).tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True)
    here = hashlib.sha256(SyntheticFaces(3).load(["test-00001/01"]).tobytes()).hexdigest()
    assert drawn.stdout.strip() == here


def test_synthetic_people_are_labelled_and_disjoint() -> None:
    dataset = open_dataset(DataSpec(kind="synthetic", entries=20, mated=30, unmated=10))
    assert (dataset.name, dataset.synthetic) == ("synthetic", True)
    assert not set(dataset.training_identities()) & set(dataset.test_identities())
    assert len(dataset.test_identities()) == 30
    assert sorted(dataset.identities) == list(dataset.identities)


@pytest.mark.parametrize(
    "picture", ["test-00000/99", "test-99999/00", "nobody/00", "test-00000", "test-x/00", ""]
)
def test_a_synthetic_picture_that_does_not_exist_is_refused(picture: str) -> None:
    with pytest.raises(DataError, match="no such synthetic"):
        SyntheticFaces(3).load([picture])


def test_faces_have_skin_in_the_middle_and_contrast() -> None:
    dataset = SyntheticFaces(3)
    pictures = load(dataset, dataset.test_identities()[:12], 0).astype(np.float32)
    cheeks = pictures[:, 60:85, 30:82]
    assert (cheeks.mean((1, 2))[:, 0] > cheeks.mean((1, 2))[:, 2]).mean() > 0.8
    assert (pictures.std((1, 2, 3)) > 12).all()


def test_synthetic_people_cannot_be_told_by_colour_or_pixels() -> None:
    dataset = SyntheticFaces(11)
    people = dataset.test_identities()[:100]
    gallery, probes = load(dataset, people, 0), load(dataset, people, 1)
    assert rank_one(gallery.mean((1, 2)), probes.mean((1, 2))) < 0.15
    assert 0.02 < rank_one(pixels(gallery), pixels(probes)) < 0.4


@pytest.mark.slow
def test_synthetic_people_can_be_told_by_a_fitted_model() -> None:
    dataset = SyntheticFaces(11)
    project = fit_discriminant(dataset, people=400, pictures=8)
    enrolled = dataset.test_identities()[:300]
    gallery, probes = load(dataset, enrolled, 0), load(dataset, enrolled, 1)
    assert rank_one(project(gallery), project(probes)) > 0.88
    assert rank_one(pixels(gallery), pixels(probes)) < 0.3


def fit_discriminant(
    dataset: SyntheticFaces, people: int, pictures: int
) -> Callable[[NDArray[np.uint8]], Rows]:
    """Fit a linear discriminant on small pictures of training people."""

    def small(batch: NDArray[np.uint8]) -> Rows:
        blocks = batch.reshape(len(batch), 28, 4, 28, 4, 3).mean((2, 4))
        blocks -= blocks.mean((1, 2), keepdims=True)
        return pixels_of(blocks / blocks.std((1, 2), keepdims=True))

    def pixels_of(blocks: Rows) -> Rows:
        return blocks.reshape(len(blocks), -1)

    training = dataset.training_identities()[:people]
    drawn = dataset.load([f"{i}/{picture:02d}" for i in training for picture in range(pictures)])
    rows = small(drawn)
    mean = rows.mean(0)
    _, _, axes = np.linalg.svd(rows - mean, full_matrices=False)
    basis = axes[:300].T
    grouped = ((rows - mean) @ basis).reshape(people, pictures, -1)
    within = (grouped - grouped.mean(1, keepdims=True)).reshape(people * pictures, -1)
    spread, turn = np.linalg.eigh(within.T @ within / len(within))
    whiten = turn / np.sqrt(spread + 1e-3 * spread.max())
    between = grouped.mean(1) @ whiten
    _, vectors = np.linalg.eigh(between.T @ between)
    matrix = basis @ whiten @ vectors[:, -128:]
    return lambda batch: (small(batch) - mean) @ matrix


def test_the_embedded_scenario_can_be_split() -> None:
    scenario = load_scenario("embedded")
    dataset = open_dataset(scenario.data, seed=scenario.seed)
    split = split_scenario_data(dataset, scenario.data, scenario.seed)
    assert (len(split.gallery), len(split.mated), len(split.unmated)) == (300, 200, 200)
    assert split.seen_in_training == 0


def templates(noise: float = 0.5) -> RandomTemplates:
    spec = DataSpec(kind="templates", entries=500, mated=9, unmated=20, dimension=256, noise=noise)
    dataset = open_dataset(spec, seed=5)
    assert isinstance(dataset, RandomTemplates)
    return dataset


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_mated_templates_are_as_near_as_the_noise_says(noise: float) -> None:
    dataset = templates(noise)
    people = dataset.identities[:300]
    rows = dataset.load_templates([f"{identity}/0" for identity in people])
    probes = dataset.load_templates([f"{identity}/1" for identity in people])
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(probes, axis=1) == pytest.approx(1, abs=1e-5)
    own = (rows * probes).sum(1).mean()
    assert own == pytest.approx(1 / np.sqrt(1 + noise**2), abs=0.02)
    assert abs((rows[:-1] * probes[1:]).sum(1).mean()) < 0.02


def test_templates_are_the_same_in_any_order() -> None:
    dataset = templates()
    ids = ["row-00000007/0", "row-00000450/1", "row-00000007/1"]
    forwards, backwards = dataset.load_templates(ids), templates().load_templates(ids[::-1])
    assert np.array_equal(forwards, backwards[::-1])


def test_templates_have_no_pictures_and_no_strangers() -> None:
    dataset = templates()
    with pytest.raises(DataError, match="templates have none"):
        dataset.load(["row-00000000/0"])
    for bad in ("row-00000520/0", "row-00000000/9", "x/0", ""):
        with pytest.raises(DataError, match="no such"):
            dataset.load_templates([bad])
    assert dataset.training_identities() == []
