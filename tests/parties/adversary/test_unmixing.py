from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parties.adversary.unmixing import statistics_of, unmixing

Samples = NDArray[np.float32]


def skewed(count: int, seed: int) -> Samples:
    """Samples with distinct variances, whose third moments tell a sign from the other."""
    rng = np.random.default_rng(seed)
    sizes = 2.0 ** -np.arange(6)
    return np.asarray((rng.gamma(2.0, size=(count, 6)) - 2.0) * sizes, dtype=np.float32)


def test_a_rotation_is_found_from_samples_of_others() -> None:
    key, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))
    public = statistics_of(skewed(20_000, 2))
    seen = statistics_of(np.asarray(skewed(20_000, 3) @ key.T, dtype=np.float32))
    estimate = unmixing(public, seen)
    np.testing.assert_allclose(estimate @ estimate.T, np.eye(6), atol=1e-9)
    assert np.abs(estimate - key).max() < 0.05


def test_symmetric_samples_do_not_tell_signs() -> None:
    rng = np.random.default_rng(4)
    sizes = 2.0 ** -np.arange(6)
    one, two = (
        np.asarray(rng.standard_normal((20_000, 6)) * sizes, dtype=np.float32) for _ in range(2)
    )
    key, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    mixed = np.asarray(two @ key.T, dtype=np.float32)
    estimate = unmixing(statistics_of(one), statistics_of(mixed))
    columns = np.abs((estimate * key).sum(axis=0))
    assert columns.min() > 0.98  # each axis is found, up to its sign
