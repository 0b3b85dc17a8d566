from __future__ import annotations

import os

import numpy as np
import pytest

from protocol.errors import ScenarioError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, privacy_budget
from protocol.features.noise import NoiseSource
from protocol.features.pixels import noisy_pictures, pixel_sampling_slack


def test_noise_on_pixels_is_laplace_of_the_stated_scale_and_fresh() -> None:
    grey = np.full((2, 112, 112, 3), 128, np.uint8)
    noisy = noisy_pictures(grey, 20.0, NoiseSource(os.urandom)).astype(np.float64)
    scale = 255 / 20
    assert noisy.mean() == pytest.approx(128, abs=0.4)
    assert noisy.var() == pytest.approx(2 * scale**2, rel=0.05)
    assert np.abs(noisy - 128).mean() == pytest.approx(scale, rel=0.03)
    assert not np.array_equal(noisy[0], noisy[1])


def test_noisy_pixels_stay_in_range_however_large_the_noise() -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
    noisy = noisy_pictures(pictures, 0.5, NoiseSource(os.urandom))
    assert (noisy == 0).mean() > 0.2
    assert (noisy == 255).mean() > 0.2


def test_everything_sent_comes_from_the_noisy_picture(
    calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    other = pictures[::-1].copy()
    monkeypatch.setattr("protocol.features.extractor.noisy_pictures", lambda *_: other)
    sent = FeatureExtractor(FeatureSpec(pixel_epsilon=5.0), calibration, os.urandom)
    plain = FeatureExtractor(FeatureSpec(), calibration, os.urandom)
    one, two = sent.protect(pictures), plain.protect(other)
    assert np.array_equal(one.frequency, two.frequency)
    assert np.array_equal(one.colour, two.colour)


def test_the_budget_of_pixels_covers_both_parts(calibration: Calibration) -> None:
    budget = privacy_budget(FeatureSpec(pixel_epsilon=10.0), calibration)
    assert budget.total == budget.image_epsilon == 10 * 3 * 112 * 112
    assert budget.colour_image_epsilon == 0
    assert "covers everything sent" in budget.statement
    assert 0 < pixel_sampling_slack(20.0) < 0.01


@pytest.mark.parametrize("other", [{"epsilon": 1.0}, {"colour_epsilon": 1.0}])
def test_noise_is_added_in_one_place_only(other: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="pixel_epsilon"):
        FeatureSpec(pixel_epsilon=5.0, **other)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match="pixel_epsilon"):
        FeatureSpec(pixel_epsilon=21.0)
