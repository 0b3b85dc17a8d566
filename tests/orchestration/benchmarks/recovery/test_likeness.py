from __future__ import annotations

import numpy as np
import pytest

from orchestration.benchmarks.inputs.judges import AttackFaces, attack_faces
from orchestration.benchmarks.inputs.mechanisms import luminance
from orchestration.benchmarks.recovery.likeness import likeness
from orchestration.benchmarks.recovery.similarity import psnr_db, ssim
from parties.model_provider import RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from scenarios.datasets.synthetic import SyntheticFaces

C1, C2 = 2.55**2, 7.65**2


def constant(shade: float) -> np.ndarray:
    return np.full((1, 16, 20), shade, np.float32)


def noise(seed: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (count, 16, 20)).astype(np.float32)


def test_a_plane_is_exactly_like_itself_and_likeness_has_no_direction() -> None:
    one, two = noise(1), noise(2)
    assert ssim(one, one) == pytest.approx([1.0, 1.0])
    assert ssim(one, two) == pytest.approx(ssim(two, one))
    assert np.all(np.abs(ssim(one, two)) < 0.2)


def test_constant_planes_differ_by_their_shades_alone() -> None:
    low, high = 60.0, 200.0
    expected = (2 * low * high + C1) / (low**2 + high**2 + C1)
    assert ssim(constant(low), constant(high)) == pytest.approx([expected])
    assert ssim(constant(0), constant(255)) == pytest.approx([C1 / (255**2 + C1)])


def test_noise_beside_a_constant_plane_leaves_the_stabilised_ratio() -> None:
    # No covariance: each window contributes its luminance term times C2 / (variance + C2).
    plane = noise(3, 1)[:, :11, :11]
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / 4.5)
    window /= window.sum()
    mean = float((window * plane[0]).sum())
    variance = float((window * (plane[0] - mean) ** 2).sum())
    expected = (2 * mean * 90 + C1) / (mean**2 + 90**2 + C1) * C2 / (variance + C2)
    assert ssim(plane, constant(90)[:, :11, :11]) == pytest.approx([expected])


def test_similarity_equals_a_value_summed_window_by_window_elsewhere() -> None:
    row, column = np.mgrid[:13, :12]
    one = (7 * row + 13 * column**2) % 256
    two = (3 * one // 4 + 5 * row) % 256
    planes = (plane[None].astype(np.float32) for plane in (one, two))
    assert ssim(*planes) == pytest.approx([0.9416244333761582], abs=1e-9)


def test_the_peak_ratio_counts_grey_levels() -> None:
    assert psnr_db(constant(10), constant(15)) == pytest.approx([20 * np.log10(255 / 5)])
    assert np.isinf(psnr_db(constant(10), constant(10))).all()


@pytest.fixture(scope="module")
def network() -> RgbEmbedder:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))


@pytest.fixture(scope="module")
def faces(network: RgbEmbedder) -> AttackFaces:
    dataset = SyntheticFaces(3, training_people=0, test_people=6, pictures=2)
    return attack_faces(dataset, {"tiny": network}, 6)


def test_true_planes_are_the_ceiling_and_a_blank_one_recognises_nobody(
    faces: AttackFaces,
) -> None:
    true = luminance(faces.pictures)
    ceiling = likeness(true, faces)
    assert ceiling.ssim == pytest.approx(1.0)
    assert ceiling.psnr_db is None
    assert ceiling.correlation == pytest.approx(1.0)
    assert ceiling.judged[0].same_picture == ceiling.faces == 6
    blank = likeness(np.zeros_like(true), faces)
    assert blank.correlation is None
    assert blank.psnr_db == pytest.approx(float(psnr_db(np.zeros_like(true), true).mean()))
    low, high = blank.ssim_range
    assert low < blank.ssim < high < ceiling.ssim
    assert blank.judged[0].same_picture < ceiling.judged[0].same_picture


def test_planes_are_judged_as_the_pictures_they_would_be(
    faces: AttackFaces,
) -> None:
    true = luminance(faces.pictures)
    wild = np.where(true > 0, true + 500, true - 500).astype(np.float32)
    shown = np.where(true > 0, 127, -128).astype(np.float32)
    assert likeness(wild, faces) == likeness(shown, faces)
