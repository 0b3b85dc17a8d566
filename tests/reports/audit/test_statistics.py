"""p-values against exact sums, and false alarms against their level."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.audit.statistics import (
    binomial_p,
    chi_square_p,
    detectable_bias,
    fisher_p,
    holm,
    kolmogorov_p,
    normal_quantile,
    unreached_p,
)


@pytest.mark.parametrize(
    ("statistic", "degrees", "expected"),
    [(3.841458820694124, 1, 0.05), (18.307038053275146, 10, 0.05), (330.51969363, 255, 0.001)],
)
def test_chi_square_agrees_with_tables(statistic: float, degrees: int, expected: float) -> None:
    # Two cells off by a each give 2 a^2 / mean; the rest are at the mean.
    cells, mean = degrees + 1, 10**9
    counts = np.full(cells, mean, dtype=np.int64)
    shift = round(math.sqrt(statistic * mean / 2))
    counts[0] += shift
    counts[1] -= shift
    assert chi_square_p(counts) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("successes", "trials"), [(80, 100), (5, 64), (400, 500), (64, 64)])
def test_a_remarkable_count_has_its_exact_binomial_p(successes: int, trials: int) -> None:
    most = max(successes, trials - successes)
    tail = sum(math.comb(trials, k) for k in range(most, trials + 1)) / 2**trials
    assert binomial_p(successes, trials) == pytest.approx(2 * tail, rel=1e-9)


def test_an_unremarkable_count_is_never_significant() -> None:
    assert binomial_p(50, 100) == 1.0
    assert binomial_p(60, 100) > 1e-2


@pytest.mark.parametrize(("a", "b"), [(0, 8), (8, 0), (3, 5), (1, 7), (4, 4)])
def test_fisher_is_the_sum_of_equally_unlikely_tables(a: int, b: int) -> None:
    trials, total = 8, a + b
    ways = [math.comb(trials, i) * math.comb(trials, total - i) for i in range(total + 1)]
    expected = sum(w for w in ways if w <= ways[a]) / math.comb(2 * trials, total)
    assert fisher_p(np.array([a]), np.array([b]), trials)[0] == pytest.approx(expected)


def test_kolmogorov_separates_and_handles_ties() -> None:
    one = np.repeat([[1, 5]], 32, axis=0)
    two = np.stack([np.full(32, 2), np.full(32, 5)], axis=1)
    apart, tied = kolmogorov_p(one, two)
    assert apart == pytest.approx(2 * math.e * math.exp(-32))
    assert tied == 1.0


def test_false_alarms_stay_below_their_level() -> None:
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(400):
        bits = random.integers(0, 2, (200, 20))
        p = [binomial_p(int(count), 200) for count in bits.sum(axis=0)]
        alarms += bool(holm(p, 0.05))
    assert alarms <= 400 * 0.05 + 3 * math.sqrt(400 * 0.05)


def test_holm_rejects_in_order() -> None:
    assert sorted(holm([0.001, 0.2, 0.02, 0.012], 0.05)) == [0, 2, 3]
    assert holm([0.02, 0.2], 0.03) == []


def test_power_and_quantiles() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert normal_quantile(1e-9) == pytest.approx(-5.997807, abs=1e-5)
    assert detectable_bias(10_000, 1e-6) == pytest.approx((4.8916 + 2.3263) / 200, abs=1e-4)


def test_bound_of_missing_values_falls_with_samples() -> None:
    assert unreached_p(65536, 1000) == 1.0
    assert unreached_p(65536, 2_300_000) < 1e-10
