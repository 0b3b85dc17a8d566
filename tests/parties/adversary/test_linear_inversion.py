from __future__ import annotations

import os

import numpy as np
import pytest

from orchestration.benchmarks.inputs.mechanisms import (
    AsReleased,
    Attempt,
    GaussianPixels,
    luminance,
    mechanisms,
)
from parties.adversary.linear_inversion import SmoothAttack, recover
from parties.adversary.uploads import ChannelLaw, MeanLaw
from protocol.features import FeatureExtractor, FeatureSpec, calibrate
from protocol.features.selection import sent_channels


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


def recover_from_channels(channels: np.ndarray, variance: np.ndarray) -> np.ndarray:
    law = ChannelLaw(np.arange(63), variance if variance.ndim > 1 else variance[:, None, None])
    return SmoothAttack().against(law).recover(law.gather(channels))


def recover_from_plane(planes: np.ndarray, variance: float) -> np.ndarray:
    law = MeanLaw(variance)
    return SmoothAttack().against(law).recover(law.gather(planes))


def attempt(seed: int) -> Attempt:
    return Attempt(SmoothAttack(), np.random.default_rng(seed))


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


def test_gaussian_noise_of_a_budget_has_the_stated_deviation() -> None:
    deviation = GaussianPixels("pixels").deviation(1e5)
    rho = 112 * 112 * 255**2 / (2 * deviation**2)
    assert rho + 2 * np.sqrt(rho * np.log(1e6)) == pytest.approx(1e5)


def test_elements_with_less_noise_count_for_more(pictures: np.ndarray) -> None:
    spec = FeatureSpec(fusion="y_only", colour="none")
    extractor = FeatureExtractor(spec, calibrate([pictures], "y_only"), os.urandom)
    exact, true = extractor.exact(pictures), luminance(pictures)
    rng = np.random.default_rng(8)
    variance = np.full((63, 112, 112), 1.0)
    variance[:, :, 56:] = 1e6
    noisy = exact + (np.sqrt(variance) * rng.standard_normal(exact.shape)).astype(np.float32)
    known = recover_from_channels(noisy, variance)
    mean = recover_from_channels(noisy, np.full(63, variance.mean()))
    left = np.s_[:, :, :50]
    assert correlation(known[left], true[left]) > 0.9
    assert correlation(known[left], true[left]) > correlation(mean[left], true[left]) + 0.05


def test_the_drawn_group_of_channels_is_found_by_its_misfit(pictures: np.ndarray) -> None:
    groups = sent_channels(63, "random")
    spec = FeatureSpec(fusion="y_only", colour="none")
    extractor = FeatureExtractor(spec, calibrate([pictures], "y_only"), os.urandom)
    exact = extractor.exact(pictures[:2])
    laws = [ChannelLaw(group, np.full((len(group), 1, 1), 0.1)) for group in groups]
    solvers = [SmoothAttack().against(law) for law in laws]
    for truth in (0, 4):
        gathered = [law.gather(exact[:, groups[truth]]) for law in laws]
        likely = [solver.plausibility(each) for solver, each in zip(solvers, gathered, strict=True)]
        assert (np.argmax(likely, axis=0) == truth).all()
        alone = solvers[truth].recover(gathered[truth])
        np.testing.assert_allclose(recover(solvers, gathered), alone, atol=1e-3)


def test_every_mechanism_hides_more_with_less_budget(pictures: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    training = rng.integers(0, 256, (110, 112, 112, 3), dtype=np.uint8)
    true = luminance(pictures)
    for mechanism in mechanisms([training[:55], training[55:]]):
        if not mechanism.can_spend(1e3):
            continue
        most = next(eps for eps in (1e7, 1e6, 1e5, 1e4) if mechanism.can_spend(eps / 2)) / 2
        low, high = (mechanism.recovered(pictures, eps, attempt(6)) for eps in (1e3, most))
        assert np.square(high - true).mean() < np.square(low - true).mean(), mechanism.name


def test_noise_for_a_sensitivity_of_one_hides_nothing(pictures: np.ndarray) -> None:
    released = AsReleased("released", calibrate([pictures], "none"), 0.5)
    assert released.can_spend(None)
    assert not released.can_spend(1e6)
    found = released.recovered(pictures, None, attempt(7))
    for one, true in zip(found, luminance(pictures), strict=True):
        assert correlation(one, true) > 0.98
