from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.mapping import FoldedForm, KeyRing, MappingSpec, SeedKey, open_form
from protocol.mapping.folding import Fold
from protocol.mapping.keyed_projection import KeyedProjection
from protocol.sharing.prg import Seed

SPEC = MappingSpec(kind="folded")


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def blocks(white: np.ndarray, fold: Fold) -> list[np.ndarray]:
    return [white[:, start:stop] for start, stop in fold.blocks]


@pytest.mark.parametrize(("length", "count"), [(128, 8), (128, 9), (37, 5), (16, 16), (8, 1)])
def test_a_row_is_as_long_as_the_specification_says(length: int, count: int) -> None:
    fold = Fold(unit_vectors(400, length, 1), count, 1.0)
    spec = MappingSpec(kind="folded", blocks=count)
    assert fold.length == spec.row_length(length)
    assert len(fold.blocks) == count
    assert fold.blocks[-1][1] == length


def test_features_multiply_to_squared_products_of_blocks() -> None:
    cohort = unit_vectors(300, 24, 2)
    fold = Fold(cohort, 4, 0.5)
    white = fold.whiten(cohort[:20])
    expected = sum((part @ part.T) ** 2 for part in blocks(white, fold))
    raw = fold._raw(white)
    assert np.allclose(raw @ raw.T, expected, atol=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_signs_of_blocks_do_not_change_the_features(seed: int, count: int) -> None:
    fold = Fold(unit_vectors(200, 12, 3), count, 1.0)
    white = fold.whiten(unit_vectors(5, 12, seed))
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), count)
    flipped = np.concatenate(
        [sign * part for sign, part in zip(signs, blocks(white, fold), strict=True)], axis=1
    )
    assert np.allclose(fold._raw(white), fold._raw(flipped), atol=1e-12)


def test_full_whitening_leaves_a_white_cohort() -> None:
    cohort = unit_vectors(2000, 10, 4) * np.linspace(0.6, 2.0, 10)
    cohort /= np.linalg.norm(cohort, axis=1, keepdims=True)
    fold = Fold(cohort, 2, 0.0)
    white = (cohort - fold.centre) @ fold.whitener
    assert np.allclose(np.cov(white.T), np.eye(10), atol=1e-8)


def test_directions_that_hardly_vary_are_dropped() -> None:
    cohort = unit_vectors(500, 12, 5)
    cohort[:, 3] = 0.1
    assert Fold(cohort, 4, 1.0).blocks[-1][1] == 11
    with pytest.raises(LocalProtocolError, match="fewer directions"):
        Fold(cohort[:, 3:5], 2, 1.0)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 70), st.sampled_from([0.1, 0.5, 1.0]))
def test_a_keyed_projection_is_a_projection(seed: bytes, length: int, kept: float) -> None:
    projection = KeyedProjection(Seed(seed), length, kept)
    vectors = unit_vectors(4, length, 6)
    once = projection.project(vectors)
    assert once.shape[1] == max(1, round(kept * 2 ** int(np.ceil(np.log2(length)))))
    assert np.all(np.linalg.norm(once, axis=1) <= 1 + 1e-9)
    lifted = projection.lift(once)
    assert np.allclose(lifted @ vectors.T, once @ once.T, atol=1e-9)
    if kept == 1.0:
        assert np.allclose(lifted, vectors, atol=1e-9)


def test_templates_of_one_person_under_two_keys_look_unrelated() -> None:
    features = unit_vectors(40, 900, 7)
    one, two = (KeyedProjection(Seed.fresh(os.urandom), 900, 0.5) for _ in range(2))
    products = np.sum(one.project(features) * two.project(features), axis=1)
    assert np.abs(products).max() < 6 * 0.5 / np.sqrt(512)


def test_scores_of_the_ring_are_the_real_ones_rounded() -> None:
    cohort, people = unit_vectors(300, 64, 8), unit_vectors(12, 64, 9)
    for bits, scale, error in ((16, 127, 0.03), (32, 16384, 3e-4)):
        form = open_form(SPEC, 64, bits, scale, cohort)
        assert isinstance(form, FoldedForm)
        keys = KeyRing(SPEC, os.urandom)
        issued = [keys.issue(str(index)) for index in range(12)]
        rows = [form.map_row(unit, key) for unit, key in zip(people, issued, strict=True)]
        real = [form.real_row(unit, key) for unit, key in zip(people, issued, strict=True)]
        whole = form.map_probe(people).astype(np.int64) @ np.stack(rows).T.astype(np.int64)
        assert np.abs(whole).max() <= form.max_abs_score == scale * scale
        exact = form.fold.features(people) @ np.stack(real).T
        assert np.allclose(whole / form.score_unit, exact, atol=error)
        assert np.diag(exact).min() > np.sort(exact - np.diag(np.diag(exact)))[:, -1].max()
        assert form.ring_threshold(0.25) == int(np.ceil(0.25 * scale * scale))


def test_a_row_needs_a_key_of_its_own_kind() -> None:
    form = open_form(SPEC, 32, 32, 16384, unit_vectors(100, 32, 1))
    other = KeyRing(MappingSpec(kind="polyprotect"), os.urandom).issue("someone")
    for key in (None, other):
        with pytest.raises(LocalProtocolError, match="needs its identity's key"):
            form.map_row(unit_vectors(1, 32, 2)[0], key)
    mapped = open_form(MappingSpec(kind="polyprotect"), 32, 32, 16384, unit_vectors(100, 32, 1))
    with pytest.raises(LocalProtocolError, match="needs its identity's key"):
        mapped.map_row(unit_vectors(1, 32, 2)[0], KeyRing(SPEC, os.urandom).issue("someone"))
    with pytest.raises(LocalProtocolError, match="expected"):
        open_form(SPEC, 33, 32, 16384, unit_vectors(100, 32, 1))


def test_seed_keys_are_unique_and_never_printed() -> None:
    keys = KeyRing(SPEC, os.urandom)
    seen = {keys.issue(str(index)) for index in range(50)}
    assert len(seen) == 50
    assert keys.capacity == 2**255
    key = keys.key_of("3")
    assert isinstance(key, SeedKey)
    assert repr(key) == "MappingKey(<secret>)"
    assert repr(key.seed) == "Seed(<secret>)"


@pytest.mark.parametrize(
    ("field", "value"),
    [("blocks", 0), ("blocks", 65), ("whitening", -1.0), ("kept", 0.0), ("kept", 1.5)],
)
def test_impossible_parameters_name_their_field(field: str, value: float) -> None:
    with pytest.raises(ScenarioError, match=f"mapping.{field}"):
        MappingSpec(kind="folded", **{field: value})  # type: ignore[arg-type]
