from __future__ import annotations

import os

import numpy as np
import pytest

from orchestration.benchmarks.inputs.mechanisms import PixelNoise, luminance, mechanisms
from parties.adversary.linear_inversion import recover_from_channels, recover_from_plane
from protocol.features import FeatureExtractor, FeatureSpec, calibrate


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Six smooth grey pictures, uint8 [6,112,112,3]."""
    rng = np.random.default_rng(4)
    rows = np.arange(112) / 112
    waves = [
        sum(
            rng.normal() * np.cos(np.pi * (u * rows[:, None] + v * rows[None]) + rng.uniform(0, 6))
            for u in range(5)
            for v in range(5)
        )
        for _ in range(6)
    ]
    grey = np.clip(128 + 18 * np.stack(waves), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)


def correlation(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.corrcoef((found - found.mean()).ravel(), (true - true.mean()).ravel())[0, 1])


def test_without_noise_dropping_the_mean_of_blocks_hides_nothing(pictures: np.ndarray) -> None:
    spec = FeatureSpec(fusion="y_only", colour="none")
    extractor = FeatureExtractor(spec, calibrate([pictures], "y_only"), os.urandom)
    found = recover_from_channels(extractor.exact(pictures), np.full(63, 1e-2))
    for one, true in zip(found, luminance(pictures), strict=True):
        assert correlation(one, true) > 0.98


def test_noise_on_pixels_is_smoothed_away_where_the_prior_allows(pictures: np.ndarray) -> None:
    true = luminance(pictures)
    noisy = (true + 40 * np.random.default_rng(5).standard_normal(true.shape)).astype(np.float32)
    found = recover_from_plane(noisy, 40.0**2)
    assert np.square(found - true).mean() < 0.5 * np.square(noisy - true).mean()


@pytest.mark.parametrize("gaussian", [False, True])
def test_noise_of_a_budget_has_the_stated_deviation(gaussian: bool) -> None:
    mechanism = PixelNoise("pixels", 1, gaussian=gaussian)
    deviation = mechanism.deviation(1e5)
    if gaussian:
        rho = 112 * 112 * 255**2 / (2 * deviation**2)
        assert rho + 2 * np.sqrt(rho * np.log(1e6)) == pytest.approx(1e5)
    else:
        assert 112 * 112 * 255 / (deviation / np.sqrt(2)) == pytest.approx(1e5)


def test_every_mechanism_hides_more_with_less_budget(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    training = rng.integers(0, 256, (110, 112, 112, 3), dtype=np.uint8)
    for mechanism in mechanisms([training[:55], training[55:]]):
        true = luminance(pictures)
        low, high = (mechanism.recovered(pictures, eps, rng) for eps in (1e3, 1e7))
        assert np.square(high - true).mean() < np.square(low - true).mean(), mechanism.name
