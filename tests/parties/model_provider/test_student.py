from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from parties.model_provider import (
    DistilConfig,
    Report,
    RgbEmbedder,
    Student,
    StudentEmbedder,
    distil,
    load_student,
    read_student,
    save_student,
)
from parties.model_provider.batches import Source, Visits, displaced
from parties.model_provider.distillation import _design, _start
from parties.model_provider.student import InputTransform, StudentDesign, StudentNetwork
from protocol.errors import DataError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate, network_input

Pictures = NDArray[np.uint8]
CONFIG = DistilConfig(steps=4, batch_size=4, ridge_pictures=32, learning_rate=1e-3)


def fixed_bytes(size: int) -> bytes:
    return hashlib.shake_256(b"test").digest(size)


def noisy(calibration: Calibration) -> Calibration:
    """The same bounds, said to come from enough pictures for noise."""
    c = calibration
    return Calibration(c.fusion, c.lower, c.upper, c.scale, 1000)


@pytest.fixture(scope="module")
def calibration(pictures: Pictures) -> Calibration:
    return calibrate([pictures], "maxabs")


def test_without_noise_the_transform_is_network_input(
    pictures: Pictures, calibration: Calibration
) -> None:
    spec = FeatureSpec()
    batch = FeatureExtractor(spec, calibration, fixed_bytes).protect(pictures[:3])
    found = InputTransform(spec, calibration)(batch)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, network_input(batch, spec, calibration), rtol=1e-4, atol=1e-4)


def test_with_noise_the_transform_bounds_every_element(
    pictures: Pictures, calibration: Calibration
) -> None:
    spec = FeatureSpec(epsilon=1.0)
    enough = noisy(calibration)
    batch = FeatureExtractor(spec, enough, fixed_bytes).protect(pictures[:2])
    plain = network_input(batch, spec, enough)[:, :63]
    found = InputTransform(spec, enough)(batch)[:, :63]
    assert found.abs().max() < plain.abs().max()
    same_sign = torch.sign(found) == torch.sign(plain)
    assert bool(same_sign[plain.abs() > 1e-3].all())


def test_a_student_file_gives_the_same_embeddings(
    pictures: Pictures, calibration: Calibration, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    spec = FeatureSpec()
    network = StudentNetwork(StudentDesign(spec.channels, dimension=512, width=0.125)).eval()
    path = tmp_path / "student.npz"
    save_student(Student(network, spec, calibration, {"seed": 1}), path)
    loaded, again = load_student(path, spec), read_student(path)
    batch = FeatureExtractor(spec, loaded.calibration, fixed_bytes).protect(pictures[:2])
    with torch.inference_mode():
        expected = network(InputTransform(spec, calibration)(batch)).numpy()
    found = loaded.embed(batch)
    assert found.shape == (2, 512) == (2, loaded.dimension)
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2 * np.abs(expected).max())
    assert again.record == {"seed": 1}
    np.testing.assert_array_equal(again.calibration.lower, calibration.lower)


def test_a_student_of_other_features_is_refused(calibration: Calibration, tmp_path: Path) -> None:
    spec = FeatureSpec()
    network = StudentNetwork(StudentDesign(spec.channels, width=0.125)).eval()
    save_student(Student(network, spec, calibration), tmp_path / "s.npz")
    with pytest.raises(DataError, match="epsilon"):
        load_student(tmp_path / "s.npz", FeatureSpec(epsilon=4.0))


def test_an_rgb_file_is_not_a_student(tmp_path: Path) -> None:
    np.savez(tmp_path / "rgb.npz", allow_pickle=False, a=np.zeros(2))
    with pytest.raises(DataError, match="not a student file"):
        load_student(tmp_path / "rgb.npz")


def start_loss(pictures: Pictures, teacher: RgbEmbedder, *, ridge: bool) -> float:
    """Squared error of a student's stem against its teacher's, relative to the variance."""
    spec = FeatureSpec()
    visits = Visits(CONFIG.batch_size, CONFIG.seed)
    source = Source(pictures, teacher, spec, calibrate([pictures], spec.fusion), visits)
    torch.manual_seed(4)
    student = StudentNetwork(_design(teacher, spec, CONFIG)).eval()
    if ridge:
        _start(student, teacher, source, CONFIG, None)
    with torch.inference_mode():
        protected, target = list(source.ridge(2, None))[1]
        found = student.face.stem.linear(student.reduced(protected))
    return float((found - target).square().mean() / target.var(dim=(0, 2, 3)).mean())


def test_the_ridge_start_is_nearer_to_the_teacher_than_a_random_one(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    random = start_loss(pictures, tiny_teacher, ridge=False)
    ridge = start_loss(pictures, tiny_teacher, ridge=True)
    assert ridge < 1  # better than the best constant
    assert ridge < 0.7 * random


def test_training_lowers_the_loss(pictures: Pictures, tiny_teacher: RgbEmbedder) -> None:
    losses: list[float] = []
    config = DistilConfig(steps=12, batch_size=8, ridge_pictures=32, learning_rate=1e-3)
    student = distil(
        pictures, tiny_teacher, FeatureSpec(), config, on_progress=lambda r: losses.append(r.loss)
    )
    assert losses[-1] < 0.9 * max(losses)
    assert student.record["steps"] == 12
    assert student.record["teacher"] == tiny_teacher.digest


def test_half_precision_moves_convolutions_only_a_little(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    config = replace(CONFIG, steps=2)
    whole = distil(pictures, tiny_teacher, FeatureSpec(), config)
    half = distil(pictures, tiny_teacher, FeatureSpec(), replace(config, precision="bfloat16"))
    assert half.record["config"]["precision"] == "bfloat16"
    weights = half.network.state_dict()
    assert all(value.dtype in {torch.float32, torch.int64} for value in weights.values())
    extractor = FeatureExtractor(FeatureSpec(), whole.calibration, fixed_bytes)
    batch = extractor.protect(pictures[:8])
    embeddings = [
        StudentEmbedder(whole).embed(batch),
        StudentEmbedder(half).embed(batch),
        StudentEmbedder(whole, half=True).embed(batch),
    ]
    units = [found / np.linalg.norm(found, axis=1, keepdims=True) for found in embeddings]
    assert (units[0] * units[1]).sum(1).min() > 0.98
    assert (units[0] * units[2]).sum(1).min() > 0.999


def test_a_moved_picture_is_seen_by_both(pictures: Pictures, tiny_teacher: RgbEmbedder) -> None:
    spec, bounds = FeatureSpec(), calibrate([pictures], "maxabs")
    still = Source(pictures, tiny_teacher, spec, bounds, Visits(4, 7))
    moved = Source(pictures, tiny_teacher, spec, bounds, Visits(4, 7, shift=3))
    one, two, again = still.batch(1), moved.batch(1), moved.batch(1)
    assert not torch.equal(one.protected, two.protected)
    assert not torch.equal(one.target.embedding, two.target.embedding)
    assert torch.equal(two.protected, again.protected)
    picture = pictures[:1]
    same = displaced(picture, np.array([[2, -3]]))
    assert np.array_equal(same[0, 2:, :-3], picture[0, :-2, 3:])
    assert np.array_equal(same[0, :2, 5], np.repeat(picture[0, :1, 8], 2, axis=0))


class Interrupt(Exception):  # noqa: N818
    pass


def test_an_interrupted_training_continues_to_the_same_result(
    pictures: Pictures, tiny_teacher: RgbEmbedder, tmp_path: Path
) -> None:
    spec = FeatureSpec()

    def interrupt(report: Report) -> None:
        if report.step == 2:
            raise Interrupt

    whole = distil(pictures, tiny_teacher, spec, CONFIG)
    kept = tmp_path / "run.npz"
    with pytest.raises(Interrupt):
        distil(pictures, tiny_teacher, spec, CONFIG, on_progress=interrupt, checkpoint=kept)
    resumed = distil(pictures, tiny_teacher, spec, CONFIG, checkpoint=kept)
    for (name, a), (_, b) in zip(
        whole.network.state_dict().items(), resumed.network.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)


def test_a_checkpoint_of_another_training_is_refused(
    pictures: Pictures, tiny_teacher: RgbEmbedder, tmp_path: Path
) -> None:
    kept = tmp_path / "run.npz"
    none = replace(CONFIG, steps=0)
    distil(pictures, tiny_teacher, FeatureSpec(), none, checkpoint=kept)
    with pytest.raises(DataError, match="other settings"):
        distil(pictures, tiny_teacher, FeatureSpec(colour="none"), CONFIG, checkpoint=kept)


def test_a_noisy_student_starts_from_a_noiseless_one(
    pictures: Pictures, tiny_teacher: RgbEmbedder
) -> None:
    none = replace(CONFIG, steps=0)
    first = distil(pictures, tiny_teacher, FeatureSpec(), none)
    first.calibration = noisy(first.calibration)
    second = distil(pictures, tiny_teacher, FeatureSpec(epsilon=4.0), none, start=first)
    ours, theirs = first.network.face, second.network.face
    assert torch.equal(ours.embed.weight, theirs.embed.weight)
    assert not torch.equal(ours.stem.conv.weight, theirs.stem.conv.weight)
    assert second.calibration is first.calibration


def test_too_few_pictures_are_refused(pictures: Pictures, tiny_teacher: RgbEmbedder) -> None:
    with pytest.raises(DataError, match="fewer than one batch"):
        distil(pictures[:2], tiny_teacher, FeatureSpec(), CONFIG)
