"""Packed Boolean steps of the comparison: 64 entries to a word, no temporaries beyond a block."""

from __future__ import annotations

from typing import Final

import numpy as np

from protocol.jit import kernel
from protocol.sharing.kernels_planes import Planes

__all__ = ["join_products", "select_digit"]

_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_BLOCK_WORDS: Final = 512


@kernel
def select_digit(digits: Planes, codes: Planes, ones: np.uint64, out: Planes) -> None:
    """Write shares of [x < r] and [x = r] for a public digit x and a shared thermometer code of r.

    Args:
        digits: planes of x, lowest bit first, [width, words].
        codes: shares of T_v = [r > v], [2^width - 1, words].
        ones: this server's share of a constant one in every bit.
        out: less, equal, [2, words]; written whole.
    """
    chosen = np.empty(_BLOCK_WORDS, dtype=np.uint64)
    for start in range(0, out.shape[1], _BLOCK_WORDS):
        count = min(_BLOCK_WORDS, out.shape[1] - start)
        less, equal = out[0, start : start + count], out[1, start : start + count]
        less[:] = 0
        equal[:] = 0
        for value in range(codes.shape[0] + 1):
            chosen[:] = _ALL
            for bit in range(digits.shape[0]):
                # A digit bit that must be zero is inverted.
                flip = np.uint64(0) if (value >> bit) & 1 else _ALL
                plane = digits[bit, start : start + count]
                for word in range(count):
                    chosen[word] &= plane[word] ^ flip
            # T_v falls once, so [r = v] = T_(v-1) xor T_v; T_(-1) is one, the last T is zero.
            if value < codes.shape[0]:
                code = codes[value, start : start + count]
                for word in range(count):
                    selected = chosen[word] & code[word]
                    less[word] ^= selected
                    equal[word] ^= selected
            if value > 0:
                code = codes[value - 1, start : start + count]
                for word in range(count):
                    equal[word] ^= chosen[word] & code[word]
            else:
                for word in range(count):
                    equal[word] ^= chosen[word] & ones


@kernel
def join_products(
    high: Planes, opened: Planes, masks: Planes, gates: Planes, ones: np.uint64, out: Planes
) -> None:
    """Write one tree node: less, and equal where a second gate is given.

    Args:
        high: this server's shares of the higher node: less, equal, [2, words].
        opened: opened operands xor masks: eq_high first, [1 + gates, words].
        masks: this server's shares of the masks, same shape.
        gates: this server's shares of the mask products, [1 or 2, words].
        ones: all ones at the server that adds the public product, else zero.
        out: less, equal, [2, words]; equal is zero where there is no gate for it.
    """
    for word in range(out.shape[1]):
        left, mask = opened[0, word], masks[0, word]
        # (m ^ left_public) & right_public and the rest of Beaver's sum share their factors.
        factor = mask ^ (left & ones)
        value = gates[0, word] ^ (left & masks[1, word]) ^ (opened[1, word] & factor)
        out[0, word] = value ^ high[0, word]
    if gates.shape[0] == 1:
        out[1, :] = 0
        return
    for word in range(out.shape[1]):
        left, mask = opened[0, word], masks[0, word]
        factor = mask ^ (left & ones)
        out[1, word] = gates[1, word] ^ (left & masks[2, word]) ^ (opened[2, word] & factor)
