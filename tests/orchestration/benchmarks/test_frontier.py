from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from orchestration.benchmarks.frontier.ablations import ABLATIONS, noisy_variants
from orchestration.benchmarks.frontier.climb import Course, FrontierPoint, Rates, climb
from orchestration.benchmarks.frontier.ladders import LADDERS, bounds
from orchestration.benchmarks.inputs.judges import attack_faces
from orchestration.benchmarks.inputs.measure import linear_attack
from orchestration.cli.main import main
from parties.model_provider import DistilConfig, RgbEmbedder, TargetCache, read_student
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.errors import DataError
from protocol.features import FeatureExtractor, dequantise
from protocol.features.spec import Colour, Fusion
from reports.frontier import ablation_lines, frontier_lines, write_frontier_figure
from scenarios.datasets.folder import FolderFaces
from scenarios.datasets.synthetic import SyntheticFaces

RATES = Rates(
    pairs=0.75,
    pairs_range=(0.5, 0.9),
    tar=0.5,
    person_tar=0.5,
    person_tar_range=(0.4, 0.6),
    rank_1=0.6,
    rank_1_range=(0.5, 0.7),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen generated people with two pictures each, as a user would have them."""
    root = tmp_path_factory.mktemp("faces")
    faces = SyntheticFaces(3, training_people=0, test_people=14, pictures=2)
    for person in faces.test_identities():
        (root / person).mkdir()
        for number, picture in enumerate(faces.load(faces.pictures_of(person))):
            Image.fromarray(picture).save(root / person / f"{number}.png")
    return root


def course(folder: Path, work: Path) -> Course:
    dataset = FolderFaces(folder)
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    teacher = RgbEmbedder(network, RgbScaling(0, 1 / 128))
    people = dataset.training_identities()
    pictures = dataset.load([name for person in people for name in dataset.pictures_of(person)])
    config = DistilConfig(steps=2, batch_size=4, ridge_pictures=8, seed=7)
    return Course(
        dataset=dataset,
        data=str(folder),
        root=None,
        pictures=pictures,
        teacher=teacher,
        targets=TargetCache(teacher),
        faces=attack_faces(dataset, {"tiny": teacher}, 6),
        attack=linear_attack(dataset, 10, "smooth"),
        config=config,
        noisy=config,
        calibrating=4,
        folder=work,
        judge=lambda _: RATES,
    )


def ignore(_: object) -> None:
    pass


def rungs(folder: Path, work: Path, epsilons: tuple[float, ...]) -> Iterator[FrontierPoint]:
    return climb(LADDERS["means4"], epsilons, course(folder, work), lambda _: None)


def test_every_rung_starts_from_the_one_before(folder: Path, tmp_path: Path) -> None:
    points = list(rungs(folder, tmp_path, (784.0, 7840.0)))
    assert [point.epsilon for point in points] == [None, 7840.0, 784.0]
    assert [point.element_epsilon for point in points] == [None, 10.0, 1.0]
    assert [(point.steps, point.all_steps) for point in points] == [(2, 2), (2, 4), (2, 6)]
    assert points[0].attack.correlation > points[2].attack.correlation
    last = read_student(tmp_path / "means4-784.npz")
    assert last.spec.pixel_epsilon == 1.0
    assert last.record["start"]["steps"] == 2
    assert not list(tmp_path.glob("*.checkpoint.npz"))


def test_finished_rungs_are_neither_trained_nor_measured_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(rungs(folder, tmp_path, (7840.0,)))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("orchestration.benchmarks.frontier.climb.distil", refuse)
    monkeypatch.setattr("orchestration.benchmarks.frontier.climb.run_faces", refuse)
    assert next(rungs(folder, tmp_path, (7840.0,))) == first
    given = course(folder, tmp_path)
    fewer = attack_faces(given.dataset, {"tiny": given.teacher}, 5)
    with pytest.raises(AssertionError):  # another number of faces is another measurement
        next(climb(LADDERS["means4"], (), given._replace(faces=fewer), ignore))
    (tmp_path / "means4-none.json").write_text("{")
    with pytest.raises(DataError, match="not a finished point"):
        next(rungs(folder, tmp_path, (7840.0,)))


def test_rungs_may_be_trained_first_and_measured_later(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = course(folder, tmp_path)
    assert not list(climb(LADDERS["means4"], (784.0,), given._replace(judge=None), lambda _: None))
    assert {path.name for path in tmp_path.iterdir()} == {"means4-none.npz", "means4-784.npz"}
    monkeypatch.setattr("orchestration.benchmarks.frontier.climb.distil", None)
    assert [p.all_steps for p in climb(LADDERS["means4"], (784.0,), given, lambda _: None)] == [
        2,
        4,
    ]


def test_a_climb_ends_where_its_network_is_near_chance(folder: Path, tmp_path: Path) -> None:
    hopeless = msgspec.structs.replace(RATES, pairs=0.55)
    given = course(folder, tmp_path)._replace(judge=lambda _: hopeless)
    found = list(climb(LADDERS["means4"], (7840.0, 784.0), given, lambda _: None))
    assert [point.epsilon for point in found] == [None, 7840.0]


def test_budgets_a_mechanism_cannot_have_are_left_out() -> None:
    means, coefficients = LADDERS["means4"], LADDERS["hfcf"]
    assert means.at(784 * 1025.0) is None
    assert coefficients.at(63 * 112 * 112 * 11.0) is None
    at = coefficients.at(63 * 112 * 112 * 2.0)
    assert at is not None
    assert at.epsilon == 2.0
    assert LADDERS["dctdp"].values == 189 * 112 * 112
    for ladder in LADDERS.values():
        assert all(ladder.at(epsilon) is not None for epsilon in ladder.epsilons)


def test_bounds_of_coefficients_contain_the_pictures_they_come_from(folder: Path) -> None:
    dataset = FolderFaces(folder)
    pictures = dataset.load([dataset.pictures_of(name)[0] for name in dataset.identities[:3]])
    found = bounds(LADDERS["hfcf"], pictures)
    assert found.pictures == 3
    assert np.all(found.lower < found.upper)


def test_points_become_lines_and_curves(folder: Path, tmp_path: Path) -> None:
    points = list(rungs(folder, tmp_path, (7840.0, 784.0)))
    lines = frontier_lines(points)
    assert len(lines) == 4
    assert "7.84e+03" in lines[2]
    assert "75.0 (50.0-90.0)" in lines[2]
    result = tmp_path / "frontier.json"
    result.write_bytes(msgspec.json.encode({"points": points}))
    svg, png = write_frontier_figure(result)
    assert "4x4 means" in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
    result.write_bytes(b'{"points": []}')
    with pytest.raises(DataError, match="no point"):
        write_frontier_figure(result)
    result.write_bytes(b"[]")
    with pytest.raises(DataError, match="no result file"):
        write_frontier_figure(result)


def test_an_unknown_mechanism_is_named() -> None:
    asked = ["evaluate", "frontier", "--mechanism", "magic", "--work", "somewhere"]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 2
    assert "no mechanism 'magic'" in found.output


def test_every_fusion_and_every_descriptor_is_there_once() -> None:
    # One input comes twice, with two kinds of noise.
    specs = list({ladder.name: ladder.quiet for ladder in ABLATIONS.values()}.values())
    assert len(specs) == len(ABLATIONS) - 1
    everything = [spec for spec in specs if spec.selection == "all"]
    fusions = [spec.fusion for spec in everything if spec.colour == "none"]
    assert sorted([*fusions, "plane"]) == sorted(get_args(Fusion))
    colours = [spec.colour for spec in everything if spec.fusion == "maxabs"]
    assert sorted(colours) == sorted(get_args(Colour))
    assert len(specs) == len(everything) + 2


def test_an_input_is_trained_judged_and_attacked(folder: Path, tmp_path: Path) -> None:
    ladder = ABLATIONS["partialface"]
    (point,) = climb(ladder, (), course(folder, tmp_path), lambda _: None)
    assert point.attack.faces == 6
    assert (point.channels, point.picture_bytes) == (27, 27 * 112 * 112)
    assert point.client_ms > 0
    head, line = ablation_lines([point])
    assert len(head) == len(line)
    assert ladder.title in line
    assert "75.0 (50.0-90.0)" in line


def test_learned_shares_climb_from_the_same_quiet_network(folder: Path, tmp_path: Path) -> None:
    given = course(folder, tmp_path)
    given = given._replace(noisy=replace(given.noisy, steps=3))
    ladder = LADDERS["means4-learned"]
    points = list(climb(ladder, (7840.0, 784.0), given, lambda _: None))
    assert [(point.learned, point.steps) for point in points] == [(False, 2), (True, 3), (True, 3)]
    assert (tmp_path / "means4-none.npz").exists()
    first, last = (
        read_student(tmp_path / f"means4-learned-{epsilon}-3.npz") for epsilon in (7840, 784)
    )
    assert first.spec.allocation == last.spec.allocation == "learned"
    assert first.calibration.allocation is not None
    low, high = first.calibration.allocation.extremes
    assert low < 1 < high
    assert points[1].largest_epsilon == pytest.approx(10.0 * high)
    assert points[1].element_epsilon == 10.0


def test_every_budget_comes_with_equal_and_with_learned_shares() -> None:
    maxabs, drawn = ABLATIONS["maxabs"], ABLATIONS["partialface"]
    uniform, learned = noisy_variants(maxabs, (2.0, 1.0), "both")
    assert uniform.epsilons == learned.epsilons == (2.0 * 63 * 112**2, 63 * 112**2)
    assert [uniform.learned, learned.learned] == [False, True]
    assert [v.learned for v in noisy_variants(maxabs, (2.0,), "learned")] == [True]
    assert [v.learned for v in noisy_variants(drawn, (2.0,), "both")] == [False]


def test_released_noise_has_one_scale_whatever_the_range(folder: Path) -> None:
    dataset, ladder = FolderFaces(folder), ABLATIONS["dctdp_released"]
    pictures = dataset.load([dataset.pictures_of(name)[0] for name in dataset.identities[:3]])
    epsilon = 0.5 * ladder.values
    spec = ladder.at(epsilon)
    assert spec is not None
    calibration = ladder.calibrated(bounds(ladder, pictures), epsilon)
    plain = FeatureExtractor(spec, calibration, os.urandom).protect(pictures)
    sent = ladder.client(epsilon)(spec, calibration, os.urandom).protect(pictures)
    added = dequantise(sent, spec, calibration) - dequantise(plain, spec, calibration)
    assert added.std() == pytest.approx(2 * np.sqrt(2), rel=0.01)
    assert np.median(abs(added)) == pytest.approx(2 * np.log(2), rel=0.01)
    assert added.std(axis=(0, 2, 3)) == pytest.approx(2 * np.sqrt(2), rel=0.1)
    assert (added[0] != added[1]).mean() > 0.99


def test_released_rungs_start_without_noise_and_spend_no_budget(
    folder: Path, tmp_path: Path
) -> None:
    (ladder,) = noisy_variants(ABLATIONS["dctdp_released"], (4.0, 0.5), "both")
    points = list(climb(ladder, ladder.epsilons, course(folder, tmp_path), lambda _: None))
    assert [point.title for point in points] == ["189 (DCTDP)", *2 * ["189 (DCTDP), as released"]]
    assert [point.epsilon for point in points] == [None] * 3
    assert [point.element_epsilon for point in points] == [None, 4.0, 0.5]
    assert [point.all_steps for point in points] == [2, 4, 4]
    assert points[1].picture_bytes == 2 * points[0].picture_bytes
    assert points[1].attack.correlation > 0.95
    strong = read_student(tmp_path / "dctdp-as-released-1.18541e+06.npz")
    quiet = read_student(tmp_path / "dctdp-none.npz")
    noise, quiet_scale = 2 * np.sqrt(2), quiet.calibration.scale
    assert strong.calibration.scale == pytest.approx(np.hypot(quiet_scale, noise), rel=1e-3)


def test_an_unknown_input_is_refused_with_those_there_are(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["evaluate", "ablations", "--input", "best", "--work", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "dlbp" in result.output
