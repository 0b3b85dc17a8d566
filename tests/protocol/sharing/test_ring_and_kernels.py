"""Ring arithmetic, bit planes and products against exact Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.sharing.kernels import bit_planes, ring_product, unpack_bits, words_for
from protocol.sharing.ring import Ring

rings = st.sampled_from([Ring(16), Ring(32)])


def exact_product(matrix: np.ndarray, probes: np.ndarray, bits: int) -> np.ndarray:
    """Multiply with Python integers, then reduce."""
    exact = probes.astype(object) @ matrix.astype(object).T
    return np.asarray(exact % (1 << bits), dtype=matrix.dtype)


@given(rings, st.integers(1, 9), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_product_is_exact(ring: Ring, rows: int, width: int, probes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    top = 1 << ring.bits
    matrix = random.integers(0, top, (rows, width)).astype(ring.dtype)
    queries = random.integers(0, top, (probes, width)).astype(ring.dtype)
    expected = exact_product(matrix, queries, ring.bits)
    assert np.array_equal(ring_product(matrix, queries), expected)


@pytest.mark.parametrize("bits", [16, 32])
def test_product_is_exact_at_the_extremes(bits: int) -> None:
    ring = Ring(bits)
    extremes = [0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1]
    matrix = np.array([[value] * 700 for value in extremes], dtype=ring.dtype)
    assert np.array_equal(ring_product(matrix, matrix), exact_product(matrix, matrix, bits))


def test_product_accepts_received_arrays_that_are_read_only() -> None:
    matrix = np.ones((2, 3), dtype=np.uint16)
    matrix.flags.writeable = False
    assert ring_product(matrix, matrix).tolist() == [[3, 3], [3, 3]]


def test_product_refuses_mixed_rings() -> None:
    with pytest.raises(LocalProtocolError, match="cannot multiply"):
        ring_product(np.ones((2, 3), np.uint16), np.ones((1, 3), np.uint32))


@given(rings, st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=200))
def test_planes_hold_every_bit(ring: Ring, values: list[int]) -> None:
    elements = np.array(values, dtype=np.uint64).astype(ring.dtype)
    planes = bit_planes(elements, ring.bits)
    assert planes.shape == (ring.bits, words_for(len(values)))
    rebuilt = sum(
        unpack_bits(plane, len(values)).astype(np.uint64) << np.uint64(bit)
        for bit, plane in enumerate(planes)
    )
    assert np.array_equal(rebuilt, elements)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_packing_is_undone_by_unpacking(bits: list[bool]) -> None:
    plane = bit_planes(np.array(bits, dtype=np.uint16), 1)[0]
    assert unpack_bits(plane, len(bits)).tolist() == bits


@given(rings, st.data())
def test_encoding_is_undone_by_decoding(ring: Ring, data: st.DataObject) -> None:
    half = 1 << (ring.bits - 1)
    values = data.draw(st.lists(st.integers(-half, half - 1), min_size=1, max_size=20))
    elements = ring.encode(np.array(values, dtype=np.int64))
    assert ring.decode(elements).tolist() == values


@pytest.mark.parametrize("value", [2**15, -(2**15) - 1])
def test_encoding_refuses_what_would_wrap(value: int) -> None:
    with pytest.raises(LocalProtocolError, match="does not fit"):
        Ring(16).encode(np.array([value]))


def test_only_known_rings_exist() -> None:
    with pytest.raises(LocalProtocolError, match="no ring of 8 bits"):
        Ring(8)
