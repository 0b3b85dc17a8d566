"""What an adversary makes of noisy grey values that the client clamped to 0..255."""

from __future__ import annotations

import numpy as np
import pytest

from parties.adversary.clamping import Clamped

RNG = np.random.default_rng


@pytest.mark.parametrize("scale", [8.0, 64.0, 255.0, 1020.0])
def test_the_line_is_the_one_that_clamped_values_follow(scale: float) -> None:
    rng = RNG(1)
    true = np.repeat(np.linspace(-127, 126, 200), 2000)
    sent = np.clip(true + rng.laplace(0, scale, true.size), -128, 127)
    law = Clamped.of(scale)
    slope, shift = np.polyfit(true, sent, 1)
    assert law.slope == pytest.approx(slope, abs=0.01)
    assert law.shift == pytest.approx(shift, abs=1)
    left = np.var(sent - slope * true - shift)
    assert law.noise + law.bend == pytest.approx(left, rel=0.02)


@pytest.mark.parametrize("uploads", [1, 16])
def test_undone_values_are_the_true_ones_with_the_variance_that_is_told(uploads: int) -> None:
    rng, law = RNG(2), Clamped.of(np.full((2, 3), 255.0))
    true = rng.uniform(-128, 127, (20_000, 2, 3))
    draws = (np.clip(true + rng.laplace(0, 255, true.shape), -128, 127) for _ in range(uploads))
    mean = np.asarray(sum(draws) / uploads, dtype=np.float32)
    off = law.undone(mean) - true
    assert abs(off.mean()) < 0.02 * np.sqrt(law.variance(uploads).max())
    assert np.var(off) == pytest.approx(law.variance(uploads).mean(), rel=0.03)


def test_little_noise_is_hardly_clamped() -> None:
    law = Clamped.of(1.0)
    assert law.slope == pytest.approx(1, abs=1e-3)
    assert law.variance() == pytest.approx(2, rel=0.02)
