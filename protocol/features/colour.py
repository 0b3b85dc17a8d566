"""Colour descriptors: local binary patterns and their multichannel recodings.

Bit n of a pattern is 1 where neighbour n is at least the centre, at radius 1; neighbours are
numbered clockwise from the top left. Outside the picture the edge pixels are repeated. The
decoder maps are a lossless recoding of the three patterns: they hide nothing that the patterns
show, and the patterns alone show the face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.features.spec import EDGE

if TYPE_CHECKING:
    from numpy import integer, uint8
    from numpy.typing import NDArray

    from protocol.features.spec import Colour

__all__ = ["describe", "patterns", "recode", "undo_dlbp"]

_NEIGHBOURS: Final = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def patterns(pictures: NDArray[uint8], colour: Colour) -> NDArray[uint8]:
    """Return the local binary patterns that `colour` is made of, uint8 [B,0|1|3,112,112]."""
    if colour == "none":
        return np.zeros((len(pictures), 0, EDGE, EDGE), dtype=np.uint8)
    if colour == "lbp_y":
        # Integer luminance: no rounding can tip a comparison.
        weights = np.array([299, 587, 114], dtype=np.int32)
        return _binary_patterns((pictures @ weights)[:, None])
    return _binary_patterns(pictures.transpose(0, 3, 1, 2))


def recode(codes: NDArray[uint8], colour: Colour) -> NDArray[uint8]:
    """Turn patterns [B,P,112,112] into the maps that are sent, uint8 [B,c,112,112]."""
    if colour == "dlbp":
        return _decoder_maps(codes)
    if colour == "malbp":
        return _adder_maps(codes)
    return codes


def describe(pictures: NDArray[uint8], colour: Colour) -> NDArray[uint8]:
    """Return the noiseless colour maps of pictures [B,112,112,3], uint8 [B,c,112,112]."""
    return recode(patterns(pictures, colour), colour)


def undo_dlbp(maps: NDArray[uint8]) -> NDArray[uint8]:
    """Recover the three patterns [B,3,112,112] from the eight decoder maps [B,8,112,112]."""
    planes = [_any_of(maps, [tau for tau in range(8) if tau & weight]) for weight in (4, 2, 1)]
    return np.stack(planes, axis=1)


def _any_of(maps: NDArray[uint8], chosen: list[int]) -> NDArray[uint8]:
    return np.asarray(np.bitwise_or.reduce(maps[:, chosen], axis=1))


def _binary_patterns(planes: NDArray[integer]) -> NDArray[uint8]:
    """Return the patterns of planes [B,P,112,112]."""
    centre = np.ascontiguousarray(planes)
    padded = np.pad(centre, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    codes = np.zeros(centre.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_NEIGHBOURS):
        neighbour = padded[:, :, row : row + EDGE, column : column + EDGE]
        codes |= (neighbour >= centre).view(np.uint8) << np.uint8(bit)
    return codes


def _decoder_maps(codes: NDArray[uint8]) -> NDArray[uint8]:
    """Map tau holds the bits where (R, G, B) read as a binary number equal tau."""
    maps = np.empty((len(codes), 8, EDGE, EDGE), dtype=np.uint8)
    signed = [(~codes[:, plane], codes[:, plane]) for plane in range(3)]
    for tau in range(8):
        red, green, blue = (signed[plane][(tau >> (2 - plane)) & 1] for plane in range(3))
        maps[:, tau] = red & green & blue
    return maps


def _adder_maps(codes: NDArray[uint8]) -> NDArray[uint8]:
    """Map a holds the bits that are set in exactly a of the three patterns."""
    red, green, blue = codes[:, 0], codes[:, 1], codes[:, 2]
    odd, all_set = red ^ green ^ blue, red & green & blue
    any_set = red | green | blue
    return np.stack([~any_set, odd & ~all_set, any_set & ~odd, all_set], axis=1)
