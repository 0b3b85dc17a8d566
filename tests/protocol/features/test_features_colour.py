from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.features.colour import describe, patterns, recode, undo_dlbp

CLOCKWISE = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]


def naive_pattern(plane: NDArray[np.integer], row: int, column: int) -> int:
    code = 0
    for bit, (down, right) in enumerate(CLOCKWISE):
        y, x = np.clip(row + down, 0, 111), np.clip(column + right, 0, 111)
        code |= int(plane[y, x] >= plane[row, column]) << bit
    return code


@pytest.mark.parametrize("place", [(0, 0), (0, 50), (111, 111), (60, 111), (33, 44), (1, 1)])
def test_patterns_equal_the_definition(place: tuple[int, int], pictures: NDArray[np.uint8]) -> None:
    codes = patterns(pictures[:1], "lbp_rgb")[0]
    for plane in range(3):
        assert codes[(plane, *place)] == naive_pattern(pictures[0, :, :, plane], *place)


def test_grey_patterns_compare_luminance(pictures: NDArray[np.uint8]) -> None:
    luminance = pictures[0].astype(np.int64) @ [299, 587, 114]
    code = describe(pictures[:1], "lbp_y")[0, 0, 70, 20]
    assert code == naive_pattern(luminance, 70, 20)


def test_an_even_picture_sets_every_bit_even_at_the_border() -> None:
    even = np.full((1, 112, 112, 3), 90, dtype=np.uint8)
    assert (describe(even, "lbp_rgb") == 255).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_decoder_maps_lose_nothing(seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, (2, 3, 112, 112), dtype=np.uint8)
    maps = recode(codes, "dlbp")
    np.testing.assert_array_equal(undo_dlbp(maps), codes)
    assert (np.bitwise_count(maps).sum(1) == 8).all()


@pytest.mark.parametrize(("red", "green", "blue"), list(np.ndindex(2, 2, 2)))
def test_recodings_follow_their_truth_tables(red: int, green: int, blue: int) -> None:
    codes = np.zeros((1, 3, 112, 112), dtype=np.uint8)
    codes[0] = np.array([red, green, blue], dtype=np.uint8)[:, None, None] << 5
    decoder, adder = recode(codes, "dlbp")[0], recode(codes, "malbp")[0]
    word, total = 4 * red + 2 * green + blue, red + green + blue
    assert [bool(code & 32) for code in decoder[:, 0, 0]] == [tau == word for tau in range(8)]
    assert [bool(code & 32) for code in adder[:, 0, 0]] == [count == total for count in range(4)]


@pytest.mark.parametrize(
    ("colour", "channels"), [("none", 0), ("lbp_y", 1), ("lbp_rgb", 3), ("malbp", 4), ("dlbp", 8)]
)
def test_shapes(colour: str, channels: int, pictures: NDArray[np.uint8]) -> None:
    maps = describe(pictures[:2], colour)  # type: ignore[arg-type]
    assert maps.shape == (2, channels, 112, 112)
    assert maps.dtype == np.uint8
