from __future__ import annotations

import numpy as np
import pytest

from parties.adversary.key_recovery import primitive, recover_key
from protocol.mapping import KeyRing, MappingSpec, PolynomialKey, open_form
from protocol.mapping.mapped_form import MappedForm
from protocol.mapping.polyprotect import powers, protect_powers
from protocol.sharing.prg import keyed_random_bytes

SCALE = 16384


def unit_vectors(count: int, length: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, length))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def opened(spec: MappingSpec) -> tuple[MappedForm, np.ndarray, np.ndarray]:
    cohort, people = unit_vectors(200, 64, 1), unit_vectors(12, 64, 2)
    form = open_form(spec, 64, 32, SCALE, cohort)
    assert isinstance(form, MappedForm)
    return form, cohort, people


@pytest.mark.parametrize("norm", ["per_key", "linear"])
@pytest.mark.parametrize("overlap", [0, 2])
def test_a_row_gives_its_key_and_template_away(norm: str, overlap: int) -> None:
    spec = MappingSpec(kind="polyprotect", overlap=overlap, norm=norm)  # type: ignore[arg-type]
    form, cohort, people = opened(spec)
    ring = KeyRing(spec, keyed_random_bytes(bytes(32), "test"))
    exact, centre = 0, powers(cohort, spec.terms).mean(axis=0)
    for place, unit in enumerate(people):
        key = ring.issue(str(place))
        assert isinstance(key, PolynomialKey)
        found = recover_key(form.map_row(unit, key), form, spec)
        assert found.key.exponents == key.exponents
        exact += found.coefficients == primitive(key.coefficients)
        template = protect_powers(powers(unit, spec.terms) - centre, key, overlap)
        lengths = np.linalg.norm(template) * np.linalg.norm(found.template)
        assert template @ found.template / lengths > 0.9999 or (
            template @ found.template / lengths < -0.9999
        )
    assert exact >= 9


def test_coefficients_are_compared_without_their_common_factor() -> None:
    assert primitive((-4, 6, 10)) == (2, -3, -5)
    assert primitive((3, -5, 7)) == (3, -5, 7)


def test_weights_of_a_row_are_those_before_the_public_scales() -> None:
    spec = MappingSpec(kind="polyprotect", overlap=2)
    form, cohort, people = opened(spec)
    key = PolynomialKey((3, -5, 50, -20, 7), (2, 4, 1, 3, 5))
    weights, rounding = form.power_weights(form.map_row(people[0], key))
    exact = form.public.keyed_row(people[0], key)
    apart = (weights - (exact.numerator - form.anchor * exact.energy)) / rounding[:, None]
    assert np.sqrt(np.square(apart).mean()) < 1.5  # in standard deviations of the rounding
    assert np.abs(apart).max() < np.sqrt(12.0)
    some = form.public.norm_energy(key, every=2)
    assert np.allclose(form.public.norm_energy(key), exact.energy)
    assert np.allclose(some, exact.energy, rtol=0.1)
    assert form.public.mapped(key).shape == (len(cohort), 21)
