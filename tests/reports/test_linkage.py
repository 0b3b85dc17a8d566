from __future__ import annotations

import numpy as np
import pytest

from reports.linkage import BINS, d_sys, equal_error_rate, linkability


def test_equal_distributions_are_not_linkable_and_disjoint_ones_always() -> None:
    rng = np.random.default_rng(1)
    one, two = (np.clip(rng.normal(0.1, 0.1, 200_000), -1, 1) for _ in range(2))
    assert d_sys(one, two) < 0.01
    assert d_sys(np.full(50, 0.9), np.full(50, -0.9)) == 1.0
    assert equal_error_rate(one, two) == pytest.approx(0.5, abs=0.01)
    assert equal_error_rate(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == pytest.approx(0.0)


def test_d_sys_of_two_bins_is_what_the_definition_says() -> None:
    # p = (1/4, 3/4), q = (3/4, 1/4): the second bin has likelihood ratio 3, so D = 1/2 there.
    mated, others = np.array([0.11, 0.51, 0.51, 0.51]), np.array([0.11, 0.11, 0.11, 0.51])
    assert d_sys(mated, others) == pytest.approx(0.75 * 0.5)


def test_equal_error_rate_of_two_overlapping_sets() -> None:
    mated = np.linspace(0.0, 0.999, 1000)
    assert equal_error_rate(mated, mated - 0.5) == pytest.approx(0.25, abs=0.002)


def test_bins_are_fixed_and_do_not_follow_the_scores() -> None:
    width = 2 / BINS
    one, two = np.array([0.001]), np.array([width - 0.001])
    # Both scores share a bin, however few other scores there are.
    assert d_sys(one, two) == 0.0
    assert d_sys(one, two + width) == 1.0
    assert d_sys(np.array([1.0, -1.0]), np.array([1.0, -1.0])) == 0.0


def test_rates_of_a_matrix_and_their_intervals() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(0.0, 0.1, (60, 60))
    scores[np.diag_indices(60)] = rng.normal(0.25, 0.1, 60)
    found = linkability(np.clip(scores, -1, 1))
    assert found.eer.low is not None
    assert found.eer.high is not None
    assert found.d_sys.low is not None
    assert found.d_sys.high is not None
    assert 0.0 <= found.eer.low < found.eer.value < found.eer.high < 0.3
    assert 0.3 < found.d_sys.low < found.d_sys.value < found.d_sys.high < 1.0
    perfect = linkability(np.eye(20))
    assert (perfect.d_sys.value, perfect.rank_1.value) == (1.0, 1.0)
    assert perfect.eer.value == pytest.approx(0.0)
