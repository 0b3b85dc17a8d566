from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocol.errors import DataError
from scenarios.datasets import FolderFaces, LfwFaces, open_dataset, split_scenario_data
from scenarios.datasets.lfw import LFW_FILES
from scenarios.schema import load_scenario
from scenarios.specs import DataSpec


def encoded(value: int, size: tuple[int, int] = (112, 112), form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    pixels[..., 0] = 200
    pixels[size[1] // 2 :, :, 0] = 100  # something to see
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def faces(people: int = 10) -> dict[str, bytes]:
    return {
        f"person-{person}/{picture}.png": encoded(10 * person + picture)
        for person in range(people)
        for picture in range(2)
    }


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path / "faces.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path / "faces.zip"


@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_a_folder_and_a_zip_hold_the_same_faces(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    dataset = FolderFaces(pack(tmp_path, {**faces(), "README.txt": b"", ".hidden/a.png": b""}))
    assert dataset.identities == [f"person-{person}" for person in range(10)]
    assert dataset.pictures_of("person-3") == ["person-3/0.png", "person-3/1.png"]
    loaded = dataset.load(["person-3/1.png", "person-0/0.png"])
    assert loaded.shape == (2, 112, 112, 3)
    assert loaded.dtype == np.uint8
    assert loaded[0, 0, 0].tolist() == [200, 31, 31]
    assert loaded[1, 0, 0].tolist() == [200, 0, 0]


def test_training_and_test_people_of_a_folder_are_disjoint_and_stable(tmp_path: Path) -> None:
    dataset = FolderFaces(as_folder(tmp_path, faces()))
    training, test = dataset.training_identities(), dataset.test_identities()
    assert len(training) == 3
    assert sorted([*training, *test]) == dataset.identities
    assert FolderFaces(tmp_path).training_identities() == training


def test_grey_and_jpeg_pictures_become_rgb(tmp_path: Path) -> None:
    grey = io.BytesIO()
    half = Image.new("L", (112, 112), 77)
    half.paste(20, (0, 0, 56, 112))
    half.save(grey, "PNG")
    files = {"a/1.PNG": grey.getvalue(), "a/2.jpg": encoded(90, form="JPEG")}
    loaded = FolderFaces(as_folder(tmp_path, files)).load(["a/1.PNG", "a/2.jpg"])
    assert (loaded[0, :, 56:] == 77).all()
    assert (loaded[0, :, :56] == 20).all()
    assert abs(int(loaded[1, 50, 50, 1]) - 90) <= 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (encoded(1, (96, 112)), "expected 112x112 pixels, got 96x112"),
        (b"not a picture", "not a readable picture"),
        (encoded(1)[:150], "not a readable picture"),
        (encoded(1, form="ICO"), "not a readable picture"),
        (b"\x00" * (5 << 20), "too large"),
    ],
)
@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_a_bad_picture_is_named(tmp_path: Path, pack: object, data: bytes, says: str) -> None:
    assert callable(pack)
    dataset = FolderFaces(pack(tmp_path, {"a/1.png": data}))
    with pytest.raises(DataError) as caught:
        dataset.load(["a/1.png"])
    assert says in caught.value.message
    assert caught.value.where.endswith("a/1.png")
    assert caught.value.exit_code == 2


def test_an_identity_without_pictures_is_named(tmp_path: Path) -> None:
    as_folder(tmp_path, faces())
    (tmp_path / "nobody").mkdir()
    with pytest.raises(DataError, match="identity with no pictures") as caught:
        FolderFaces(tmp_path)
    assert caught.value.where == f"{tmp_path}/nobody"


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        FolderFaces(tmp_path / "none")
    with pytest.raises(DataError, match="no identities"):
        FolderFaces(tmp_path)
    (tmp_path / "faces.zip").write_bytes(b"PK, but no archive")
    with pytest.raises(DataError, match="neither a folder nor"):
        FolderFaces(tmp_path / "faces.zip")


@pytest.mark.parametrize("picture", ["../secret.png", "person-0/9.png", "person-0", "nobody/0.png"])
def test_only_listed_pictures_are_read(tmp_path: Path, picture: str) -> None:
    (tmp_path / "secret.png").write_bytes(encoded(1))
    dataset = FolderFaces(as_folder(tmp_path / "faces", faces()))
    with pytest.raises(DataError, match="no such picture"):
        dataset.load([picture])
    with pytest.raises(DataError, match="no such person"):
        dataset.pictures_of("nobody")


def small_lfw(root: Path) -> Path:
    (root / "data/lfw").mkdir(parents=True)
    names = ["Ann_Example", "Bob_Example", "Cy_Example"]
    with zipfile.ZipFile(root / LFW_FILES[0], "w") as archive:
        for value, name in enumerate(names):
            archive.writestr(f"{name}/{name}_0001.jpg", encoded(40 * value, form="JPEG"))
    (root / LFW_FILES[1]).write_text("1\nBob_Example\t1\n")
    (root / LFW_FILES[2]).write_text("2\nCy_Example\t1\nAnn_Example\t1\n")
    return root


def test_lfw_reads_members_and_people_lists(tmp_path: Path) -> None:
    dataset = open_dataset(DataSpec(kind="lfw"), small_lfw(tmp_path))
    assert dataset.training_identities() == ["Bob_Example"]
    assert dataset.test_identities() == ["Ann_Example", "Cy_Example"]
    assert dataset.load(["Cy_Example/Cy_Example_0001.jpg"]).shape == (1, 112, 112, 3)
    assert not dataset.synthetic
    with pytest.raises(DataError, match="no such picture"):
        dataset.load(["Cy_Example/Cy_Example_0002.jpg"])
    with pytest.raises(DataError, match="no such person"):
        dataset.pictures_of("Dan_Example")


def test_lfw_that_is_missing_or_inconsistent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="BAUTA_DATA"):
        open_dataset(DataSpec(kind="lfw"), None)
    with pytest.raises(DataError, match="not found"):
        LfwFaces(tmp_path)
    root = small_lfw(tmp_path)
    (root / LFW_FILES[1]).write_text("2\nBob_Example\t1\n")
    with pytest.raises(DataError, match="expected a count"):
        LfwFaces(root)
    (root / LFW_FILES[1]).write_text("1\nEve_Example\t1\n")
    with pytest.raises(DataError, match="first Eve_Example"):
        LfwFaces(root)


def test_lfw_reversed_swaps_the_halves_and_its_name(tmp_path: Path) -> None:
    root = small_lfw(tmp_path)
    one, other = LfwFaces(root), LfwFaces(root, reverse=True)
    assert one.training_identities() == other.test_identities() != one.test_identities()
    assert one.test_identities() == other.training_identities()
    assert (one.name, other.name) == ("lfw", "lfw-reversed")


@pytest.fixture
def lfw() -> LfwFaces:
    root = os.environ.get("BAUTA_DATA")
    if not root or not (Path(root) / LFW_FILES[0]).is_file():
        pytest.skip("needs LFW: set BAUTA_DATA to the folder that holds data/lfw")
    return LfwFaces(Path(root))


@pytest.mark.data
def test_lfw_has_its_published_size(lfw: LfwFaces) -> None:
    assert len(lfw.identities) == 5749
    assert sum(len(lfw.pictures_of(identity)) for identity in lfw.identities) == 13233
    assert (len(lfw.training_identities()), len(lfw.test_identities())) == (4038, 1711)
    assert not set(lfw.training_identities()) & set(lfw.test_identities())
    picture = lfw.pictures_of("AJ_Cook")[0]
    assert lfw.load([picture]).std() > 20


@pytest.mark.data
@pytest.mark.parametrize("name", ["lfw", "lfw-mapped", "lfw-noise"])
def test_the_lfw_scenarios_use_unseen_people_only(lfw: LfwFaces, name: str) -> None:
    scenario = load_scenario(name)
    split = split_scenario_data(lfw, scenario.data, scenario.seed)
    assert min(len(split.gallery), len(split.mated), len(split.unmated)) >= 1000
    assert split.seen_in_training == 0
    pictured = {identity for identity, _ in (*split.gallery, *split.probes)}
    assert pictured <= set(lfw.test_identities())
    assert max(Counter(identity for identity, _ in split.probes).values()) <= 10


@pytest.mark.data
def test_all_people_of_lfw_make_a_larger_gallery(lfw: LfwFaces) -> None:
    sizes = [f"data.{name}=1680" for name in ("entries", "mated", "unmated")]
    scenario = load_scenario("lfw", ["data.people=all", *sizes])
    split = split_scenario_data(lfw, scenario.data, scenario.seed)
    assert len({identity for identity, _ in split.mated}) == 1680
    assert split.seen_in_training > 1000
