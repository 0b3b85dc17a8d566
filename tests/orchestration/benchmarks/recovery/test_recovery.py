from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.judges import attack_faces
from orchestration.benchmarks.inputs.measure import correlation, linear_attack
from orchestration.benchmarks.inputs.mechanisms import luminance
from orchestration.benchmarks.recovery import measure
from orchestration.benchmarks.recovery.measure import (
    Attacked,
    RecoveryCourse,
    RecoveryRow,
    attack,
    floors,
)
from orchestration.benchmarks.recovery.titles import input_title
from orchestration.benchmarks.recovery.visits import Oracle, adversary_pictures, mean_face
from orchestration.cli import training as cli_training
from orchestration.cli.main import main
from orchestration.cli.training import Training
from parties.adversary.learned_recovery import RecoveryConfig
from parties.adversary.linear_inversion import SmoothAttack
from parties.model_provider import DistilConfig, RgbEmbedder, distil, save_student
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.errors import DataError
from protocol.features import Calibration, FeatureSpec, calibrate
from reports.recovery_text import recovery_lines
from scenarios.datasets.synthetic import SyntheticFaces
from scenarios.schema import load_scenario

Pictures = NDArray[np.uint8]

FACES = SyntheticFaces(3, training_people=10, test_people=4, pictures=2)
PLANE = FeatureSpec(fusion="plane", colour="none", pixel_block=4)


def training() -> Pictures:
    names = FACES.training_identities()
    return FACES.load([picture for name in names for picture in FACES.pictures_of(name)])


@pytest.fixture(scope="module")
def network() -> RgbEmbedder:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))


@pytest.fixture(scope="module")
def student(network: RgbEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network for means of squares, with noise."""
    spec = msgspec.structs.replace(PLANE, pixel_epsilon=40.0)
    config = DistilConfig(steps=0, batch_size=4, ridge_pictures=4)
    path = tmp_path_factory.mktemp("students") / "means4.npz"
    save_student(distil(training(), network, spec, config), path)
    return path


@pytest.fixture(scope="module")
def smooth() -> Pictures:
    """Six smooth pictures with little colour, uint8 [6,112,112,3]."""
    rng = np.random.default_rng(4)
    place = np.arange(112) / 112
    waves = [
        sum(
            rng.normal() * np.cos(np.pi * (u * place[:, None] + v * place) + rng.uniform(0, 6))
            for u in range(5)
            for v in range(5)
        )
        for _ in range(6)
    ]
    shades = 128 + 18 * np.stack(waves)[..., None] * np.array([1.05, 1.0, 0.95])
    return np.asarray(np.clip(shades, 0, 255), dtype=np.uint8)


def course(network: RgbEmbedder, folder: Path | None = None, steps: int = 2) -> RecoveryCourse:
    return RecoveryCourse(
        pictures=training()[:8],
        held=training()[8:10],
        mean=mean_face(training()),
        faces=attack_faces(FACES, {"tiny": network}, 4),
        attack=linear_attack(FACES, 10),
        config=RecoveryConfig(steps=steps),
        described="tiny",
        folder=folder,
    )


def given(spec: FeatureSpec) -> Attacked:
    return Attacked(Path("given.npz"), spec, calibrate([training()], spec.fusion, spec.selection))


def oracle_of(spec: FeatureSpec, calibration: Calibration, seed: int = 7) -> Oracle:
    return Oracle(spec, calibration, SmoothAttack(), seed)


def test_batches_are_a_function_of_seed_and_step_with_fresh_noise_each() -> None:
    spec = msgspec.structs.replace(PLANE, pixel_epsilon=40.0)
    oracle = oracle_of(spec, given(spec).calibration)
    few = training()[:2]
    first, again, later = (oracle.batch(few, step) for step in (0, 0, 1))
    assert first.inputs.shape == (2, 1, 112, 112)
    assert np.array_equal(first.inputs, again.inputs)
    assert not np.array_equal(first.inputs, later.inputs)
    plain = luminance(few)
    ways = {plane.tobytes() for plane in (*plain, *plain[:, :, ::-1])}
    for batch in (oracle.batch(few, step) for step in range(6)):
        assert {plane.numpy().tobytes() for plane in batch.luminance} < ways
    other = oracle_of(spec, oracle.calibration, 8).batch(few, 0)
    assert not np.array_equal(first.inputs, other.inputs)


def test_half_of_the_visits_are_mirrored() -> None:
    oracle = oracle_of(PLANE, given(PLANE).calibration)
    few = training()[:2]
    plain = {plane.tobytes() for plane in luminance(few)}
    seen = [plane.numpy() for step in range(20) for plane in oracle.batch(few, step).luminance]
    assert 10 < sum(plane.tobytes() in plain for plane in seen) < 30


def test_who_is_held_out_is_not_trained_on_and_the_priors_pictures_are_left_out() -> None:
    pictures, held = adversary_pictures(FACES, 3)
    names = FACES.training_identities()
    ids = [list(FACES.pictures_of(name)) for name in names]
    assert np.array_equal(held, FACES.load([each[0] for each in ids[5:]]))
    wanted = [*(each[1] for each in ids[:3]), *(name for each in ids[3:5] for name in each)]
    assert np.array_equal(pictures, FACES.load(wanted))
    with pytest.raises(DataError, match="at least 2"):
        adversary_pictures(SyntheticFaces(3, training_people=1, test_people=2, pictures=2), 3)


def test_the_mean_face_is_that_of_all_pictures_both_ways() -> None:
    pictures = np.concatenate([training(), training()[:, :, ::-1]])
    assert mean_face(training()) == pytest.approx(luminance(pictures).mean(axis=0), abs=1e-3)


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(fusion="maxabs", colour="dlbp"),
        FeatureSpec(fusion="mean", colour="none"),
        FeatureSpec(fusion="none", colour="none", selection="high"),
        msgspec.structs.replace(PLANE, pixel_block=1),
    ],
    ids=input_title,
)
def test_without_noise_linear_algebra_reads_every_input(
    spec: FeatureSpec, smooth: Pictures
) -> None:
    oracle = oracle_of(spec, calibrate([smooth], spec.fusion, spec.selection))
    attacked = smooth[:2]
    found = oracle.reader.read(oracle.protect(attacked, "a"))
    assert correlation(found, luminance(attacked)) > 0.85
    if spec.fusion == "mean":  # a third where the mean of three planes is taken for one of them
        assert 0.8 < found.std() / luminance(attacked).std() < 1.1


def test_channels_drawn_for_every_picture_are_read_as_well(smooth: Pictures) -> None:
    spec = FeatureSpec(fusion="none", colour="none", selection="random")
    oracle = oracle_of(spec, calibrate([smooth], "none", "random"))
    attacked = smooth[:2]
    found = oracle.reader.read(oracle.protect(attacked, "a"))
    assert correlation(found, luminance(attacked)) > 0.3  # without the lowest frequencies


def test_inputs_are_named_in_words() -> None:
    assert input_title(FeatureSpec()) == "63 maxabs + dlbp, no noise"
    noisy = FeatureSpec(epsilon=4.0, colour_epsilon=0.5)
    assert input_title(noisy) == "63 maxabs + dlbp, eps 4 a coefficient, eps 0.5 a colour bit"
    drawn = FeatureSpec(fusion="none", selection="random", colour="none")
    assert input_title(drawn) == "27 drawn of 189 coefficients, no noise"
    means = msgspec.structs.replace(PLANE, pixel_epsilon=31.9)
    assert input_title(means) == "4x4 means, eps 31.9 a mean"
    coloured = FeatureSpec(fusion="maxabs", colour="dlbp", pixel_epsilon=8.0, pixel_block=2)
    assert input_title(coloured) == "63 maxabs of 2x2 means + dlbp, eps 8 a mean"


def test_a_row_holds_both_attacks_and_is_kept(
    network: RgbEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [given(PLANE)]
    (row,) = attack(inputs, course(network, tmp_path), lambda _: None)
    assert (row.steps, row.visits, row.training_pictures, row.channels) == (2, 16, 8, 1)
    assert row.verdict == "not converged"  # after two steps it is still the linear attack
    assert row.held_error <= row.held_linear_error
    assert row.epsilon is None
    assert row.trained.faces == row.linear.faces == 4
    assert row.linear.ssim > floors(course(network)).blank.ssim

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(measure, "train_recovery", refuse)
    assert list(attack(inputs, course(network, tmp_path), lambda _: None)) == [row]
    noisy = [given(msgspec.structs.replace(PLANE, pixel_epsilon=40.0))]
    changed = [(noisy, course(network, tmp_path)), (inputs, course(network, tmp_path, steps=3))]
    for other, settings in changed:
        with pytest.raises(AssertionError):
            list(attack(other, settings, lambda _: None))
    (kept,) = tmp_path.glob("*.json")
    kept.write_text("{")
    with pytest.raises(DataError, match="not a finished row"):
        list(attack(inputs, course(network, tmp_path), lambda _: None))


def bauta(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", "recovery", *arguments])


def test_the_command_measures_every_file_and_goes_on_where_it_stood(
    network: RgbEmbedder, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DistilConfig(seed=7)
    job = Training(load_scenario("accuracy-inputs"), FACES, network, config)
    monkeypatch.setattr(cli_training, "open_training", lambda *_: job)
    monkeypatch.setattr(cli_training, "judges_of", lambda *_: {"ms1m": network})
    out, work = tmp_path / "recovery.json", tmp_path / "work"
    asked = (str(student), "--steps", "2", "--faces", "4", "--work", str(work), "--out", str(out))
    first = bauta(*asked)
    assert first.exit_code == 0, first.output
    assert "4x4 means, eps 40 a mean" in first.stdout
    assert "SSIM" in first.stderr
    content = json.loads(out.read_bytes())
    # Five people are held out; the first pictures of the others made the prior.
    assert (content["held_pictures"], content["training_pictures"]) == (5, 5)
    (row,) = content["rows"]
    noise = 40 * 28**2
    assert noise < row["epsilon"] < 1.0001 * noise  # and what the resolution of the draw adds
    assert msgspec.convert(row, RecoveryRow).file == "means4.npz"
    monkeypatch.setattr(measure, "train_recovery", None)
    assert bauta(*asked).stdout == first.stdout
    lines = recovery_lines(content["floors"], content["rows"])
    assert len(set(map(len, lines[:-1]))) == 1
    assert [line.split()[0] for line in lines[1:4]] == ["mid", "mean", "luminance,"]


def test_what_is_no_student_file_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, meta=np.zeros(3))
    found = bauta(str(wrong))
    assert found.exit_code == 2
    assert "not a student file" in found.stderr
    assert "Traceback" not in found.output
    assert bauta(str(tmp_path / "absent.npz")).exit_code == 2
    assert bauta().exit_code == 2


def test_without_faces_the_command_says_where_they_are_looked_for(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAUTA_DATA", raising=False)
    found = bauta(str(student))
    assert found.exit_code == 2
    assert "BAUTA_DATA" in found.stderr


def test_a_folder_that_cannot_be_made_is_named(
    network: RgbEmbedder, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Training(load_scenario("accuracy-inputs"), FACES, network, DistilConfig())
    monkeypatch.setattr(cli_training, "open_training", lambda *_: job)
    monkeypatch.setattr(cli_training, "judges_of", lambda *_: {"ms1m": network})
    (tmp_path / "file").write_text("")
    found = bauta(str(student), "--faces", "4", "--work", str(tmp_path / "file" / "work"))
    assert found.exit_code == 2
    assert "cannot be made" in found.stderr
