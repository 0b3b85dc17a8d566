"""Keys, polynomials, their linear form, and mapped rows in the ring."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError, ScenarioError
from protocol.mapping import (
    KeyRing,
    MappedForm,
    MappingKey,
    MappingSpec,
    PlainForm,
    PolynomialKey,
    open_form,
)
from protocol.mapping.keys import key_space
from protocol.mapping.polyprotect import powers, protect, windows
from protocol.mapping.power_features import PublicCohort, fold, fold_energy
from protocol.sharing.prg import keyed_random_bytes

SPEC = MappingSpec(kind="polyprotect")


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    """Return random unit vectors."""
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def fresh_key(spec: MappingSpec = SPEC) -> PolynomialKey:
    """Return a key from the operating system's randomness."""
    return polynomial(KeyRing(spec, os.urandom).issue("someone"))


def polynomial(key: MappingKey) -> PolynomialKey:
    """Return a key of which the test knows that it is a polynomial one."""
    assert isinstance(key, PolynomialKey)
    return key


@pytest.mark.parametrize(
    ("length", "terms", "counts"),
    [(512, 5, [103, 128, 170, 255, 508]), (512, 7, [74, 86, 102, 128, 170, 254, 506])],
)
def test_template_lengths_equal_the_published_table(
    length: int, terms: int, counts: list[int]
) -> None:
    assert [windows(length, terms, overlap) for overlap in range(terms)] == counts


def test_windows_by_hand() -> None:
    key = PolynomialKey((2, -3, 5), (2, 1, 3))
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


def draw_case(terms: int, overlap: int, length: int, seed: int) -> tuple[PolynomialKey, np.ndarray]:
    """Return a key and one unit vector."""
    spec = MappingSpec(kind="polyprotect", terms=terms, overlap=overlap)
    key = KeyRing(spec, keyed_random_bytes(bytes(32), str(seed))).issue("someone")
    return polynomial(key), unit_vectors(1, length, seed)[0]


cases = given(st.integers(2, 7), st.integers(0, 6), st.integers(7, 40), st.integers(0, 2**32 - 1))


@settings(max_examples=40, deadline=None)
@cases
def test_windows_equal_the_defining_sum(terms: int, overlap: int, length: int, seed: int) -> None:
    key, probe = draw_case(terms, overlap % terms, length, seed)
    padded = [*probe, *[0.0] * terms]
    step = terms - overlap % terms
    literal = [
        sum(
            c * padded[start + i] ** e
            for i, (c, e) in enumerate(zip(key.coefficients, key.exponents, strict=True))
        )
        for start in range(0, step * windows(length, terms, overlap % terms), step)
    ]
    np.testing.assert_allclose(protect(probe, key, overlap % terms), literal, rtol=1e-10, atol=1e-9)


@settings(max_examples=40, deadline=None)
@cases
def test_the_linear_form_equals_the_direct_computation(
    terms: int, overlap: int, length: int, seed: int
) -> None:
    key, probe = draw_case(terms, overlap % terms, length, seed)
    weights = np.random.default_rng(seed).standard_normal(windows(length, terms, overlap % terms))
    mapped = protect(probe, key, overlap % terms)
    linear = float((powers(probe, terms) * fold(key, weights, length, overlap % terms)).sum())
    size = float(np.abs(mapped) @ np.abs(weights))
    assert linear == pytest.approx(float(mapped @ weights), rel=1e-10, abs=1e-10 * size)


@settings(max_examples=40, deadline=None)
@cases
def test_the_energy_form_equals_the_sum_of_separate_squares(
    terms: int, overlap: int, length: int, seed: int
) -> None:
    key, probe = draw_case(terms, overlap % terms, length, seed)
    centre = np.random.default_rng(seed).normal(0.0, 0.1, (terms, length))
    step = terms - overlap % terms

    def energy(raised: np.ndarray) -> float:
        total = 0.0
        for i, (c, e) in enumerate(zip(key.coefficients, key.exponents, strict=True)):
            if 2 * e <= terms:
                count = windows(length, terms, overlap % terms)
                read = (raised - centre)[e - 1, i : i + step * count : step]
                total += float(c * c * (read**2).sum())
        return total

    form = fold_energy(key, centre, overlap % terms)
    zero = powers(np.zeros(length), terms)
    linear = float((powers(probe, terms) * form).sum())
    assert linear == pytest.approx(energy(powers(probe, terms)) - energy(zero), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("centred", [True, False])
def test_a_row_scores_the_centred_cosine_with_the_keys_mean_norm(
    centred: bool, overlap: int
) -> None:
    cohort, (probe, enrolled) = unit_vectors(50, 64, 1), unit_vectors(2, 64, 2)
    key = fresh_key()
    public = PublicCohort(cohort, 5, overlap, centred=centred)
    row = public.keyed_row(enrolled, key)
    mean = protect(cohort, key, overlap).mean(axis=0) if centred else 0.0
    template = protect(enrolled, key, overlap) - mean
    direct = (protect(probe, key, overlap) - mean) @ template / np.linalg.norm(template)
    norms = np.linalg.norm(protect(cohort, key, overlap) - mean, axis=1)
    numerator = float((public.centred_features(probe) * row.numerator).sum()) + row.offset
    assert numerator == pytest.approx(direct / norms.mean(), rel=1e-9)
    others = (protect(cohort, key, overlap) - mean) @ template / np.linalg.norm(template) / norms
    np.testing.assert_allclose(row.impostors, others, rtol=1e-9, atol=1e-12)
    assert not centred or abs(row.offset) < 1e-12


def test_the_energy_of_a_row_follows_the_probes_norm() -> None:
    cohort, probes, enrolled = (
        unit_vectors(size, 128, seed) for size, seed in ((200, 1), (400, 2), (1, 3))
    )
    public = PublicCohort(cohort, 5, 2, centred=True)
    key = PolynomialKey((40, -25, 17, 8, -3), (1, 2, 3, 4, 5))
    mean = protect(cohort, key, 2).mean(axis=0)
    norms = np.linalg.norm(protect(probes, key, 2) - mean, axis=1)
    typical = np.linalg.norm(protect(cohort, key, 2) - mean, axis=1).mean()
    row = public.keyed_row(enrolled[0], key)
    estimate = (public.centred_features(probes) * row.energy).sum(axis=(1, 2))
    residual = norms / typical - 1.0 - estimate
    assert residual.std() < 0.5 * (norms / typical).std()


def mapped_case(bits: int, overlap: int, centred: bool) -> tuple[MappedForm, np.ndarray, KeyRing]:
    """Return a form for 32 entries, six people and a key ring."""
    spec = MappingSpec(kind="polyprotect", overlap=overlap, centred=centred)
    form = open_form(spec, 32, bits, 127 if bits == 16 else 16384, unit_vectors(40, 32, 3))
    assert isinstance(form, MappedForm)
    return form, unit_vectors(6, 32, 4), KeyRing(spec, os.urandom)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([16, 32]), st.integers(0, 4), st.booleans())
def test_mapped_scores_are_close_and_cannot_wrap(bits: int, overlap: int, centred: bool) -> None:
    form, people, keys = mapped_case(bits, overlap, centred)
    issued = [keys.issue(str(index)) for index in range(len(people))]
    rows = np.stack([form.map_row(unit, key) for unit, key in zip(people, issued, strict=True)])
    probes = form.map_probe(people)
    assert rows.shape == probes.shape == (6, form.dimension) == (6, 160 + (not centred))
    norms = [(side.astype(np.int64) ** 2).sum(axis=1) for side in (rows, probes)]
    assert max(sizes.max() for sizes in norms) <= form.max_abs_score < 2 ** (bits - 2)
    scores = probes.astype(np.int64) @ rows.astype(np.int64).T
    # Each side is within one unit of its real vector in every entry: Cauchy-Schwarz.
    allowed = 2.2 * np.sqrt(form.max_abs_score * form.dimension) / form.score_unit
    kept = np.ix_(*[size < 0.97 * form.max_abs_score for size in norms[::-1]])
    real = [form.real_scores(people, unit, key) for unit, key in zip(people, issued, strict=True)]
    assert np.abs(scores / form.score_unit - np.stack(real, axis=1))[kept].max(initial=0) < allowed


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_extreme_probes_cannot_wrap(scale: float) -> None:
    form, people, keys = mapped_case(16, 2, True)
    row = form.map_row(people[0], keys.issue("someone")).astype(np.int64)
    assert np.abs(form.map_probe(people * scale).astype(np.int64) @ row).max() <= 127**2


def test_at_the_anchor_a_score_is_the_cosine() -> None:
    cohort, probes = unit_vectors(200, 128, 3), unit_vectors(2, 128, 4)
    form = open_form(SPEC, 128, 32, 16384, cohort)
    assert isinstance(form, MappedForm)
    key = PolynomialKey((40, -25, 17, 8, -3), (1, 2, 3, 4, 5))
    blend = np.linspace(0.0, 1.0, 400)[:, None]
    between = blend * probes[0] + (1.0 - blend) * probes[1]
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    mean = protect(cohort, key, 2).mean(axis=0)
    mapped, template = protect(between, key, 2) - mean, protect(probes[0], key, 2) - mean
    cosines = mapped @ template / np.linalg.norm(mapped, axis=1) / np.linalg.norm(template)
    nearest = int(np.abs(cosines - form.anchor).argmin())
    scores = form.real_scores(between, probes[0], key)
    assert scores[nearest] == pytest.approx(form.anchor, abs=0.06)
    assert np.corrcoef(scores, cosines)[0, 1] > 0.98


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
    for key in map(polynomial, seen):
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
    drawn = [polynomial(KeyRing(spec, draw).issue("someone")) for _ in range(6000)]
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
        PolynomialKey(coefficients, exponents)


def test_keys_do_not_print_themselves() -> None:
    key = fresh_key()
    assert str(key.coefficients[0]) not in repr(key)
    assert repr(key) == "MappingKey(<secret>)"


def test_a_revoked_key_is_kept_by_its_digest_alone() -> None:
    ring = KeyRing(
        MappingSpec(kind="polyprotect", terms=2, overlap=1, coefficient_limit=2), os.urandom
    )
    key = ring.issue("someone")
    ring.revoke("someone")
    kept = repr([vars(ring), *(list(value) for value in (ring._active, ring._issued))])
    assert key.digest() in ring._issued
    assert not any(isinstance(held, MappingKey) for held in (*ring._issued, *ring._active.values()))
    assert repr(key.secret()) not in kept
    others = [ring.issue(str(number)) for number in range(ring.capacity - 1)]
    assert key not in others
