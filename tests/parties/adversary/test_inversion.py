from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from parties.adversary.inversion import (
    best_linear_estimate,
    degree_one_estimate,
    solve_for_template,
)
from protocol.mapping import KeyRing, MappingSpec, PolynomialKey
from protocol.mapping.polyprotect import protect


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def test_a_linear_map_of_full_rank_is_inverted() -> None:
    cohort, target = unit_vectors(400, 12, 1), unit_vectors(1, 12, 2)[0]
    operator = np.random.default_rng(3).standard_normal((12, 15))
    found = best_linear_estimate(target @ operator, cohort @ operator, cohort)
    assert found @ target > 0.99


def test_a_subspace_gives_away_its_share_of_an_isotropic_embedding() -> None:
    cohort, targets = unit_vectors(2000, 64, 4), unit_vectors(40, 64, 5)
    axes = np.linalg.qr(np.random.default_rng(6).standard_normal((64, 16)))[0]
    cosines = [best_linear_estimate(unit @ axes, cohort @ axes, cohort) @ unit for unit in targets]
    assert np.mean(cosines) == pytest.approx(np.sqrt(16 / 64), abs=0.05)


def test_the_degree_one_term_gives_polyprotect_away() -> None:
    spec = MappingSpec(kind="polyprotect", overlap=2)
    ring, cosines = KeyRing(spec, os.urandom), []
    for index, unit in enumerate(unit_vectors(30, 128, 7)):
        key = ring.issue(str(index))
        assert isinstance(key, PolynomialKey)
        cosines.append(degree_one_estimate(protect(unit, key, 2), key, 2, 128) @ unit)
    assert 0.45 < np.mean(cosines) < 0.62  # method reference, section 6.2


def test_the_solver_inverts_what_has_one_solution() -> None:
    target, starts = unit_vectors(1, 6, 8)[0], unit_vectors(3, 6, 9)
    operator = torch.from_numpy(np.random.default_rng(10).standard_normal((6, 20)))
    template = (torch.from_numpy(target)[None] @ operator).numpy()[0]
    found = solve_for_template(template, lambda units: units @ operator, starts)
    assert found @ target > 0.999
