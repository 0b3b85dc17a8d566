from __future__ import annotations

import math
import os

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, dequantise
from protocol.features.noise import NoiseSource, flip_threshold, sampling_slack
from protocol.features.pipeline import laplace

DRAWS = 200_000
FREQUENCY_ONLY = FeatureSpec(colour="none", epsilon=1.0, wire_bits=16)


def fixed_draws() -> NDArray[np.float64]:
    return laplace(*NoiseSource(lambda count: b"\x07" * count).laplace_words(DRAWS)).astype(float)


def replaced(
    calibration: Calibration, width: NDArray[np.float32], pictures: int = 500
) -> Calibration:
    lower = np.zeros_like(calibration.lower)
    return Calibration("maxabs", lower, lower + width, calibration.scale, pictures)


def test_draws_have_the_variance_of_a_unit_laplace() -> None:
    draws = fixed_draws()
    # The variance of a squared Laplace draw is 20: four standard errors on either side.
    assert abs((draws**2).mean() - 2) < 4 * math.sqrt(20 / DRAWS)
    assert abs(draws.mean()) < 4 * math.sqrt(2 / DRAWS)


def test_draws_follow_the_laplace_distribution() -> None:
    draws = np.sort(fixed_draws())
    cumulative = np.where(draws < 0, 0.5 * np.exp(draws), 1 - 0.5 * np.exp(-draws))
    rank = np.arange(DRAWS) / DRAWS
    distance = max(abs(cumulative - rank).max(), abs(cumulative - rank - 1 / DRAWS).max())
    assert distance * math.sqrt(DRAWS) < 1.63


def test_extreme_words_give_finite_tails_and_an_exact_logarithm() -> None:
    high = np.array([0, 0x7FFFFFFF, 0x80000000, 0x40000000, 1], dtype=np.uint32)
    low = np.array([0, 0xFFFF, 0, 0, 7], dtype=np.uint16)
    whole = (high & 0x7FFFFFFF) + (low + 0.5) / 2**16
    expected = -np.log(whole / 2**31) * np.where(high >> 31, -1, 1)
    np.testing.assert_allclose(laplace(high, low), expected, rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("epsilon", [0.5, 4.0])
def test_protected_elements_carry_noise_of_the_declared_scale(
    epsilon: float, calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    spec = FeatureSpec(colour="none", epsilon=epsilon, wire_bits=16)
    extractor = FeatureExtractor(spec, calibration, lambda count: b"\x03" * count)
    values = dequantise(extractor.protect(pictures[:1]), spec, calibration)
    noise = (values - extractor.exact(pictures[:1]))[0] / calibration.sensitivity
    # The grid cuts draws beyond six scales, at most 2 e^-6 (6 + 1) of the variance of 2.
    assert 0.975 < noise.var() / (2 / epsilon**2) < 1.01


def test_every_picture_of_a_batch_gets_its_own_noise(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    twice = np.stack([pictures[0], pictures[0]])
    extractor = FeatureExtractor(FREQUENCY_ONLY, calibration, os.urandom)
    exact = extractor.exact(twice)
    noise = dequantise(extractor.protect(twice), FREQUENCY_ONLY, calibration) - exact
    noise /= calibration.sensitivity
    first, second = noise.reshape(2, -1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(first.size)


def test_repeated_calls_never_repeat_noise(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    extractor = FeatureExtractor(FREQUENCY_ONLY, calibration, os.urandom)
    first, second = (extractor.protect(pictures[:1]).frequency for _ in range(2))
    assert (first != second).mean() > 0.99


def test_one_fresh_key_for_each_picture_and_noisy_part(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return os.urandom(count)

    spec = FeatureSpec(epsilon=1.0, colour_epsilon=1.0)
    FeatureExtractor(spec, calibration, random_bytes).protect(pictures[:3])
    assert asked == [32] * 6
    FeatureExtractor(FeatureSpec(), calibration, random_bytes).protect(pictures[:3])
    assert asked == [32] * 6


def test_a_generator_that_returns_too_little_is_refused(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    extractor = FeatureExtractor(FREQUENCY_ONLY, calibration, lambda _: b"short")
    with pytest.raises(LocalProtocolError, match="5 bytes"):
        extractor.protect(pictures[:1])


def test_every_code_is_reachable_from_every_clipped_value(
    calibration: Calibration, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    elements = 63 * 112 * 112
    largest_positive = np.zeros(elements, dtype=np.uint32), np.zeros(elements, dtype=np.uint16)
    monkeypatch.setattr(NoiseSource, "laplace_words", lambda *_: largest_positive)
    for epsilon in (0.5, 10.0):
        spec = FeatureSpec(colour="none", epsilon=epsilon)
        codes = FeatureExtractor(spec, calibration, os.urandom).protect(pictures[:1]).frequency
        assert (codes == 255).all()


def test_the_sampling_slack_is_small() -> None:
    assert sampling_slack(FeatureSpec()) == 0
    assert sampling_slack(FeatureSpec(epsilon=0.5)) < 0.005
    assert sampling_slack(FeatureSpec(epsilon=4.0)) < 0.005


def test_an_all_ones_sensitivity_is_refused(calibration: Calibration) -> None:
    ones = replaced(calibration, np.ones_like(calibration.lower))
    with pytest.raises(ScenarioError, match="placeholder"):
        FeatureExtractor(FREQUENCY_ONLY, ones, os.urandom)
    FeatureExtractor(FeatureSpec(), ones, os.urandom)


def test_an_element_without_sensitivity_is_refused(calibration: Calibration) -> None:
    width = calibration.sensitivity.copy()
    width[5, 6, 7] = 0
    with pytest.raises(ScenarioError, match="no sensitivity"):
        FeatureExtractor(FREQUENCY_ONLY, replaced(calibration, width), os.urandom)


def test_too_few_training_pictures_are_refused(calibration: Calibration) -> None:
    few = replaced(calibration, calibration.sensitivity, pictures=99)
    with pytest.raises(ScenarioError, match="99"):
        FeatureExtractor(FREQUENCY_ONLY, few, os.urandom)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0])
def test_colour_bits_flip_with_the_declared_probability(epsilon: float) -> None:
    mask = NoiseSource(lambda count: b"\x05" * count).flips(3, flip_threshold(epsilon))
    probability = 1 / (1 + math.exp(epsilon))
    bits = np.unpackbits(mask[..., None], axis=-1)
    error = 4.5 * math.sqrt(probability * (1 - probability) / bits[..., 0].size)
    assert abs(bits.mean((0, 1, 2)) - probability).max() < error
    assert flip_threshold(epsilon) / 2**32 >= probability


def test_randomised_response_keeps_decoder_maps_consistent(
    calibration: Calibration, pictures: NDArray[np.uint8]
) -> None:
    spec = FeatureSpec(colour_epsilon=0.5)
    colour = FeatureExtractor(spec, calibration, os.urandom).protect(pictures[:2]).colour
    assert (np.bitwise_count(colour).sum(1) == 8).all()
    plain = FeatureExtractor(FeatureSpec(), calibration, os.urandom).protect(pictures[:2]).colour
    assert (colour != plain).mean() > 0.3
