from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.cli.training import Training, Wishes, precision
from orchestration.training import adapted_name, adapted_places, find_adapted, writable_place
from parties.model_provider import DistilConfig, RgbEmbedder
from parties.model_provider.mobilefacenet import Architecture, MobileFaceNet, initialise
from parties.model_provider.published import RgbScaling
from protocol.errors import DataError
from protocol.features import FeatureSpec
from scenarios.datasets.synthetic import SyntheticFaces
from scenarios.schema import load_scenario


@pytest.fixture
def teacher() -> RgbEmbedder:
    network = initialise(MobileFaceNet(Architecture(dimension=16, width=0.125)), seed=5)
    return RgbEmbedder(network, RgbScaling(0, 1 / 128))


def test_adapted_networks_are_never_written_to_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher: RgbEmbedder
) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    (data / "weights" / "adapted").mkdir(parents=True)
    monkeypatch.setenv("BAUTA_DATA", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    faces = SyntheticFaces(3, training_people=2, test_people=2, pictures=2)
    job = Training(load_scenario("accuracy-inputs"), faces, teacher, DistilConfig())
    assert job.usual_place().parent == cache / "bauta" / "adapted" == writable_place()
    assert list(data.rglob("*.npz")) == []


def test_networks_a_user_put_beside_the_data_are_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for place in adapted_places(tmp_path):
        place.mkdir(parents=True)
    (writable_place() / "student.npz").touch()
    found = find_adapted("student.npz", tmp_path)
    assert found == writable_place() / "student.npz"
    beside = tmp_path / "weights" / "adapted" / "student.npz"
    beside.touch()
    assert find_adapted("student.npz", tmp_path) == beside
    assert find_adapted("other.npz", tmp_path) is None


def test_a_cache_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="XDG_CACHE_HOME"):
        writable_place()


def test_names_tell_features_apart_and_stay_what_they_were(teacher: RgbEmbedder) -> None:
    faces = SyntheticFaces(3, training_people=2, test_people=2, pictures=2)
    plain = FeatureSpec()
    named = adapted_name(plain, teacher, faces)
    assert named.endswith("-maxabs-dlbp-noiseless-662ab24de54a.npz")
    specs = [
        FeatureSpec(pixel_epsilon=4.0),
        FeatureSpec(pixel_epsilon=4.0, pixel_block=2),
        FeatureSpec(pixel_block=2),
        FeatureSpec(selection="high"),
    ]
    assert len({named, *(adapted_name(spec, teacher, faces) for spec in specs)}) == 5


def test_a_wish_for_precision_is_followed() -> None:
    assert precision("float32", "cpu") == "float32"
    assert precision("bfloat16", "cpu") == "bfloat16"
    assert precision("auto", "cpu") in {"float32", "bfloat16"}
    assert Wishes().steps is None
