"""Normal matrices against the dense operators they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from parties.adversary.block_normal import adjoint_of, apply_normal, normal_matrices
from protocol.features.block_dct import analysis_operators


@pytest.fixture(scope="module")
def coefficients() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes [2,112,112], weights [64,112,112] and the weighted coefficients [2,64,112,112]."""
    rng = np.random.default_rng(3)
    planes = rng.standard_normal((2, 112, 112)).astype(np.float32)
    weights = rng.random((64, 112, 112)).astype(np.float32)
    dense = analysis_operators()
    found = np.einsum("uij,tjk,vlk->tuvil", dense, planes, dense, optimize=True)
    return planes, weights, (found.reshape(2, 64, 112, 112) * weights).astype(np.float32)


def adjoint(weighted: np.ndarray) -> np.ndarray:
    dense, grid = analysis_operators(), weighted.reshape(2, 8, 8, 112, 112)
    return np.asarray(np.einsum("uij,tuvil,vlk->tjk", dense, grid, dense, optimize=True))


def test_the_adjoint_is_that_of_the_dense_operators(
    coefficients: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    weighted = coefficients[2]
    np.testing.assert_allclose(adjoint_of(weighted), adjoint(weighted), atol=1e-4)


def test_normal_matrices_weigh_every_coefficient(
    coefficients: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    planes, weights, weighted = coefficients
    found = apply_normal(normal_matrices(weights), planes)
    np.testing.assert_allclose(found, adjoint(weighted), atol=1e-4)


def test_an_element_that_was_not_sent_has_no_say(
    coefficients: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    planes, weights, _ = coefficients
    nothing = np.zeros_like(weights)
    nothing[:, 40, 50] = weights[:, 40, 50]
    found = apply_normal(normal_matrices(nothing), planes)
    assert np.flatnonzero(found.any(axis=(0, 2))).tolist() == [39, 40, 41]
    assert np.flatnonzero(found.any(axis=(0, 1))).tolist() == [49, 50, 51]
