"""Elimination over Z_2^k finds every fixed affine map, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.audit.ring_algebra import determined


@settings(max_examples=60)
@given(st.sampled_from([1, 8, 16, 32, 64]), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_an_affine_map_is_found(bits: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = random.integers(0, 2**64, (columns + 60, columns), dtype=np.uint64)
    # Even columns make pivots that are no units.
    known[:, ::3] *= np.uint64(2)
    factors = random.integers(0, 2**64, (columns, 3), dtype=np.uint64)
    wanted = known @ factors + np.uint64(seed)
    assert determined(known, wanted, bits).determined.all()


@settings(max_examples=60)
@given(st.sampled_from([1, 16, 32]), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_an_independent_column_is_not(bits: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = random.integers(0, 2**64, (columns + 60, columns), dtype=np.uint64)
    wanted = random.integers(0, 2**64, (columns + 60, 2), dtype=np.uint64)
    solved = determined(known, wanted, bits)
    assert not solved.determined.any()
    assert solved.held_out >= 40


def test_what_divides_by_two_is_decided_exactly() -> None:
    x = np.random.default_rng(1).integers(0, 2**16, (50, 1), dtype=np.uint64)
    twice = (2 * x) % 2**16
    assert determined(x, twice, 16).determined.all()
    assert not determined(twice, x, 16).determined.any()
    # 2^15 x is a multiple of 2 x, since 2^15 x = 2^14 (2 x).
    assert determined(twice, (x << np.uint64(15)) % 2**16, 16).determined.all()


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="do not settle"):
        determined(np.zeros((3, 3), np.uint64), np.zeros((3, 1), np.uint64), 16)
