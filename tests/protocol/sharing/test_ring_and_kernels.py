"""Ring arithmetic and bit planes against exact Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.sharing.kernels import (
    bit_planes,
    plane_bytes,
    plane_values,
    readable,
    thermometer,
    unpack_bits,
    words_for,
)
from protocol.sharing.ring import Ring

rings = st.sampled_from([Ring(16), Ring(32), Ring(64)])


WORD = st.integers(0, 2**64 - 1)


@given(rings, st.lists(WORD, min_size=1, max_size=200))
def test_planes_hold_every_bit(ring: Ring, values: list[int]) -> None:
    elements = np.array(values, dtype=np.uint64).astype(ring.dtype)
    planes = bit_planes(elements, ring.bits)
    assert planes.shape == (ring.bits, words_for(len(values)))
    rebuilt = sum(
        unpack_bits(plane, len(values)).astype(np.uint64) << np.uint64(bit)
        for bit, plane in enumerate(planes)
    )
    assert np.array_equal(rebuilt, elements)
    assert np.array_equal(plane_values(planes, len(values), ring.dtype), elements)


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("entries", [1, 63, 64, 65, 640, 64 * 8 + 1, 64 * 17])
def test_planes_of_every_length_end_in_zero_bits(bits: int, entries: int) -> None:
    values = np.full(entries, 2**bits - 1, dtype=f"u{bits // 8}")
    planes = bit_planes(values, bits)
    assert all(sum(int(word).bit_count() for word in plane) == entries for plane in planes)
    assert all(unpack_bits(plane, entries).all() for plane in planes)


def test_planes_of_a_score_matrix_run_row_by_row_even_if_read_only() -> None:
    values = np.arange(24, dtype=np.uint16).reshape(4, 6)
    values.flags.writeable = False
    assert np.array_equal(bit_planes(values, 5), bit_planes(np.arange(24, dtype=np.uint16), 5))
    assert np.array_equal(bit_planes(values[:, ::2], 5), bit_planes(values[:, ::2].copy(), 5))


@given(rings, st.lists(WORD, min_size=1, max_size=150), st.integers(1, 4), st.data())
def test_thermometer_compares_the_digit(
    ring: Ring, values: list[int], width: int, data: st.DataObject
) -> None:
    low_bit = data.draw(st.integers(0, ring.bits - width))
    elements = np.array(values, dtype=np.uint64).astype(ring.dtype)
    out = np.empty((2**width - 1, words_for(len(values))), dtype=np.uint64)
    thermometer(elements, low_bit, width, out)
    for bound, plane in enumerate(out):
        expected = [(int(v) >> low_bit) % 2**width > bound for v in elements]
        assert unpack_bits(plane, len(values)).tolist() == expected


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_packing_is_undone_by_unpacking(bits: list[bool]) -> None:
    plane = bit_planes(np.array(bits, dtype=np.uint16), 1)[0]
    assert unpack_bits(plane, len(bits)).tolist() == bits


@given(st.lists(WORD, min_size=1, max_size=4), st.data())
def test_plane_bytes_are_the_packed_bits(words: list[int], data: st.DataObject) -> None:
    plane = np.array(words, dtype=np.uint64)
    entries = data.draw(st.integers(1, 64 * len(words)))
    before = plane.copy()
    packed = plane_bytes(plane, entries)
    expected = np.packbits(unpack_bits(plane, entries), bitorder="little")
    assert packed.tobytes() == expected.tobytes()
    assert np.array_equal(plane, before)


def test_a_writable_alias_of_received_memory_is_no_copy() -> None:
    received = np.frombuffer(bytes(range(16)), dtype=np.uint16)
    alias = readable(received)
    assert alias.flags.writeable
    assert np.shares_memory(alias, received)
    assert np.array_equal(alias, received)


def test_an_alias_keeps_its_memory_alive() -> None:
    alias = readable(np.frombuffer(bytes(range(200)) * 5000, dtype=np.uint8))
    junk = [bytes(1_000_000) for _ in range(5)]
    assert np.array_equal(alias, np.tile(np.arange(200, dtype=np.uint8), 5000))
    assert len(junk) == 5


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
