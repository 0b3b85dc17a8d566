from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.benchmarks.mappings.cohorts import cohort_curve
from orchestration.benchmarks.mappings.faces import KnownPeople, MappingFaces
from orchestration.benchmarks.mappings.linkage import keys_read, linked, open_rows, without_key
from orchestration.benchmarks.mappings.measure import schemes_of
from orchestration.benchmarks.mappings.schemes import Scheme
from orchestration.cli.main import main
from protocol.errors import ScenarioError
from reports.linkage import linkability, linkage_lines
from reports.mapping_recovery import cohort_lines, recovery_rates, strongest


def unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True))


@pytest.fixture(scope="module")
def faces() -> MappingFaces:
    """Thirty people of forty numbers with two pictures each, thirty strangers, a cohort."""
    rng = np.random.default_rng(1)
    people = unit(rng.standard_normal((30, 40)))
    gallery, mated = (unit(people + 0.05 * rng.standard_normal(people.shape)) for _ in range(2))
    strangers, cohort = (unit(rng.standard_normal((count, 40))) for count in (30, 300))
    return MappingFaces(gallery, mated, strangers, cohort)


def scheme_of(faces: MappingFaces, name: str) -> Scheme:
    ((_, scheme),) = schemes_of(faces.cohort, (name,))
    return scheme


def test_linking_a_map_without_keys_is_total(faces: MappingFaces) -> None:
    found = linked(open_rows(scheme_of(faces, "none"), faces, 32), faces, 7)
    for scores in (found.same_picture, found.photo):
        rates = linkability(scores)
        assert (rates.d_sys.value, rates.rank_1.value) == (1.0, 1.0)
        assert rates.eer.value == pytest.approx(0.0)


@pytest.mark.parametrize("name", ["folded8-default", "poly2-linear"])
def test_rows_under_other_keys_and_photos_are_linked_without_keys(
    faces: MappingFaces, name: str
) -> None:
    rows = open_rows(scheme_of(faces, name), faces, 32)
    found = linked(rows, faces, 7)
    rates = {kind: linkability(scores) for kind, scores in found._asdict().items()}
    chance = 1 / 30
    assert all((found.rank_1.value or 0.0) > 5 * chance for found in rates.values())
    assert rates["photo"].rank_1.value == 1.0
    assert rates["photo"].d_sys.value > 0.9
    inverted = [recovery_rates(*attack) for attack in without_key(rows, faces, 8, 7)]
    keys = keys_read(rows, faces, 8, 7)
    row = {
        "name": name,
        "linkage": {kind: [each, each] for kind, each in rates.items()},
        "without_key": inverted,
        "keys": None if keys is None else keys._asdict(),
    }
    text = "\n".join(linkage_lines([row]))
    assert "other_photo" in text
    assert "a row without its key: cosine" in text
    if name == "poly2-linear":
        assert keys is not None
        assert (keys.rows, keys.exponents) == (8, 8)
        assert f"exact coefficients up to a factor of {keys.exact} of 8 rows" in text
        assert strongest(inverted).cosine.value > 0.35


def test_templates_that_are_no_rows_of_the_search_are_refused(faces: MappingFaces) -> None:
    with pytest.raises(ScenarioError, match="no mapping of the secure search"):
        open_rows(scheme_of(faces, "poly2-centred"), faces, 32)


def lopsided(rng: np.random.Generator, count: int, pictures: int) -> list[np.ndarray]:
    """Return people who are unlike their mirror images: all resemble one of twenty faces."""
    faces = np.abs(np.random.default_rng(5).standard_normal((20, 32)))
    base = faces[rng.integers(0, 20, count)] + 0.5 * rng.standard_normal((count, 32))
    noise = rng.standard_normal((pictures, count, 32))
    return list(np.moveaxis(unit(base + 0.15 * noise), 0, 1))


@pytest.mark.parametrize("name", ["folded8-default", "poly2-centred"])
def test_more_known_people_and_more_photos_give_more_away(name: str) -> None:
    rng = np.random.default_rng(4)
    people = KnownPeople(lopsided(rng, 40, 4), lopsided(rng, 400, 3))
    cohort = np.concatenate(lopsided(rng, 200, 1))
    ((_, scheme),) = schemes_of(cohort, (name,))
    best = {}
    for cell in cohort_curve(scheme, people, (10, 400), 0.8, 7):
        assert cell.known in (10, 400)
        best[cell.records, cell.known] = strongest([recovery_rates(*one) for one in cell.attacks])
    cosine = {cell: found.cosine.value for cell, found in best.items()}
    assert cosine[1, 400] > cosine[1, 10] - 0.02
    assert cosine[3, 400] > cosine[1, 400] - 0.02
    lines = cohort_lines(
        [
            {"name": name, "records": records, "known": known, "strongest": found}
            for (records, known), found in best.items()
        ]
    )
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (["linkage", "--only", "rot13"], "no mapping 'rot13'"),
        (["cohorts", "--only", "rot13"], "no mapping 'rot13'"),
        (["mapping", "--against", "rot13"], "no mapping 'rot13'"),
    ],
)
def test_unknown_mappings_are_usage_errors(asked: list[str], what: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", *asked])
    assert result.exit_code == 2
    assert what in result.stderr


@pytest.mark.data
def test_people_who_are_not_there_are_usage_errors() -> None:
    asked = ["evaluate", "cohorts", "--known", "5700", "--targets", "100"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2
    assert "5649 besides the targets" in result.stderr
    result = CliRunner().invoke(main, ["evaluate", "linkage", "--only", "subspace42"])
    assert result.exit_code == 2
    assert "poly2-linear" in result.stderr


@pytest.mark.slow
@pytest.mark.data
def test_folded_rows_of_real_faces_are_linked_across_keys(tmp_path: Path) -> None:
    out = tmp_path / "linkage.json"
    asked = ["evaluate", "linkage", "--only", "folded8-default", "--targets", "2", "--draws", "1"]
    result = CliRunner().invoke(main, [*asked, "--out", str(out)])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    ((same,), (other,)) = (row["linkage"][kind] for kind in ("same_picture", "other_picture"))
    assert same["eer"]["value"] < 0.001
    assert other["d_sys"]["value"] == pytest.approx(0.974, abs=0.005)
    assert other["rank_1"]["value"] == pytest.approx(0.961, abs=0.008)
