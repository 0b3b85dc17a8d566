from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.features.block_dct import analysis_operators, dct_basis
from protocol.features.fusion import JFIF, plane_mixing
from protocol.features.pipeline import exact_coefficients

Literal = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


def unfused(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return exact_coefficients(picture, plane_mixing("none"), 189).reshape(3, 63, 112, 112)


def test_the_basis_is_orthonormal() -> None:
    np.testing.assert_allclose(dct_basis() @ dct_basis().T, np.eye(8), atol=1e-14)


def test_operators_touch_only_the_neighbouring_lines() -> None:
    frequency, row, column = np.nonzero(analysis_operators())
    assert (abs(row - column) <= 1).all()
    assert set(frequency) == set(range(8))


def test_operators_give_the_coefficients_of_a_plane(pictures: NDArray[np.uint8]) -> None:
    operators = analysis_operators()
    luminance = pictures[0] @ JFIF[0, :3] + JFIF[0, 3]
    expected = operators[3] @ luminance @ operators[5].T
    np.testing.assert_allclose(unfused(pictures[0])[0, 8 * 3 + 5 - 1], expected, atol=1e-3)


def test_channels_are_row_major_without_the_first() -> None:
    ramp = np.broadcast_to(np.arange(112, dtype=np.uint8)[:, None, None], (112, 112, 3))
    energy = abs(unfused(ramp)[0]).mean((1, 2))
    vertical = [8 * u - 1 for u in range(1, 8)]
    assert energy[vertical[0]] == energy.max() > 1
    assert np.delete(energy, vertical).max() < 1e-4


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_even_picture_has_nothing_but_its_mean(value: int) -> None:
    even = np.full((112, 112, 3), value, dtype=np.uint8)
    assert abs(unfused(even)).max() < 1e-3


def test_the_fast_form_equals_the_literal_pipeline(literal: Literal) -> None:
    random = np.random.default_rng(2).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    fast = np.stack([unfused(picture) for picture in random])
    assert abs(fast - literal(random)).max() <= 1e-3


@pytest.mark.data
def test_the_fast_form_equals_the_literal_pipeline_on_faces(
    real_faces: NDArray[np.uint8], literal: Literal
) -> None:
    fast = np.stack([unfused(picture) for picture in real_faces])
    assert abs(fast - literal(real_faces)).max() <= 1e-3
