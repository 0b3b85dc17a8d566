from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from orchestration.benchmarks.inputs.judges import AttackFaces, Recognised, attack_faces
from orchestration.benchmarks.inputs.kept import KeptAttacks
from orchestration.benchmarks.inputs.measure import (
    AttackPoint,
    Campaign,
    attack_point,
    attack_points,
    hidden,
    linear_attack,
)
from orchestration.benchmarks.inputs.mechanisms import (
    AsReleased,
    Attempt,
    GaussianPixels,
    Sent,
    luminance,
    mechanisms,
    narrowed,
)
from orchestration.cli import training as cli_training
from orchestration.cli.main import main
from parties.adversary.face_inversion import FaceAttack
from parties.adversary.face_prior import fit_face_prior
from parties.adversary.linear_inversion import SmoothAttack
from parties.model_provider import RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.errors import DataError, ScenarioError
from protocol.features import Allocation, FeatureSpec, calibrate
from reports.input_rates import input_lines
from scenarios.datasets.synthetic import SyntheticFaces
from scenarios.schema import load_scenario

PLANE = FeatureSpec(fusion="plane", colour="none")
FACES = SyntheticFaces(3, training_people=40, test_people=12, pictures=2)


def tiny(seed: int) -> RgbEmbedder:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=seed)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """Six faces under the face prior, judged by two networks."""
    faces = attack_faces(FACES, {"one": tiny(5), "two": tiny(6)}, 6)
    return Campaign(faces, linear_attack(FACES, 40), 7)


def test_thresholds_come_from_all_test_people_and_not_from_the_attacked_alone() -> None:
    network = tiny(5)
    few, all_of_them = (attack_faces(FACES, {"one": network}, count) for count in (2, 12))
    (one,), (other,) = few.judges, all_of_them.judges
    assert (len(one.same), len(other.same)) == (2, 12)
    assert one.threshold == other.threshold
    assert one.threshold <= one.strict
    pairs = (one.strangers @ one.strangers.T)[np.triu_indices(12, 1)]
    assert one.threshold == pytest.approx(np.quantile(pairs, 0.99))
    assert np.array_equal(other.strangers[other.own], other.same)


def test_recovered_faces_that_look_like_everybody_match_strangers(campaign: Campaign) -> None:
    face = luminance(campaign.faces.pictures)
    right = campaign.faces.recognised(face)
    assert [each.judge for each in right] == ["one", "two"]
    judge = campaign.faces.judges[0]._replace(threshold=-1.0)
    anybody = AttackFaces(campaign.faces.pictures, (judge,)).recognised(face)[0]
    assert anybody.comparisons == anybody.false_matches == 6 * 11
    assert anybody.same_picture == 6


def test_a_recovered_face_is_recognised_until_noise_drowns_it(campaign: Campaign) -> None:
    mechanism = Sent("pixels, Laplace", PLANE, calibrate([campaign.faces.pictures], "plane"))
    clear, noisy = (attack_point(mechanism, epsilon, campaign) for epsilon in (None, 10.0))
    assert (clear.faces, clear.epsilon, clear.element_epsilon) == (6, None, None)
    assert noisy.element_epsilon == 10.0 / 112**2
    assert clear.correlation > 0.99 > noisy.correlation
    assert (clear.attack, clear.uploads) == ("face", 1)
    head, *lines = input_lines([clear, noisy])
    assert len(lines) == 4  # a line for each judge
    assert {len(line) for line in lines} == {len(head)}
    assert "none" in lines[0]
    assert " 10 " in lines[2]


def test_faces_are_worth_more_to_the_attack_than_smoothness(campaign: Campaign) -> None:
    mechanism = Sent("pixels, Laplace", PLANE, calibrate([campaign.faces.pictures], "plane"))
    smooth = campaign._replace(attack=SmoothAttack())
    known, unknown = (attack_point(mechanism, 5e4, each) for each in (campaign, smooth))
    assert (known.attack, unknown.attack) == ("face", "smooth")
    assert known.correlation > unknown.correlation + 0.01


def test_several_uploads_of_a_picture_are_less_noise(campaign: Campaign) -> None:
    for mechanism in (
        Sent("2x2 means", replace_block(2), calibrate([campaign.faces.pictures], "plane")),
        GaussianPixels("pixels, Gaussian"),
    ):
        found = [attack_point(mechanism, 3e3, campaign, uploads) for uploads in (1, 16)]
        assert found[1].correlation > found[0].correlation + 0.02
        assert [point.uploads for point in found] == [1, 16]
    released = AsReleased("r", calibrate([campaign.faces.pictures], "none"), 0.01)
    one, many = (attack_point(released, None, campaign, uploads) for uploads in (1, 9))
    assert many.correlation > one.correlation


@pytest.mark.parametrize(("block", "epsilon"), [(1, 1.0), (8, 2.0)])
def test_clamping_to_grey_levels_does_not_pull_recovered_faces_to_grey(
    block: int, epsilon: float
) -> None:
    """The mean over all that could be is the mean of faces: of dark ones it is dark."""
    rng = np.random.default_rng(4)
    dark = np.full((60, 112, 112), 45.0) + 12 * rng.standard_normal((60, 1, 1))
    planes = np.clip(dark + 4 * rng.standard_normal(dark.shape), 0, 255)
    pictures = np.repeat(planes[..., None], 3, axis=-1).astype(np.uint8)
    true = luminance(pictures)
    attack = FaceAttack(fit_face_prior(true[:40], 8))
    spec = msgspec.structs.replace(PLANE, pixel_block=block)
    mechanism = Sent("means", spec, calibrate([pictures], "plane"))
    found = mechanism.recovered(pictures[40:], epsilon * (112 // block) ** 2, Attempt(attack, rng))
    assert found.mean() == pytest.approx(true[40:].mean(), abs=5)


def test_uploads_of_drawn_channels_have_no_mean(campaign: Campaign) -> None:
    spec = FeatureSpec(fusion="none", colour="none", selection="random")
    few = campaign.faces.pictures[:2]
    drawn = Sent("drawn", spec, calibrate([few], "none", "random"))
    attempt = Attempt(campaign.attack, np.random.default_rng(1), 4)
    with pytest.raises(ScenarioError, match="no mean"):
        drawn.recovered(few, None, attempt)


def test_drawn_channels_and_learned_shares_are_read_with_what_faces_have_in_common(
    campaign: Campaign,
) -> None:
    few, true = campaign.faces.pictures[:3], luminance(campaign.faces.pictures[:3])
    rng = np.random.default_rng(1)
    drawn = FeatureSpec(fusion="none", colour="none", selection="random")
    places = np.ones((28, 28), np.float32)
    places[:, :14] = 1.9
    places[:, 14:] = 0.1
    shares = Allocation(np.ones(1, np.float32), places)
    learned = replace(calibrate([few], "plane"), allocation=shares)
    for mechanism, epsilon in (
        (Sent("drawn", drawn, calibrate([few], "none", "random")), None),
        (Sent("means", replace_block(4), learned), 784 * 10.0),
    ):
        found = mechanism.recovered(few, epsilon, Attempt(campaign.attack, rng))
        known = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(found, true, strict=True)]
        assert min(known) > 0.6, mechanism.name
    error = np.abs(found - true).mean(axis=(0, 1))
    assert error[:48].mean() < error[64:].mean()


def replace_block(block: int) -> FeatureSpec:
    return msgspec.structs.replace(PLANE, pixel_block=block)


def point(same: int, other: int, false: int, faces: int = 200) -> AttackPoint:
    judged = Recognised(
        judge="one",
        same_picture=same,
        other_picture=other,
        other_picture_strict=0,
        false_matches=false,
        false_matches_strict=0,
        comparisons=100 * faces,
        faces=faces,
    )
    return AttackPoint(
        mechanism="m",
        attack="face",
        uploads=1,
        epsilon=1.0,
        element_epsilon=1.0,
        correlation=0.5,
        judged=(judged,),
        faces=faces,
    )


def test_nobody_is_recognised_where_strangers_match_as_often() -> None:
    assert hidden(point(0, 0, 0))
    assert hidden(point(4, 2, 200))  # two of 200 match by chance at FMR 1 %, five are too many
    assert not hidden(point(6, 0, 200))
    assert not hidden(point(0, 6, 200))
    assert hidden(point(12, 10, 1000))  # recovered faces that look like one in twenty


def test_budgets_end_where_nobody_is_recognised_and_uploads_are_averaged_there(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    mechanism = Sent("pixels", PLANE, calibrate([campaign.faces.pictures], "plane"))
    monkeypatch.setattr(
        "orchestration.benchmarks.inputs.measure.hidden", lambda p: p.epsilon == 20.0
    )
    points = list(
        attack_points(
            [mechanism], (None, 30.0, 20.0, 10.0), KeptAttacks(None, campaign).point, (4,)
        )
    )
    assert [(p.epsilon, p.uploads) for p in points] == [(None, 1), (30.0, 1), (20.0, 1), (20.0, 4)]


def test_finished_attacks_are_not_made_again_unless_something_differs(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration = calibrate([campaign.faces.pictures], "plane")
    first = KeptAttacks(tmp_path, campaign).point(Sent("means", replace_block(8), calibration), 1e3)
    assert len(list(tmp_path.glob("*.json"))) == 1
    monkeypatch.setattr("orchestration.benchmarks.inputs.kept.attack_point", None)
    renamed = Sent("8x8", replace_block(8), calibration)
    again = KeptAttacks(tmp_path, campaign).point(renamed, 1e3)
    assert again == msgspec.structs.replace(first, mechanism="8x8")
    places = np.ones((14, 14), np.float32)
    places[0, 0], places[1, 1] = 1.5, 0.5
    learned = replace(calibration, allocation=Allocation(np.ones(1, np.float32), places))
    for mechanism, epsilon, uploads, seed in (
        (renamed, 2e3, 1, 7),
        (renamed, 1e3, 2, 7),
        (renamed, 1e3, 1, 8),
        (Sent("8x8", replace_block(4), calibration), 1e3, 1, 7),
        (Sent("8x8", replace_block(8), learned), 1e3, 1, 7),
    ):
        kept = KeptAttacks(tmp_path, campaign._replace(seed=seed))
        with pytest.raises(TypeError):
            kept.point(mechanism, epsilon, uploads)
    (path,) = tmp_path.glob("*.json")
    path.write_text("{")
    with pytest.raises(DataError, match="not a finished attack"):
        KeptAttacks(tmp_path, campaign).point(renamed, 1e3)


def test_an_adversary_without_pictures_knows_nothing_of_faces() -> None:
    with pytest.raises(DataError, match="at least 8"):
        linear_attack(FACES, 3)
    assert linear_attack(FACES, 3, "smooth").name == "smooth"


def test_the_command_writes_what_both_judges_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = cli_training.Faces(
        load_scenario("accuracy-inputs"),
        SyntheticFaces(3, training_people=10, test_people=6, pictures=2),
        tiny(5),
    )
    monkeypatch.setattr(cli_training, "open_faces", lambda _: faces)
    monkeypatch.setattr(cli_training, "judges_of", lambda *_: {"ms1m": tiny(5), "casia": tiny(6)})
    monkeypatch.setattr("orchestration.cli.evaluate_inputs.EPSILONS", (None, 6e3))
    out = tmp_path / "inputs.json"
    asked = ["evaluate", "inputs", "--faces", "4", "--mechanism", "8x8 means", "--out", str(out)]
    found = CliRunner().invoke(main, asked)
    assert found.exit_code == 0, found.output
    content = json.loads(out.read_bytes())
    assert set(content["thresholds"]) == {"ms1m", "casia"}
    first = msgspec.convert(content["points"][0], AttackPoint)
    assert [each.judge for each in first.judged] == ["ms1m", "casia"]
    assert first.judged[0].comparisons == 4 * 5
    wrong = CliRunner().invoke(main, [*asked[:4], "--mechanism", "magic"])
    assert wrong.exit_code == 2
    assert "no mechanism 'magic'" in wrong.output


def test_budgets_beyond_the_sampler_or_without_effect_are_left_out() -> None:
    rng = np.random.default_rng(6)
    training = rng.integers(0, 256, (4, 112, 112, 3), dtype=np.uint8)
    names = ["4x4 means, Laplace", "63 maxabs, Laplace (HFCF)"]
    means, coefficients = mechanisms([training], names)
    assert means.can_spend(None)
    assert means.can_spend(784 * 32.0)
    assert not means.can_spend(784 * 33.0)  # hides nothing
    assert coefficients.can_spend(63 * 112**2 * 10.0)
    assert not coefficients.can_spend(63 * 112**2 * 11.0)


def test_narrowed_bounds_keep_their_centre() -> None:
    rng = np.random.default_rng(6)
    bounds = calibrate([rng.integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)], "maxabs")
    found = narrowed(bounds, 0.25)
    np.testing.assert_allclose(found.sensitivity, bounds.sensitivity / 4, rtol=1e-4)
    np.testing.assert_allclose(
        found.lower + found.upper, bounds.lower + bounds.upper, atol=1e-2, rtol=1e-4
    )
