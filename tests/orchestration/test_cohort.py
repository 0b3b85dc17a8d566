"""Thresholds from training people, worked out and taken over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from orchestration import calibration, cohort
from orchestration.calibration import public_pictures
from orchestration.cohort import Cohort, Settled
from orchestration.job import run_job
from orchestration.networks import Networks
from orchestration.progress import Progress
from orchestration.remembered import SWITCH, Memory
from protocol.errors import ScenarioError
from scenarios.datasets import DataSet, SyntheticFaces
from scenarios.schema import load_scenario
from scenarios.specs import Scenario

PEOPLE = 140
MAPPED = "mapping={kind: folded, blocks: 4, cohort: 48}"
NOISY = "features={fusion: maxabs, colour: dlbp, epsilon: 1.0}"


class Embedded:
    """Stands in for embedding: other people get other vectors; counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def vectors(self, people: int) -> npt.NDArray[np.float32]:
        values = np.random.default_rng(self.times).standard_normal((people, 128))
        return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)

    def embed(
        self, scenario: object, source: tuple[object, list[str]], *_: object
    ) -> npt.NDArray[np.float32]:
        del scenario
        self.times += 1
        return self.vectors(len(source[1]))


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Embedded:
    found = Embedded()
    monkeypatch.setattr(cohort, "embed_people", found.embed)
    return found


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(SWITCH, "1")
    monkeypatch.setattr(calibration, "CALIBRATION_PICTURES", PEOPLE)
    (tmp_path / "network").write_bytes(b"weights")
    return tmp_path / "cache" / "bauta" / "remembered"


class Real(SyntheticFaces):
    """Plain pictures, as if real people were on them; one person's may be another's."""

    name = "real"
    synthetic = False
    swapped = ""

    def load(self, picture_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
        """Return one colour per picture."""
        shades = [hash(name) % 200 + (name == self.swapped) for name in picture_ids]
        return np.repeat(np.array(shades, np.uint8), 12).reshape(-1, 2, 2, 3)


def scenario_with(*options: str) -> Scenario:
    return load_scenario("embedded", options)


def settle(
    scenario: Scenario, folder: Path, dataset: DataSet | None = None
) -> tuple[Settled, list[str]]:
    memory = Memory()
    networks = Networks("student", str(folder / "network"), None, None, {})
    faces = SyntheticFaces(training_people=PEOPLE) if dataset is None else dataset
    public = public_pictures(scenario, faces)
    settled = Cohort(scenario, faces, networks, public, memory, lambda: os.urandom, lambda _: None)
    return settled.settle(), memory.used


def kinds(cache: Path) -> list[str]:
    if not cache.exists():
        return []
    return sorted(path.name.partition("-")[0] for path in cache.iterdir())


def test_a_threshold_is_the_rate_it_is_calibrated_to(tmp_path: Path, embedded: Embedded) -> None:
    """Right value: N rows of independent pairs give a false alarm in a hundredth of searches."""
    for entries in (10, 300):
        found, _ = settle(scenario_with(f"data.entries={entries}"), tmp_path)
        vectors = embedded.vectors(PEOPLE).astype(np.float64)
        scores = found.form.map_probe(vectors).astype(np.int64) @ found.form.map_rows(
            vectors, [None] * PEOPLE
        ).T.astype(np.int64)
        others = scores[~np.eye(PEOPLE, dtype=np.bool_)]
        allowed = int((1 - 0.99 ** (1 / entries)) * others.size)
        assert (others >= found.threshold).sum() <= allowed < (others >= found.threshold - 1).sum()


def test_a_second_run_takes_the_threshold_over(
    cache: Path, tmp_path: Path, embedded: Embedded
) -> None:
    first, used = settle(scenario_with(), tmp_path)
    assert used == []
    second, used = settle(scenario_with(), tmp_path)
    assert used == ["impostors"]
    assert (second.threshold, second.notes) == (first.threshold, first.notes)
    assert embedded.times == 1
    assert kinds(cache) == ["impostors"]


def test_other_rates_are_answered_from_the_same_entry(tmp_path: Path, embedded: Embedded) -> None:
    strict, _ = settle(scenario_with(), tmp_path)
    lax, _ = settle(scenario_with("search.fpir=0.5"), tmp_path)
    assert lax.threshold < strict.threshold
    assert embedded.times == 1


def test_an_entry_too_short_for_a_rate_is_worked_out_again(
    tmp_path: Path, embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "KEPT_SCORES", 8)
    settle(scenario_with(), tmp_path)
    settle(scenario_with("data.entries=1"), tmp_path)
    assert embedded.times == 2


def test_the_network_ring_features_and_people_make_other_entries(
    tmp_path: Path, embedded: Embedded
) -> None:
    settle(scenario_with(), tmp_path)
    settle(scenario_with("search.ring_bits=32"), tmp_path)
    settle(scenario_with("features.colour=none"), tmp_path)
    settle(scenario_with(), tmp_path, SyntheticFaces(8, training_people=PEOPLE))
    (tmp_path / "network").write_bytes(b"other weights")
    settle(scenario_with(), tmp_path)
    assert embedded.times == 5


def test_of_real_people_only_scores_are_kept(
    cache: Path, tmp_path: Path, embedded: Embedded
) -> None:
    for _ in range(2):
        settle(scenario_with(), tmp_path, Real(training_people=PEOPLE))
        settle(scenario_with(MAPPED), tmp_path, Real(training_people=PEOPLE))
    assert embedded.times == 3
    assert kinds(cache) == ["impostors"]
    (entry,) = cache.iterdir()
    assert entry.stat().st_size < 4097 * 8 + 256


def test_a_real_picture_that_changed_under_its_name_is_noticed(
    tmp_path: Path, embedded: Embedded
) -> None:
    before, after = Real(training_people=PEOPLE), Real(training_people=PEOPLE)
    after.swapped = "train-00077/00"
    settle(scenario_with(), tmp_path, before)
    settle(scenario_with(), tmp_path, before)
    assert embedded.times == 1
    settle(scenario_with(), tmp_path, after)
    assert embedded.times == 2


def test_a_mapping_takes_over_generated_people_and_draws_its_own_keys(
    cache: Path, tmp_path: Path, embedded: Embedded
) -> None:
    first, _ = settle(scenario_with(MAPPED), tmp_path)
    second, used = settle(scenario_with(MAPPED), tmp_path)
    assert used == ["cohort"]
    assert embedded.times == 1
    assert kinds(cache) == ["cohort"]
    assert first.mapped is not None
    assert second.mapped is not None
    assert np.array_equal(first.mapped, second.mapped)
    assert len(first.mapped) == 48


def test_noisy_features_are_measured_in_every_run(
    cache: Path, tmp_path: Path, embedded: Embedded
) -> None:
    for _ in range(2):
        _, used = settle(scenario_with(NOISY), tmp_path)
        assert used == []
    assert embedded.times == 2
    assert kinds(cache) == []


def test_a_given_threshold_needs_nobody(tmp_path: Path, embedded: Embedded) -> None:
    found, _ = settle(scenario_with("search.threshold=0.5"), tmp_path)
    assert found.threshold == found.form.ring_threshold(0.5)
    assert embedded.times == 0


def test_nobody_to_calibrate_on_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="impostor pairs"):
        settle(scenario_with(), tmp_path, SyntheticFaces(training_people=1))


def test_a_job_says_what_its_stages_cost_and_what_was_taken_over(
    tmp_path: Path, embedded: Embedded
) -> None:
    options = ("runtime=memory", "data.entries=4", "data.mated=2", "data.unmated=2")
    scenario = scenario_with(*options)
    seen: list[Progress] = []
    records = []
    for _ in range(2):
        path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=seen.append)
        records.append(msgspec.json.decode((path / "run.json").read_bytes()))
    first, second = records
    stages = ["load", "calibrate", "plan", "baseline", "parties", "check"]
    assert list(first["stages_s"]) == list(second["stages_s"]) == stages
    assert first["from_cache"] == []
    assert second["from_cache"] == ["calibrate", "baseline"]
    assert second["threshold_ring"] == first["threshold_ring"]
    assert {"calibrate", "baseline"} <= {progress.stage for progress in seen}
    assert embedded.times == 1


def test_a_run_whose_traces_are_kept_leaves_nothing_in_the_cache(
    cache: Path, tmp_path: Path
) -> None:
    options = ("runtime=memory", "data.entries=4", "data.mated=2", "data.unmated=2")
    scenario = scenario_with(*options, "search.threshold=0.5", "capture=payloads")
    run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    assert kinds(cache) == []
