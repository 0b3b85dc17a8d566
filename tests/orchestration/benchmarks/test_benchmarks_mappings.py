from __future__ import annotations

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.benchmarks.mappings.attacks import attack_all, unprotected_threshold
from orchestration.benchmarks.mappings.faces import MappingFaces
from orchestration.benchmarks.mappings.measure import (
    SCHEMES,
    own_key_scores,
    ring_scores,
    ring_spec,
    schemes_of,
    search_scores,
)
from orchestration.benchmarks.mappings.schemes import Folded, PolyProtect
from orchestration.cli.main import main
from reports.mapping_draws import DrawnRates, Searches, drawn_rates, rate_difference
from reports.mapping_rates import claim_rates, mapping_lines
from reports.mapping_recovery import recovery_rates


def unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def rates_of(*draws: np.ndarray) -> DrawnRates:
    searches = Searches()
    for scores in draws:
        searches.add(scores, 30)
    return drawn_rates(searches)


@pytest.fixture(scope="module")
def faces() -> MappingFaces:
    """Thirty people of forty numbers with two pictures each, thirty strangers, a cohort."""
    rng = np.random.default_rng(1)
    people = unit(rng.standard_normal((30, 40)))
    gallery, mated = (unit(people + 0.08 * rng.standard_normal(people.shape)) for _ in range(2))
    strangers, cohort = (unit(rng.standard_normal((count, 40))) for count in (30, 600))
    return MappingFaces(gallery, mated, strangers, cohort)


@pytest.mark.parametrize("name", [name for name in SCHEMES if not name.startswith("quadratic")])
def test_every_scheme_recognises_easy_people_better_than_chance(
    faces: MappingFaces, name: str
) -> None:
    ((_, scheme),) = schemes_of(faces.cohort, (name,))
    keys = scheme.keys(len(faces.gallery), 7)
    found = search_scores(scheme, faces, keys)
    assert found.strict.shape == found.normalised.shape == (60, 30)
    assert rates_of(found.strict).rank_1.mean.value > 0.3
    spec = ring_spec(scheme)
    if spec is not None:
        whole = ring_scores(spec, faces, keys, 32)
        assert np.corrcoef(whole.ravel(), found.strict.ravel())[0, 1] > 0.9999


def test_row_scores_of_the_folded_scheme_are_products_of_its_templates(faces: MappingFaces) -> None:
    scheme = Folded(faces.cohort, 4, 1.0, 0.5)
    key = scheme.keys(1, 3)[0]
    template = scheme.template(faces.gallery[:1], key)[0]
    probes = scheme.template(faces.mated, key)
    scores = scheme.scores(faces.mated, faces.gallery[:1], [key])[:, 0]
    assert np.corrcoef(scores, probes @ template)[0, 1] == pytest.approx(1.0)


def test_an_oracle_key_makes_identification_look_better_than_it_is(faces: MappingFaces) -> None:
    scheme = PolyProtect(faces.cohort, 0, centred=False, whitened=False)
    keys = scheme.keys(30, 7)
    noisy = faces._replace(mated=unit(faces.mated + 0.2 * faces.cohort[:30]))
    own = own_key_scores(scheme, noisy, keys)
    assert own is not None
    rates = claim_rates(search_scores(scheme, noisy, keys).strict, own)
    assert rates.oracle.count > rates.strict.count


def test_attacks_grow_with_records_and_spare_no_linear_map(faces: MappingFaces) -> None:
    ((_, scheme),) = schemes_of(faces.cohort, ("subspace24",))
    one, two, _ = attack_all(scheme, faces, scheme.keys(30, 7), 8, 7)
    assert one.cosines.mean() == pytest.approx(np.sqrt(24 / 40), abs=0.08)
    assert two.cosines.mean() > one.cosines.mean()
    rates = recovery_rates(*one)
    assert rates.accepted.value == 1.0
    assert rates.cosine.low is not None
    assert rates.cosine.low < rates.cosine.value == pytest.approx(one.cosines.mean())
    assert unprotected_threshold(faces.cohort) == pytest.approx(3.09 / np.sqrt(40), abs=0.06)


def test_every_attack_on_folds_runs_and_cannot_tell_signs_of_an_isotropic_cohort(
    faces: MappingFaces,
) -> None:
    scheme = Folded(faces.cohort, 8, 1.0, 1.0)
    found = attack_all(scheme, faces, scheme.keys(30, 7), 12, 7)
    assert [recovery.attack for recovery in found] == [
        "linear estimate, any number of records",
        "L-BFGS on the cosine",
        "sign search, kappa 10",
        "sign search, kappa 15",
        "sign search, kappa 20",
    ]
    assert all(abs(recovery.cosines.mean()) < 0.45 for recovery in found)


@pytest.mark.data
def test_the_command_prints_the_table_and_writes_json(tmp_path: str) -> None:
    out = os.path.join(tmp_path, "table.json")  # noqa: PTH118 - what a shell would pass
    asked = ["evaluate", "mapping", "--only", "none", "--targets", "0", "--draws", "1"]
    asked += ["--out", out]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    with open(out, encoding="utf-8") as file:  # noqa: PTH123 - as above
        (row,) = json.load(file)["rows"]
    assert row["strict"]["rank_1"]["mean"]["value"] == pytest.approx(0.9827, abs=0.0005)
    assert row["ring_16"]["rank_1"]["mean"]["value"] == pytest.approx(0.983, abs=0.004)


def test_an_unknown_mapping_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["evaluate", "mapping", "--only", "rot13"])
    assert result.exit_code == 2
    assert "folded8" in result.stderr


def test_what_was_not_measured_is_a_dash(faces: MappingFaces) -> None:
    rates = rates_of(faces.probes @ faces.gallery.T)
    row = {
        "name": "x", "row_length": 5, "strict": rates, "normalised": rates, "ring_32": None,
        "ring_16": None, "claims": None, "attacks": [], "differences": [],
    }  # fmt: skip
    assert mapping_lines([row])[1].split()[-1] == "-"


def test_rates_over_draws_are_means_and_differences_are_paired(faces: MappingFaces) -> None:
    scores = faces.probes @ faces.gallery.T
    worse = scores + 0.3 * np.random.default_rng(3).standard_normal(scores.shape)
    rates = rates_of(scores, worse)
    assert rates.rank_1.mean.value == pytest.approx(np.mean(rates.rank_1.draws))
    assert rates.tpir.mean.value == pytest.approx(np.mean(rates.tpir.draws))
    one, other = Searches(), Searches()
    one.add(scores, 30)
    other.add(worse, 30)
    nothing = rate_difference(one, one, "itself")
    assert (nothing.rank_1.low, nothing.rank_1.value, nothing.tpir.high) == (0.0, 0.0, 0.0)
    apart = rate_difference(other, one, "none")
    assert apart.rank_1.value == pytest.approx(rates.rank_1.draws[1] - rates.rank_1.draws[0])
    assert apart.rank_1.high is not None
    assert apart.rank_1.high < 0.0
    row = {
        "name": "worse", "row_length": 5, "strict": rates, "normalised": rates, "ring_32": rates,
        "ring_16": None, "claims": None, "attacks": [], "differences": [apart],
    }  # fmt: skip
    text = mapping_lines([row])
    assert any(line.startswith("worse minus none") for line in text)
    assert any(line.startswith("worse, ring 32") for line in text)
