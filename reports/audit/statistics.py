"""Tests of randomness with p-values that hold at very small levels.

Binomial, hypergeometric and counting tests are exact; Kolmogorov–Smirnov is bounded from above;
chi-square is asymptotic and is only asked where every cell expects `LEAST_EXPECTED` or more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "LEAST_EXPECTED",
    "binomial_p",
    "chi_square_p",
    "detectable_bias",
    "fisher_p",
    "holm",
    "kolmogorov_p",
    "normal_quantile",
    "unreached_p",
]

LEAST_EXPECTED: Final = 20
_ITERATIONS: Final = 10_000
_PRECISION: Final = 1e-14
_TINY: Final = 1e-300
_UNREMARKABLE: Final = 4


def chi_square_p(counts: npt.NDArray[np.integer[Any]]) -> float:
    """Return the p-value of cell counts under equal probabilities (upper tail, asymptotic)."""
    expected = counts.sum() / counts.size
    statistic = float(np.sum((counts - expected) ** 2) / expected)
    return _gamma_tail((counts.size - 1) / 2, statistic / 2)


def binomial_p(successes: int, trials: int) -> float:
    """Return the two-sided p-value of a count under probability one half, exact where small.

    A count within `_UNREMARKABLE` standard deviations gets the normal approximation: no level of
    this audit is near it.
    """
    most = max(successes, trials - successes)
    deviation = (2 * most - trials) / math.sqrt(max(trials, 1))
    if deviation < _UNREMARKABLE:
        return math.erfc(deviation / math.sqrt(2))
    return min(1.0, 2 * _beta_tail(most, trials - most + 1))


def detectable_bias(samples: int, alpha: float, power: float = 0.99) -> float:
    """Return the smallest |P(bit = 1) - 1/2| that `samples` bits show with the given power."""
    needed = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    return min(0.5, needed / (2 * math.sqrt(samples)))


def fisher_p(
    ones: npt.NDArray[np.integer[Any]], others: npt.NDArray[np.integer[Any]], trials: int
) -> npt.NDArray[np.float64]:
    """Return exact two-sided p-values that two groups of `trials` bits have one probability.

    Args:
        ones: how often each bit was set in the first group.
        others: the same for the second group.
        trials: size of each group.
    """
    p_values: npt.NDArray[np.float64] = _fisher_table(trials)[ones, others]
    return p_values


def kolmogorov_p(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return upper bounds of two-sample Kolmogorov–Smirnov p-values, column by column.

    Uses P(D >= d) <= 2 e exp(-2 d² n m / (n + m)), which holds for all sizes (Wei and Dudley,
    "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities", 2012).

    Args:
        one: first sample, [n, columns].
        two: second sample, [m, columns].
    """
    n, m = len(one), len(two)
    pooled = np.concatenate([one, two])
    order = np.argsort(pooled, axis=0, kind="stable")
    steps = np.where(order < n, 1 / n, -1 / m)
    heights = np.abs(np.cumsum(steps, axis=0))
    ranked = np.take_along_axis(pooled, order, axis=0)
    last_of_value = np.ones(ranked.shape, dtype=np.bool_)
    last_of_value[:-1] = ranked[1:] != ranked[:-1]
    distance = np.where(last_of_value, heights, 0).max(axis=0)
    bound = 2 * math.e * np.exp(-2 * distance**2 * n * m / (n + m))
    p_values: npt.NDArray[np.float64] = np.minimum(1.0, bound)
    return p_values


def unreached_p(cells: int, samples: int) -> float:
    """Return a bound of the probability that some of `cells` equal values is never drawn."""
    return min(1.0, math.exp(math.log(cells) + samples * math.log1p(-1 / cells)))


def holm(p_values: Sequence[float] | npt.NDArray[np.float64], alpha: float) -> list[int]:
    """Return which of the hypotheses are rejected at family-wise level alpha (Holm)."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    levels = alpha / np.arange(values.size, 0, -1)
    failed = np.flatnonzero(values[order] > levels)
    rejected = order if failed.size == 0 else order[: failed[0]]
    return [int(index) for index in rejected]


def normal_quantile(probability: float) -> float:
    """Return the standard normal quantile by bisection of the error function."""
    low, high = -40.0, 40.0
    upper = probability > 0.5
    wanted = 1 - probability if upper else probability
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(-middle / math.sqrt(2)) / 2 < wanted else (
            low, middle,
        )  # fmt: skip
    return -low if upper else low


def _gamma_tail(shape: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(shape, x)."""
    if x <= 0:
        return 1.0
    scale = math.exp(-x + shape * math.log(x) - math.lgamma(shape))
    if x < shape + 1:
        return max(0.0, 1 - scale * _gamma_series(shape, x))
    return scale * _gamma_fraction(shape, x)


def _gamma_series(shape: float, x: float) -> float:
    term = total = 1 / shape
    for step in range(1, _ITERATIONS):
        term *= x / (shape + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _gamma_fraction(shape: float, x: float) -> float:
    """Return the continued fraction of Q(shape, x) by Lentz's method."""
    b = x + 1 - shape
    c, d = 1 / _TINY, 1 / b
    value = d
    for step in range(1, _ITERATIONS):
        a = -step * (step - shape)
        b += 2
        d = 1 / _away_from_zero(a * d + b)
        c = _away_from_zero(b + a / c)
        value *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return value


def _beta_tail(a: int, b: int) -> float:
    """Return I_{1/2}(a, b) = P(X >= a) for X binomial with a + b - 1 trials, where a > b."""
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - (a + b) * math.log(2)
    return math.exp(log) * _beta_fraction(a, b) / a


def _beta_fraction(a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function at one half."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) / (a + 1) / 2)
    value = d
    for m in range(1, _ITERATIONS):
        even = m * (b - m) / (2 * (a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) / (2 * (a + 2 * m) * (a + 2 * m + 1))
        for coefficient in (even, odd):
            d = 1 / _away_from_zero(1 + coefficient * d)
            c = _away_from_zero(1 + coefficient / c)
            value *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


@cache
def _fisher_table(trials: int) -> npt.NDArray[np.float64]:
    """Return two-sided p-values for all counts (a, b), [trials + 1, trials + 1]."""
    table = np.ones((trials + 1, trials + 1))
    for total in range(2 * trials + 1):
        low, high = max(0, total - trials), min(total, trials)
        firsts = range(low, high + 1)
        logs = np.array([_log_choose(trials, a) + _log_choose(trials, total - a) for a in firsts])
        weights = np.exp(logs - _log_choose(2 * trials, total))
        for a, weight in zip(firsts, weights, strict=True):
            table[a, total - a] = min(1.0, weights[weights <= weight * (1 + 1e-9)].sum())
    return table


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
