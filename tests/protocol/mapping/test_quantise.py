"""Rounding to the ring: the norm bound is exact, the cosine survives, zeros are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.mapping import check_scale, largest_scale, quantise_template
from protocol.mapping.quantise import clamp_round


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    dimension=st.integers(1, 600),
    scale=st.sampled_from([1, 2, 7, 50, 127, 16384, 1 << 20]),
    magnitude=st.sampled_from([1e-300, 1e-3, 1.0, 1e200]),
)
def test_norm_never_exceeds_the_scale(
    seed: int, dimension: int, scale: int, magnitude: float
) -> None:
    x = np.random.default_rng(seed).standard_normal((4, dimension)) * magnitude
    q = quantise_template(x, scale).astype(object)
    assert all(sum(int(e) ** 2 for e in row) <= scale**2 for row in q)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([127, 16384]))
def test_entries_stay_within_one_step_of_the_real_vector(seed: int, scale: int) -> None:
    x = np.random.default_rng(seed).standard_normal(128)
    q = quantise_template(x, scale)
    assert q.dtype == np.int32
    assert np.max(np.abs(q - scale * x / np.linalg.norm(x))) < 1.0


def test_clamping_is_needed_and_keeps_the_direction() -> None:
    x = np.random.default_rng(1).standard_normal((800, 512))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    naive = np.rint(127 * unit).astype(np.int64)
    assert np.any((naive**2).sum(axis=1) > 127**2)
    q = quantise_template(x, 127).astype(np.int64)
    error = (q[:400] * q[400:]).sum(axis=1) / 127**2 - (unit[:400] * unit[400:]).sum(axis=1)
    assert error.std() == pytest.approx(0.408 / 127, rel=0.15)
    assert abs(error.mean()) < 6e-4


def test_self_score_of_a_template_is_nearly_the_square_of_the_scale() -> None:
    x = np.random.default_rng(2).standard_normal((200, 512))
    q = quantise_template(x, 127).astype(np.int64)
    assert ((q**2).sum(axis=1) > 0.98 * 127**2).all()


def test_longer_vectors_are_shrunk_and_shorter_ones_kept() -> None:
    x = np.array([[300.0, 400.0], [3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_array_equal(clamp_round(x, 100), [[60, 80], [3, 4], [0, 0]])


def test_shape_and_float32_input_are_kept() -> None:
    x = np.ones((2, 3, 4), dtype=np.float32)
    np.testing.assert_array_equal(quantise_template(x, 10), np.full((2, 3, 4), 5))


@pytest.mark.parametrize("bad", [np.zeros(4), np.array([1.0, np.nan]), np.array([np.inf, 1.0])])
def test_vectors_without_direction_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(LocalProtocolError):
        quantise_template(bad, 127)


@pytest.mark.parametrize("scale", [0, -5, (1 << 20) + 1])
def test_impossible_scales_are_refused(scale: int) -> None:
    with pytest.raises(LocalProtocolError):
        quantise_template(np.ones(3), scale)


def test_ring_condition() -> None:
    assert largest_scale(16) == 127
    assert 2 * largest_scale(32) ** 2 < 2**31 <= 2 * (largest_scale(32) + 1) ** 2
    check_scale(127, 16)
    check_scale(16384, 32)
    with pytest.raises(ScenarioError, match=r"search\.scale.*127"):
        check_scale(128, 16)
