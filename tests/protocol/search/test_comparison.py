"""The comparison circuit, exhaustively where that is possible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.search.comparison import (
    Circuit,
    Join,
    and_operands,
    circuit,
    joined,
    leaves,
    secret_planes,
)
from protocol.sharing.kernels import Planes, bit_planes, unpack_bits


def negative_bits(values: np.ndarray, masks: np.ndarray, shape: Circuit, seed: int) -> np.ndarray:
    """Run both servers' local steps in one place and return the combined sign bits."""
    random = np.random.default_rng(seed)
    opened = bit_planes(values + masks, shape.bits)
    words = opened.shape[1]
    planes = secret_planes(masks, shape)
    one = random.integers(0, 2**63, planes.shape, dtype=np.uint64)
    nodes = [
        leaves(opened, one, shape, first=True),
        leaves(opened, planes ^ one, shape, first=False),
    ]
    for layer in shape.layers:
        nodes = _join_layer(nodes, layer, words, random)
    sign = nodes[0][0][0] ^ nodes[1][0][0] ^ planes[-1] ^ opened[shape.bits - 1]
    return unpack_bits(sign, values.size)


def _join_layer(
    nodes: list[list[Planes]], layer: tuple[Join, ...], words: int, random: np.random.Generator
) -> list[list[Planes]]:
    count = sum(join.operands for join in layer)
    masks = random.integers(0, 2**63, (2, count, words), dtype=np.uint64)
    whole = masks[0] ^ masks[1]
    rows, start = [], 0
    for join in layer:
        rows += [whole[start] & whole[start + 1 + gate] for gate in range(join.products)]
        start += join.operands
    products = np.stack(rows)
    first = random.integers(0, 2**63, products.shape, dtype=np.uint64)
    shares = [first, products ^ first]
    opened = and_operands(nodes[0], layer) ^ and_operands(nodes[1], layer) ^ whole
    return [joined(nodes[i], layer, opened, masks[i], shares[i], first=i == 0) for i in range(2)]


@pytest.mark.parametrize("radix", [1, 2, 3, 4])
@pytest.mark.parametrize("mask", [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x5A5A])
def test_sign_of_every_16_bit_value(radix: int, mask: int) -> None:
    values = np.arange(2**16, dtype=np.uint16)
    masks = np.full(values.size, mask, dtype=np.uint16)
    signs = negative_bits(values, masks, circuit(16, radix), seed=mask)
    assert np.array_equal(signs, values >= 2**15)


@given(
    st.sampled_from([16, 32, 64]),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=1),
)
def test_sign_under_any_mask(bits: int, radix: int, pairs: list[tuple[int, int]]) -> None:
    dtype = np.dtype(f"u{bits // 8}")
    values, masks = np.array(pairs, dtype=np.uint64).astype(dtype).T
    signs = negative_bits(values, masks, circuit(bits, radix), seed=0)
    assert np.array_equal(signs, values >= dtype.type(1 << (bits - 1)))


@pytest.mark.parametrize(
    ("bits", "radix", "operands", "products", "secret", "layers"),
    [
        (16, 1, 39, 25, 16, 4),
        (16, 2, 18, 11, 23, 3),
        (16, 4, 7, 4, 53, 2),
        (32, 2, 41, 26, 47, 4),
    ],
)
def test_published_gate_counts(
    bits: int, radix: int, operands: int, products: int, secret: int, layers: int
) -> None:
    shape = circuit(bits, radix)
    counted = (shape.operands, shape.products, shape.secret_planes, len(shape.layers))
    assert counted == (operands, products, secret, layers)


@pytest.mark.parametrize("radix", [0, 5])
def test_radix_is_bounded(radix: int) -> None:
    with pytest.raises(LocalProtocolError, match="radix"):
        circuit(16, radix)


def test_steps_take_received_planes_as_they_are() -> None:
    shape = circuit(16, 2)
    values = np.arange(5000, dtype=np.uint16) * np.uint16(13)
    opened, shares = bit_planes(values, 16), secret_planes(values[::-1], shape)
    writable = leaves(opened, shares, shape, first=True)
    layer = shape.layers[0]
    operands = and_operands(writable, layer)
    gates = operands[: sum(join.products for join in layer)]
    expected = joined(writable, layer, operands, operands, gates, first=False)
    for received in (opened, shares, operands, gates):
        received.flags.writeable = False
    nodes = leaves(opened, shares, shape, first=True)
    found = joined(nodes, layer, operands, operands, gates, first=False)
    assert all(np.array_equal(a, b) for a, b in zip(nodes, writable, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
