"""Sign of a shared ring element: open it under a mask, then compare with the mask's shared bits.

For x = y + r (mod 2^k) with x public and r known to the dealer, y is negative exactly when
x_msb xor r_msb xor [x_low < r_low]. The low bits are cut into groups of `radix` bits. For each
group the dealer shares the thermometer code of r's digit, so a server selects its shares of
"less than" and "equal" by the public digit of x with no interaction; a tree of AND gates joins
the groups. This module holds the public shape of that circuit and its local steps.

Source: dealer comparison with shared bits as in MP-SPDZ's LT (public against shared), regrouped
with one-hot digits; see docs/decisions/0010-thermometer-comparison.md.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from protocol.errors import LocalProtocolError
from protocol.sharing.kernels import Planes, readable, thermometer, words_for
from protocol.sharing.kernels_circuit import join_products, select_digit
from protocol.sharing.ring import RingArray

__all__ = [
    "MAX_RADIX",
    "Circuit",
    "Join",
    "Leaf",
    "and_operands",
    "circuit",
    "joined",
    "leaves",
    "secret_planes",
]

MAX_RADIX = 4


class Leaf(NamedTuple):
    """A group of low bits: first bit, width, and the first of its thermometer planes."""

    low_bit: int
    width: int
    first_plane: int

    @property
    def planes(self) -> int:
        """Thermometer planes [v < digit], v = 0 … 2^width - 2."""
        return (1 << self.width) - 1


class Join(NamedTuple):
    """One tree node: joins nodes `high` and `high + 1` of its layer.

    Opened planes: eq_high, lt_low and, when the result's equality is needed, eq_low.
    """

    high: int
    needs_equal: bool

    @property
    def operands(self) -> int:
        """Masked planes each server opens for this node."""
        return 3 if self.needs_equal else 2

    @property
    def products(self) -> int:
        """AND gates of this node; they share the operand eq_high."""
        return 2 if self.needs_equal else 1


class Circuit(NamedTuple):
    """The public shape of one comparison for a ring and a radix; leaves from high to low."""

    bits: int
    leaves: tuple[Leaf, ...]
    layers: tuple[tuple[Join, ...], ...]

    @property
    def secret_planes(self) -> int:
        """Planes that depend on r: all thermometers and r's top bit."""
        return sum(leaf.planes for leaf in self.leaves) + 1

    @property
    def products(self) -> int:
        """AND gates of the whole tree."""
        return sum(join.products for layer in self.layers for join in layer)

    @property
    def operands(self) -> int:
        """Masked planes each server opens over the whole tree."""
        return sum(self.layer_operands(layer) for layer in range(len(self.layers)))

    def layer_operands(self, layer: int) -> int:
        """Masked planes each server opens in one layer."""
        return sum(join.operands for join in self.layers[layer])


@cache
def circuit(bits: int, radix: int) -> Circuit:
    """Return the comparison circuit for a ring of `bits` bits.

    Raises:
        LocalProtocolError: the radix is outside 1..4.
    """
    if not 1 <= radix <= MAX_RADIX:
        raise LocalProtocolError(f"radix {radix} is outside 1..{MAX_RADIX}")
    return Circuit(bits, _cut(bits - 1, radix), _tree(-(-(bits - 1) // radix)))


def _cut(low_bits: int, radix: int) -> tuple[Leaf, ...]:
    """Cut the low bits into groups from the top; the lowest group takes the remainder."""
    groups: list[Leaf] = []
    plane = 0
    top = low_bits
    while top > 0:
        width = min(radix, top)
        groups.append(Leaf(top - width, width, plane))
        plane += groups[-1].planes
        top -= width
    return tuple(groups)


def _tree(nodes: int) -> tuple[tuple[Join, ...], ...]:
    """Join neighbours layer by layer; an odd lowest node passes through unchanged."""
    layers = []
    while nodes > 1:
        lowest = (nodes + 1) // 2 - 1
        layers.append(tuple(Join(2 * pair, pair != lowest) for pair in range(nodes // 2)))
        nodes = (nodes + 1) // 2
    return tuple(layers)


def secret_planes(mask: RingArray, shape: Circuit) -> Planes:
    """Return the planes the dealer shares for masks r: thermometers, then the top bit.

    Args:
        mask: flat array of r.
        shape: the circuit.

    Returns:
        Planes [shape.secret_planes, words].
    """
    planes = np.empty((shape.secret_planes, words_for(mask.size)), dtype=np.uint64)
    for leaf in shape.leaves:
        rows = planes[leaf.first_plane : leaf.first_plane + leaf.planes]
        thermometer(mask, leaf.low_bit, leaf.width, rows)
    thermometer(mask, shape.bits - 1, 1, planes[-1:])
    return planes


def leaves(opened: Planes, shares: Planes, shape: Circuit, *, first: bool) -> list[Planes]:
    """Select each group's shares of [x < r] and [x = r] by the public digits of x.

    Args:
        opened: bit planes of x, [bits, words].
        shares: one server's shares of `secret_planes`.
        shape: the circuit.
        first: True for server 0, which adds public constants.

    Returns:
        Per leaf, from high to low, planes [2, words]: less, equal.
    """
    opened, shares = readable(opened), readable(shares)
    out = np.empty((len(shape.leaves), 2, opened.shape[1]), dtype=np.uint64)
    for leaf, selected in zip(shape.leaves, out, strict=True):
        digits = opened[leaf.low_bit : leaf.low_bit + leaf.width]
        codes = shares[leaf.first_plane : leaf.first_plane + leaf.planes]
        select_digit(digits, codes, _constant(first=first), selected)
    return list(out)


def _constant(*, first: bool) -> np.uint64:
    """Return a server's share of a public one in all 64 bits of a word."""
    return np.uint64(0xFFFFFFFFFFFFFFFF if first else 0)


def and_operands(nodes: list[Planes], layer: tuple[Join, ...]) -> Planes:
    """Return one server's shares of a layer's AND operands, in opening order."""
    rows = []
    for join in layer:
        high, low = nodes[join.high], nodes[join.high + 1]
        rows += [high[1], low[0]] + ([low[1]] if join.needs_equal else [])
    return np.stack(rows)


def joined(
    nodes: list[Planes],
    layer: tuple[Join, ...],
    opened: Planes,
    masks: Planes,
    products: Planes,
    *,
    first: bool,
) -> list[Planes]:
    """Return a layer's results from the opened operands (Beaver, with a shared operand).

    Args:
        nodes: this server's shares of the layer's nodes.
        layer: its joins.
        opened: the opened operands xor masks, [layer operands, words].
        masks: this server's shares of the masks, same shape.
        products: this server's shares of the mask products.
        first: True for server 0, which adds the public product.
    """
    opened, masks, products = readable(opened), readable(masks), readable(products)
    out = np.empty((len(layer), 2, opened.shape[1]), dtype=np.uint64)
    operand = product = 0
    for join, node in zip(layer, out, strict=True):
        rows = slice(operand, operand + join.operands)
        gates = products[product : product + join.products]
        high = nodes[join.high]
        join_products(high, opened[rows], masks[rows], gates, _constant(first=first), node)
        operand, product = operand + join.operands, product + join.products
    return list(out) + nodes[2 * len(layer) :]
