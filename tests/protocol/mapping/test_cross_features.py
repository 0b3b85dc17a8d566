"""Cross features: the mixed products of a mapped probe's norm, and the rows that use them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.mapping import KeyRing, MappedForm, MappingSpec, PolynomialKey, open_form
from protocol.mapping.cross_features import CrossFeatures
from protocol.mapping.polyprotect import powers, protect
from protocol.mapping.power_features import PublicCohort
from protocol.mapping.spec import Norm, cross_pairs
from protocol.sharing.prg import keyed_random_bytes

NORMS: tuple[Norm, ...] = ("per_key", "linear", "quadratic")


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


@settings(max_examples=40)
@given(st.integers(1, 7), st.integers(0, 6), st.integers(7, 40), st.integers(0, 2**32 - 1))
def test_a_fold_sums_the_mixed_products_of_first_and_second_power(
    terms: int, overlap: int, length: int, seed: int
) -> None:
    overlap %= terms
    spec = MappingSpec(kind="polyprotect", terms=terms, overlap=overlap)
    key = KeyRing(spec, keyed_random_bytes(bytes(32), str(seed))).issue("someone")
    assert isinstance(key, PolynomialKey)
    features = CrossFeatures(length, terms, overlap)
    (probe,) = unit_vectors(1, length, seed)
    padded, by_hand, step = [*probe, *[0.0] * terms], 0.0, terms - overlap
    for start in range(0, length - terms + step, step):
        if terms > 1:
            one, two = key.exponents.index(1), key.exponents.index(2)
            product = key.coefficients[one] * key.coefficients[two]
            by_hand += 2 * product * padded[start + one] * padded[start + two] ** 2
    found = features.of(powers(probe, terms)) @ features.fold(key)
    assert found == pytest.approx(by_hand, rel=1e-9, abs=1e-9)
    assert features.length == cross_pairs(length, terms, overlap)
    assert features.length <= 2 * (terms - 1) * length


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("terms", [1, 5])
def test_the_spec_knows_how_long_rows_are(norm: Norm, centred: bool, terms: int) -> None:
    overlap = min(2, terms - 1)
    spec = MappingSpec(kind="polyprotect", norm=norm, centred=centred, terms=terms, overlap=overlap)
    form = open_form(spec, 32, 32, 16384, unit_vectors(20, 32, 1))
    assert form.dimension == spec.row_length(32) == form.map_probe(unit_vectors(2, 32, 2)).shape[1]


def test_each_norm_is_nearer_to_the_real_one_than_the_one_before() -> None:
    cohort, probes, (enrolled,) = (
        unit_vectors(size, 128, seed) for size, seed in ((200, 1), (400, 2), (1, 3))
    )
    key = PolynomialKey((40, -25, 17, 8, -3), (1, 2, 3, 4, 5))
    mean = protect(cohort, key, 2).mean(axis=0)
    norms = np.linalg.norm(protect(probes, key, 2) - mean, axis=1)
    typical = np.linalg.norm(protect(cohort, key, 2) - mean, axis=1).mean()
    errors = []
    for norm in NORMS:
        public = PublicCohort(cohort, 5, 2, centred=True, norm=norm)
        row = public.keyed_row(enrolled, key)
        estimate = (public.centred_features(probes) * row.energy).sum(axis=(1, 2))
        estimate += public.cross_features(probes) @ row.cross
        errors.append((norms / typical - 1.0 - estimate).std())
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.6 * errors[1]


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_rounded_scores_stay_close_and_cannot_wrap(bits: int, centred: bool, norm: Norm) -> None:
    spec = MappingSpec(kind="polyprotect", norm=norm, centred=centred)
    form = open_form(spec, 64, bits, 127 if bits == 16 else 16384, unit_vectors(60, 64, 3))
    assert isinstance(form, MappedForm)
    people, keys = unit_vectors(6, 64, 4), KeyRing(spec, keyed_random_bytes(bytes(32), norm))
    issued = [keys.issue(str(index)) for index in range(len(people))]
    rows, probes = form.map_rows(people, issued), form.map_probe(people)
    scores = probes.astype(np.int64) @ rows.astype(np.int64).T
    real = [form.real_scores(people, unit, key) for unit, key in zip(people, issued, strict=True)]
    assert np.abs(scores).max() <= form.max_abs_score < 2 ** (bits - 2)
    error = scores / form.score_unit - np.stack(real, axis=1)
    assert np.median(np.abs(error)) < (0.15 if bits == 16 else 0.01)
