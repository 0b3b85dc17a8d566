from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from orchestration.accuracy import trials
from orchestration.accuracy.sources import Source, open_source, with_pixel_noise
from orchestration.cli import climbing
from orchestration.cli.main import main
from orchestration.progress import Progress
from protocol.errors import DataError, ScenarioError
from scenarios.datasets import FolderFaces

Pictures = np.ndarray


def quiet(_: Progress) -> None:
    """Take progress and say nothing."""


def picture(rng: np.random.Generator, person: np.ndarray) -> bytes:
    noisy = np.clip(person + rng.normal(0, 6, person.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).resize((112, 112), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty-four people of coloured squares: twenty with two pictures, four with one."""
    rng = np.random.default_rng(2)
    root = tmp_path / "people"
    for number in range(24):
        person = rng.integers(0, 256, (4, 4, 3)).astype(np.float64)
        (root / f"p{number:02d}").mkdir(parents=True)
        for index in range(2 if number < 20 else 1):
            (root / f"p{number:02d}" / f"{index}.png").write_bytes(picture(rng, person))
    return root


def squares(pictures: Pictures) -> np.ndarray:
    """Embed a picture of squares as their centred colours."""
    found = pictures[:, 14::28, 14::28].reshape(len(pictures), -1).astype(np.float32)
    return np.asarray(found - found.mean(axis=1, keepdims=True))


def source(trained_on: str | None = None, name: str = "squares") -> Source:
    return Source(name, "colours of squares", trained_on, squares, {})


def test_people_a_network_was_adapted_on_are_left_out(folder: Path) -> None:
    dataset = FolderFaces(folder)
    trial = trials.run_faces(
        [source("people")], str(folder), None, quiet, which="unseen", mirror=False, seed=3
    )
    assert trial.people is not None
    assert len(np.unique(trial.people.person)) == len(dataset.test_identities()) == 17
    assert "7 people it was adapted on are left out" in trial.notes[1]
    everyone = trials.run_faces(
        [source("people")], str(folder), None, quiet, which="all", mirror=False, seed=3
    )
    assert everyone.people is not None
    assert len(np.unique(everyone.people.person)) == 24
    assert "optimistic" in everyone.notes[1]
    (pairs,) = everyone.pairs
    several = [name for name in dataset.training_identities() if len(dataset.pictures_of(name)) > 1]
    assert pairs.shared == len(several)
    assert pairs.scores[pairs.same].min() > pairs.scores[~pairs.same].max()


def test_a_cross_fit_needs_complementary_networks(folder: Path) -> None:
    for both in ([source("people")] * 2, [source("people"), source(None)]):
        with pytest.raises(ScenarioError, match="complementary"):
            trials.run_faces(both, str(folder), None, quiet, which="unseen", mirror=False, seed=3)


def test_templates_average_frames_of_a_medium_before_media(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(picture(rng, rng.integers(0, 256, (4, 4, 3)) * 1.0))
    (tmp_path / "t.csv").write_text(
        "template_id,media_id,path\n1,v,a.png\n1,v,b.png\n1,w,c.png\n2,v,d.png\n"
    )
    (tmp_path / "p.csv").write_text("template_a,template_b,same\n1,2,0\n1,1,1\n")
    trial = trials.run_templates(source(), tmp_path / "t.csv", tmp_path / "p.csv", tmp_path, quiet)
    files = [tmp_path / f"{name}.png" for name in "abcd"]
    frames = squares(np.stack([np.asarray(Image.open(file)) for file in files]))
    units = frames / np.linalg.norm(frames, axis=1, keepdims=True)
    first = (units[0] + units[1]) / 2 + units[2]
    expected = float(first @ units[3] / np.linalg.norm(first))
    assert trial.pairs[0].scores == pytest.approx([expected, 1.0], abs=1e-5)


def test_a_missing_picture_of_a_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("template_id,media_id,path\n1,v,gone.png\n")
    (tmp_path / "p.csv").write_text("template_a,template_b,same\n1,1,1\n")
    with pytest.raises(DataError, match=r"gone\.png"):
        trials.run_templates(source(), tmp_path / "t.csv", tmp_path / "p.csv", tmp_path, quiet)


def test_stored_embeddings_cannot_judge_other_pictures(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    buffer = io.BytesIO()
    Image.new("RGB", (112, 112)).save(buffer, "PNG")
    path.write_bytes(pickle.dumps(([buffer.getvalue()] * 2, [True])))
    with pytest.raises(DataError, match="stored embeddings"):
        trials.run_bin(open_source("stored:ms1m", None), path, quiet, mirror=False)


def test_noise_on_pixels_reaches_a_network_that_knows_nothing_of_it() -> None:
    faces = np.full((2, 112, 112, 3), 128, np.uint8)
    seen: list[np.ndarray] = []

    def record(pictures: Pictures) -> np.ndarray:
        seen.append(pictures)
        return np.zeros((len(pictures), 4), np.float32)

    noisy = with_pixel_noise(source()._replace(embed=record), 10.0)
    assert noisy.embed is not None
    noisy.embed(faces)
    assert seen[0].astype(float).std() == pytest.approx(np.sqrt(2) * 25.5, rel=0.05)
    assert "epsilon 10 per pixel value" in noisy.says
    with pytest.raises(ScenarioError, match="pixel_epsilon"):
        with_pixel_noise(source(), 1025.0)
    with pytest.raises(ScenarioError, match="take no noise"):
        with_pixel_noise(open_source("stored:ms1m", None), 10.0)


def test_both_networks_of_a_cross_fit_get_the_noise() -> None:
    arguments = ["evaluate", "network", "shipped", "--pixel-epsilon", "10"]
    result = CliRunner().invoke(main, [*arguments, "--crossfit", "stored:ms1m"])
    assert result.exit_code == 2
    assert "stored embeddings take no noise" in result.stderr


def test_an_unknown_network_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["evaluate", "network", "arcface"])
    assert result.exit_code == 2
    assert "no such network" in result.stderr


def test_the_shipped_network_is_judged_on_a_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    result = CliRunner().invoke(
        main, ["evaluate", "network", "shipped", "--data", str(folder), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "5 folds of drawn pairs" in result.stdout
    written = json.loads(out.read_text())
    assert written["command"] == "evaluate network"
    assert "training people of synthetic" in written["notes"][0]
    assert written["people"]["closed_set"]["gallery"] == 24


@pytest.mark.data
def test_a_verification_file_made_from_lfw_gives_the_accuracy_of_its_pairs(tmp_path: Path) -> None:
    root = Path(os.environ["BAUTA_DATA"]) / "data" / "lfw"
    lines = [line.split("\t") for line in (root / "pairsDevTest.txt").read_text().splitlines()]
    chosen = [*lines[1:9], *lines[501:509]]
    bins: list[bytes] = []
    with zipfile.ZipFile(root / "lfw112_q95.zip") as archive:
        for fields in chosen:
            for name, number in ((fields[0], fields[1]), (fields[-2], fields[-1])):
                person = name if not name.isdecimal() else fields[0]
                bins.append(archive.read(f"{person}/{person}_{int(number):04d}.jpg"))
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps((bins, [len(fields) == 3 for fields in chosen]), protocol=2))
    network = open_source("ms1m", root.parent.parent)
    trial = trials.run_bin(network, path, quiet, mirror=False)
    (pairs,) = trial.pairs
    assert pairs.same.sum() == 8
    assert pairs.scores[pairs.same].min() > pairs.scores[~pairs.same].max()
    assert "overlap cannot be excluded" in trial.notes[0]


@pytest.mark.data
@pytest.mark.slow
def test_stored_embeddings_give_the_published_figures() -> None:
    result = CliRunner().invoke(main, ["evaluate", "network", "stored:casia", "--mirror", "--json"])
    found = json.loads(result.stdout)
    assert found["pairs"][0]["accuracy"]["mean"] == pytest.approx(0.9907, abs=0.0002)
    assert found["people"]["closed_set"]["rank_1"]["value"] == pytest.approx(0.9312, abs=0.0002)
    tar = [pairs["rate"]["tar"]["value"] for pairs in found["people"]["all_pairs"]]
    assert tar[1:] == pytest.approx([0.9458, 0.8677], abs=0.0003)


def test_a_climb_rates_its_networks_by_the_same_measures(folder: Path) -> None:
    trial = trials.run_faces(
        [source()], str(folder), None, quiet, which="all", mirror=False, seed=3
    )
    rates = climbing._judge(trial)
    assert rates.pairs == 1.0
    low, high = rates.pairs_range
    assert 0.7 < low < high == 1.0
    assert rates.rank_1_range[0] < rates.rank_1 == 1.0


def test_the_difference_of_two_networks_is_of_people_neither_met(
    folder: Path, tmp_path: Path
) -> None:
    first = [source("people", "first")]
    met = trials.met_people(first, str(folder), None)
    assert len(met) == 7
    other = trials.run_faces(
        [source()], str(folder), None, quiet, which="unseen", mirror=False, seed=3, without=met
    )
    own = trials.run_faces(first, str(folder), None, quiet, which="unseen", mirror=False, seed=3)
    assert own.people is not None
    assert other.people is not None
    assert np.array_equal(own.people.person, other.people.person)
    out = tmp_path / "result.json"
    arguments = ["evaluate", "network", "shipped", "--against", "shipped", "--data", str(folder)]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "points, on the same pictures" in result.stdout
    written = json.loads(out.read_text())
    assert {found["difference"]["value"] for found in written["differences"]} == {0}
    assert {len(found["sha256"]) for found in written["networks"]} == {64}
    assert written["asked"]["against"] == "shipped"
