from __future__ import annotations

import math
import os
from typing import Literal, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.errors import ScenarioError
from protocol.features import (
    Calibration,
    FeatureExtractor,
    FeatureSpec,
    calibrate,
    dequantise,
    privacy_budget,
)
from protocol.features.fusion import luminance
from protocol.features.noise import NoiseSource
from protocol.features.pixels import noisy_pictures, pixel_laplace, pixel_sampling_slack


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


def test_the_tail_is_resolved_beyond_the_words_of_one_draw() -> None:
    half = 2**30
    words = iter([([2 * half - 1, 0, 2**31], [65535, 0, 0]), ([0, half], [0, 0]), ([half], [0])])

    class Fixed:
        def laplace_words(self, count: int) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
            high, low = next(words)
            assert len(high) == count
            return np.array(high, np.uint32), np.array(low, np.uint16)

    # Uniforms near 1, 0 and 0 (the last with a minus), then near 0 and 1/2, then 1/2.
    near, far, negative = pixel_laplace(cast("NoiseSource", Fixed()), 3)
    assert 0 <= near < 1e-6
    assert far == pytest.approx(32 + math.log(2), rel=1e-6)
    assert negative == pytest.approx(-16 - math.log(2), rel=1e-6)


def test_means_of_squares_carry_one_draw_each() -> None:
    picture = np.random.default_rng(4).integers(90, 160, (1, 112, 112, 3), dtype=np.uint8)
    plain = noisy_pictures(picture, None, NoiseSource(os.urandom), block=4)
    squares = plain[0].reshape(28, 4, 28, 4, 3)
    assert (squares == squares[:, :1, :, :1]).all()
    means = picture[0].reshape(28, 4, 28, 4, 3).mean(axis=(1, 3))
    assert np.abs(squares[:, 0, :, 0] - means).max() <= 0.5
    noisy = noisy_pictures(picture, 40.0, NoiseSource(os.urandom), block=4, grey=True)[0]
    assert (noisy[..., 0] == noisy[..., 1]).all()
    spread = noisy[::4, ::4, 0] - luminance(picture[0]).reshape(28, 4, 28, 4).mean(axis=(1, 3))
    assert np.abs(spread).mean() == pytest.approx(255 / 40, rel=0.12)


@pytest.mark.parametrize("bits", [8, 16])
def test_the_plane_is_sent_as_it_is(pictures: NDArray[np.uint8], bits: Literal[8, 16]) -> None:
    spec = FeatureSpec(fusion="plane", colour="none", wire_bits=bits)
    plane = calibrate([pictures], "plane")
    extractor = FeatureExtractor(spec, plane, os.urandom)
    batch = extractor.protect(pictures[:3])
    assert batch.frequency.shape == (3, 1, 112, 112)
    wanted = luminance(pictures[:3])[:, None] - 128
    step = 255 / (2**bits - 1)
    assert np.abs(dequantise(batch, spec, plane) - wanted).max() <= 0.51 * step
    assert np.array_equal(extractor.exact(pictures[:3]), wanted)
    assert spec.picture_bytes == batch.nbytes // 3


def test_only_luminance_pays_where_only_luminance_is_sent() -> None:
    grey = FeatureSpec(fusion="plane", colour="none", pixel_epsilon=64.0, pixel_block=4)
    assert (grey.grey, grey.pixel_values) == (True, 28 * 28)
    assert not FeatureSpec(fusion="plane", colour="dlbp").grey
    assert FeatureSpec(pixel_block=2).pixel_values == 3 * 56 * 56
    ramp = np.zeros((1, 112, 112, 3), np.uint8) + np.arange(112, dtype=np.uint8)[:, None, None]
    plane = calibrate([ramp], "plane")
    budget = privacy_budget(grey, plane)
    assert budget.total == pytest.approx(28 * 28 * (64 + pixel_sampling_slack(64.0)))
    assert "784 luminance means of 4x4 pixels" in budget.statement


def test_the_plane_takes_no_noise_per_coefficient() -> None:
    with pytest.raises(ScenarioError, match="pixel_epsilon instead"):
        FeatureSpec(fusion="plane", colour="none", epsilon=1.0)


def test_everything_sent_comes_from_the_noisy_picture(
    calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    other = pictures[::-1].copy()
    monkeypatch.setattr("protocol.features.extractor.noisy_pictures", lambda *_, **__: other)
    sent = FeatureExtractor(FeatureSpec(pixel_epsilon=5.0), calibration, os.urandom)
    plain = FeatureExtractor(FeatureSpec(), calibration, os.urandom)
    one, two = sent.protect(pictures), plain.protect(other)
    assert np.array_equal(one.frequency, two.frequency)
    assert np.array_equal(one.colour, two.colour)


def test_the_budget_of_pixels_covers_both_parts(calibration: Calibration) -> None:
    budget = privacy_budget(FeatureSpec(pixel_epsilon=10.0), calibration)
    assert budget.total == budget.image_epsilon
    assert budget.total == pytest.approx(3 * 112 * 112 * (10 + pixel_sampling_slack(10.0)))
    assert budget.colour_image_epsilon == 0
    assert "covers everything sent" in budget.statement
    assert 0 < pixel_sampling_slack(20.0) < 0.01


@pytest.mark.parametrize("other", [{"epsilon": 1.0}, {"colour_epsilon": 1.0}])
def test_noise_is_added_in_one_place_only(other: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="pixel_epsilon"):
        FeatureSpec(pixel_epsilon=5.0, **other)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match="pixel_epsilon"):
        FeatureSpec(pixel_epsilon=1025.0)
