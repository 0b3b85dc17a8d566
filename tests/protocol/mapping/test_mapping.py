"""Keys, polynomials, their linear form, and mapped rows in the ring."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.mapping import KeyRing, MappingKey, MappingSpec, PlainForm, open_form
from protocol.mapping.keys import key_space
from protocol.mapping.polyprotect import protect, windows
from protocol.mapping.power_features import fold, key_statistics, mapped_row, power_features
from protocol.sharing.prg import keyed_random_bytes

SPEC = MappingSpec(kind="polyprotect")


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    """Return random unit vectors."""
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def fresh_key(spec: MappingSpec = SPEC) -> MappingKey:
    """Return a key from the operating system's randomness."""
    return KeyRing(spec, os.urandom).issue("someone")


@pytest.mark.parametrize(
    ("length", "terms", "counts"),
    [(512, 5, [103, 128, 170, 255, 508]), (512, 7, [74, 86, 102, 128, 170, 254, 506])],
)
def test_template_lengths_equal_the_published_table(
    length: int, terms: int, counts: list[int]
) -> None:
    assert [windows(length, terms, overlap) for overlap in range(terms)] == counts


def test_windows_by_hand() -> None:
    key = MappingKey((2, -3, 5), (2, 1, 3))
    embedding = np.array([0.5, -1.0, 2.0, 3.0, 0.25])
    by_hand = [
        2 * 0.5**2 - 3 * -1.0 + 5 * 2.0**3,
        2 * 2.0**2 - 3 * 3.0 + 5 * 0.25**3,
    ]
    assert protect(embedding, key, 1).tolist() == by_hand
    padded = 2 * 3.0**2 - 3 * 0.25
    assert protect(embedding, key, 0).tolist() == [by_hand[0], padded]


def test_an_embedding_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="fewer"):
        protect(np.ones(4), fresh_key(), 2)


@given(st.integers(2, 7), st.integers(0, 6), st.integers(7, 40), st.integers(0, 2**32 - 1))
def test_the_linear_form_equals_the_direct_computation(
    terms: int, overlap: int, length: int, seed: int
) -> None:
    spec = MappingSpec(kind="polyprotect", terms=terms, overlap=overlap % terms)
    key = KeyRing(spec, keyed_random_bytes(bytes(32), str(seed))).issue("someone")
    probe = unit_vectors(1, length, seed)[0]
    weights = np.random.default_rng(seed).standard_normal(windows(length, terms, spec.overlap))
    direct = float(protect(probe, key, spec.overlap) @ weights)
    folded = fold(key, weights, length, spec.overlap)
    linear = float((power_features(probe, terms) * folded).sum())
    assert linear == pytest.approx(direct, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("centred", [True, False])
def test_a_row_scores_the_centred_cosine_with_the_keys_mean_norm(centred: bool) -> None:
    cohort, (probe, enrolled) = unit_vectors(50, 64, 1), unit_vectors(2, 64, 2)
    key = fresh_key()
    statistics = key_statistics(key, cohort, 2, centred=centred)
    row = mapped_row(enrolled, key, statistics, 2)
    mean = protect(cohort, key, 2).mean(axis=0) if centred else 0.0
    template = protect(enrolled, key, 2) - mean
    direct = (protect(probe, key, 2) - mean) @ template / np.linalg.norm(template)
    expected = direct / np.linalg.norm(protect(cohort, key, 2) - mean, axis=1).mean()
    assert float((power_features(probe, 5) * row).sum()) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20)
@given(st.sampled_from([(16, 127), (32, 16384)]), st.integers(0, 4), st.booleans())
def test_mapped_scores_are_close_and_cannot_wrap(
    ring: tuple[int, int], overlap: int, centred: bool
) -> None:
    bits, scale = ring
    spec = MappingSpec(kind="polyprotect", overlap=overlap, centred=centred)
    cohort, people = unit_vectors(40, 32, 3), unit_vectors(6, 32, 4)
    form = open_form(spec, 32, bits, scale, cohort)
    keys = KeyRing(spec, os.urandom)
    issued = [keys.issue(str(index)) for index in range(len(people))]
    rows = np.stack([form.map_row(unit, key) for unit, key in zip(people, issued, strict=True)])
    probes = form.map_probe(people)
    assert rows.shape == probes.shape == (6, form.dimension)
    scores = probes.astype(np.int64) @ rows.astype(np.int64).T
    assert np.abs(scores).max() <= scale * scale < 2 ** (bits - 2)
    statistics = [key_statistics(key, cohort, overlap, centred=centred) for key in issued]
    for column, (unit, key, seen) in enumerate(zip(people, issued, statistics, strict=True)):
        real = (power_features(people, 5) * mapped_row(unit, key, seen, overlap)).sum(axis=(1, 2))
        shrunk = np.linalg.norm(rows[column]) >= scale - 1
        if not shrunk:
            allowed = 0.08 if bits == 16 else 0.002
            assert np.abs(scores[:, column] / form.score_unit - real).max() < allowed


def test_a_mapped_row_needs_a_key_and_a_cohort() -> None:
    form = open_form(SPEC, 32, 32, 16384, unit_vectors(10, 32, 0))
    with pytest.raises(LocalProtocolError, match="key"):
        form.map_row(unit_vectors(1, 32, 0)[0], None)
    with pytest.raises(ScenarioError, match="cohort"):
        open_form(SPEC, 32, 32, 16384, None)


def test_the_plain_form_quantises_and_scales_thresholds() -> None:
    form = open_form(MappingSpec(), 8, 16, 127, None)
    assert isinstance(form, PlainForm)
    unit = unit_vectors(1, 8, 5)[0]
    row = form.map_row(unit, None)
    assert int((row.astype(np.int64) ** 2).sum()) <= 127**2
    assert np.array_equal(form.map_probe(unit[None])[0], row)
    assert form.ring_threshold(0.5) == 8065
    with pytest.raises(ScenarioError, match="does not fit"):
        open_form(MappingSpec(), 8, 16, 181, None)


def test_keys_are_well_formed_unique_and_never_come_back() -> None:
    keys = KeyRing(SPEC, os.urandom)
    seen = {keys.issue(str(index)) for index in range(300)}
    assert len(seen) == 300
    for key in seen:
        assert 0 not in key.coefficients
        assert len(set(key.coefficients)) == 5
        assert max(map(abs, key.coefficients)) <= 50
        assert sorted(key.exponents) == [1, 2, 3, 4, 5]
    old = keys.key_of("7")
    with pytest.raises(LocalProtocolError, match="has a key"):
        keys.issue("7")
    keys.revoke("7")
    with pytest.raises(LocalProtocolError, match="no key"):
        keys.key_of("7")
    assert keys.issue("7") not in seen
    assert keys.key_of("7") != old


def test_coefficients_are_drawn_without_bias() -> None:
    spec = MappingSpec(kind="polyprotect", terms=2, overlap=0, coefficient_limit=3)
    draw = keyed_random_bytes(bytes(32), "bias")
    drawn = [KeyRing(spec, draw).issue("someone") for _ in range(6000)]
    counts = Counter(key.coefficients for key in drawn)
    assert len(counts) == 30
    chi_square = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert chi_square < 64.0  # 29 degrees of freedom: probability 2e-4
    orders = Counter(key.exponents for key in drawn)
    assert abs(orders[1, 2] - 3000) < 150


def test_a_ring_larger_than_the_key_space_is_refused() -> None:
    spec = MappingSpec(kind="polyprotect", terms=2, overlap=0, coefficient_limit=1)
    assert key_space(spec) == 4
    keys = KeyRing(spec, os.urandom)
    keys.issue("one")
    keys.issue("two")
    with pytest.raises(ScenarioError, match="used up"):
        keys.issue("three")


@pytest.mark.parametrize(
    ("coefficients", "exponents"),
    [((1, 1), (1, 2)), ((0, 1), (1, 2)), ((1, 2), (1, 1)), ((1, 2), (1, 2, 3))],
)
def test_malformed_keys_are_refused(
    coefficients: tuple[int, ...], exponents: tuple[int, ...]
) -> None:
    with pytest.raises(LocalProtocolError, match="distinct"):
        MappingKey(coefficients, exponents)


def test_keys_do_not_print_themselves() -> None:
    key = fresh_key()
    assert str(key.coefficients[0]) not in repr(key)
    assert repr(key) == "MappingKey(<secret>)"
