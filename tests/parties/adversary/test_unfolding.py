from __future__ import annotations

import numpy as np
import pytest

from parties.adversary.sign_search import block_products, likely_signs
from parties.adversary.unfolding import blocks_of_features, unfold, whitened_blocks
from protocol.mapping.folding import Fold


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def signs_of(blocks: list[np.ndarray], known: list[np.ndarray], kappa: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(likely_signs(block_products([blocks], known), kappa, rng))


@pytest.mark.parametrize("width", [4, 2, 1])  # 8 and 16 blocks: all patterns; 32: a search
def test_sign_search_finds_a_member_of_the_cohort_and_nothing_else(width: int) -> None:
    rng = np.random.default_rng(11)
    cohort, starts = unit_vectors(300, 32, 12), range(0, 32, width)
    parts = [cohort[:, start : start + width] for start in starts]
    signs = rng.choice((-1.0, 1.0), len(parts))
    known = [sign * part[17] for sign, part in zip(signs, parts, strict=True)]
    assert np.array_equal(signs_of(known, parts, 20.0), signs)
    right = []
    for unit in unit_vectors(30, 32, 13):
        hidden = rng.choice((-1.0, 1.0), len(parts))
        blocks = [
            sign * unit[start : start + width] for sign, start in zip(hidden, starts, strict=True)
        ]
        right.append(np.mean(signs_of(blocks, parts, 10.0) == hidden))
    assert np.mean(right) == pytest.approx(0.5, abs=0.12)  # an isotropic cohort tells no signs


def test_all_patterns_are_at_least_as_plausible_as_what_a_search_finds() -> None:
    cohort, unit = unit_vectors(200, 20, 3), unit_vectors(1, 20, 4)[0]
    parts = [cohort[:, start : start + 4] for start in range(0, 20, 4)]
    blocks = [unit[start : start + 4] for start in range(0, 20, 4)]
    products = block_products([blocks], parts)[0]

    def density(signs: np.ndarray) -> float:
        return float(np.log(np.exp(10.0 * signs @ products).sum()))

    found = density(signs_of(blocks, parts, 10.0))
    bits = (np.arange(32)[:, None] >> np.arange(5)) & 1
    assert found >= max(density(pattern) for pattern in 1.0 - 2.0 * bits) - 1e-4


def test_a_second_record_is_flipped_like_the_first() -> None:
    cohort = unit_vectors(100, 16, 5)
    parts = [cohort[:, :8], cohort[:, 8:]]
    one = [cohort[3, :8], cohort[3, 8:]]
    two = [-cohort[3, :8], cohort[3, 8:]]
    products = block_products([one, two], parts)
    assert products.shape == (2, 2, 100)
    assert np.array_equal(products[0], products[1])


def test_blocks_are_read_from_features_up_to_their_signs() -> None:
    fold, units = Fold(unit_vectors(400, 24, 6), 4, 1.0), unit_vectors(20, 24, 7)
    for unit in units:
        blocks = whitened_blocks(unit, fold)
        # Features are the raw ones at length one; this is the length they had.
        raw = fold._raw(fold.whiten(unit)) - fold.mean
        exact = fold.features(unit) * (np.linalg.norm(raw) / fold.spread)
        for read, block in zip(blocks_of_features(exact, fold), blocks, strict=True):
            assert abs(read @ block) == pytest.approx(block @ block)
        for read, block in zip(blocks_of_features(fold.features(unit), fold), blocks, strict=True):
            lengths = np.linalg.norm(read) * np.linalg.norm(block)
            assert abs(read @ block) > 0.8 * lengths


def test_a_known_person_is_unfolded_from_features() -> None:
    cohort = unit_vectors(200, 24, 8)
    fold = Fold(cohort, 4, 1.0)
    known = whitened_blocks(cohort, fold)
    read = blocks_of_features(fold.features(cohort[9]), fold)
    guess = unfold([read], known, fold, 20.0, np.random.default_rng(1))
    assert guess @ cohort[9] > 0.8
