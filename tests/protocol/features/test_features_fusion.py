from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from protocol.features.fusion import plane_mixing
from protocol.features.pipeline import exact_coefficients, fused_line

Literal = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


def largest_of(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    winner = abs(coefficients).argmax(0)[None]
    return np.asarray(np.take_along_axis(coefficients, winner, 0)[0])


def fused_maxabs(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return exact_coefficients(picture, plane_mixing("maxabs"), 63)


def check_maxabs(picture: NDArray[np.uint8], planes: NDArray[np.float64]) -> None:
    fused, expected = fused_maxabs(picture), largest_of(planes)
    assert abs(abs(fused) - abs(expected)).max() <= 1e-3
    # Two planes may tie to within rounding with opposite signs; then either sign is right.
    second, first = np.sort(abs(planes), axis=0)[1:]
    wrong = abs(fused - expected) > 1e-3
    assert not wrong[first - second > 2e-4].any()
    assert wrong.mean() < 1e-5


def test_maxabs_keeps_the_largest_with_its_sign(
    pictures: NDArray[np.uint8], literal: Literal
) -> None:
    planes = literal(pictures[:1])[0]
    check_maxabs(pictures[0], planes)
    assert (fused_maxabs(pictures[0]) < -1).any()
    assert len(np.unique(abs(planes).argmax(0))) == 3


@pytest.mark.data
def test_maxabs_on_faces(real_faces: NDArray[np.uint8], literal: Literal) -> None:
    for picture, planes in zip(real_faces, literal(real_faces), strict=True):
        check_maxabs(picture, planes)


@pytest.mark.parametrize("winner", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_first_plane_wins_a_tie(winner: int, sign: int) -> None:
    zero = np.zeros((3, 8, 112), dtype=np.float32)
    here = zero.copy()
    here[:winner] = 1
    here[winner] = 2 * sign
    here[winner + 1 :] = -2 * sign
    taps = np.ones((8, 3), dtype=np.float32)
    output = np.empty((63, 112), dtype=np.float32)
    cast("Any", fused_line).py_func(zero, here, zero, taps, output)
    assert (output == 2 * sign).all()


@pytest.mark.parametrize("fusion", ["y_only", "mean", "sum"])
def test_linear_ablations(fusion: Any, pictures: NDArray[np.uint8], literal: Literal) -> None:
    planes = literal(pictures[:1])[0]
    expected = {"y_only": planes[0], "mean": planes.mean(0), "sum": planes.sum(0)}[fusion]
    fused = exact_coefficients(pictures[0], plane_mixing(fusion), 63)
    assert abs(fused - expected).max() <= 1e-3
