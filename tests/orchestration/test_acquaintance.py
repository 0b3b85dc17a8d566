"""A network's own record says whom it saw, whatever half, folder or file the run uses."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from orchestration.acquaintance import acquaintance, public_record, remember_people
from orchestration.job import run_job
from parties.model_provider import read_student, save_student
from parties.model_provider.shipped import SHIPPED_STUDENT
from scenarios.datasets import FolderFaces, LfwFaces
from scenarios.datasets.lfw import LFW_FILES
from scenarios.schema import load_scenario


def people_folder(root: Path, names: Sequence[str], pictures: int = 3) -> Path:
    rng = np.random.default_rng(1)
    for name in names:
        (root / name).mkdir(parents=True)
        for index in range(pictures):
            face = rng.integers(0, 256, (112, 112, 3), dtype=np.uint8)
            Image.fromarray(face).save(root / name / f"{index}.png")
    return root


def small_lfw(root: Path) -> Path:
    (root / "data/lfw").mkdir(parents=True)
    buffer = io.BytesIO()
    Image.new("RGB", (112, 112)).save(buffer, "JPEG")
    with zipfile.ZipFile(root / LFW_FILES[0], "w") as archive:
        for name in ("Ann", "Bob", "Cy"):
            archive.writestr(f"{name}/{name}_0001.jpg", buffer.getvalue())
    (root / LFW_FILES[1]).write_text("1\nBob\t1\n")
    (root / LFW_FILES[2]).write_text("2\nCy\t1\nAnn\t1\n")
    return root


def test_a_reversed_network_meets_the_very_people_it_saw(tmp_path: Path) -> None:
    root = small_lfw(tmp_path)
    record: dict[str, Any] = {}
    remember_people(record, LfwFaces(root, reverse=True))
    lfw = LfwFaces(root)
    found = acquaintance(record, lfw, lfw.test_identities(), root)
    assert found.met == {"Ann", "Cy"}
    (note,) = found.notes(2)
    assert note.startswith("2 of the 2 people of this run")
    assert "lfw-reversed" in note
    assert not acquaintance(record, lfw, lfw.training_identities(), root).met


@pytest.mark.parametrize("data", ["lfw", "lfw-reversed"])
def test_files_from_before_there_were_digests_are_looked_up(tmp_path: Path, data: str) -> None:
    root = small_lfw(tmp_path)
    record = {"data": data, "people": 1}
    lfw = LfwFaces(root)
    met = {"lfw": {"Bob"}, "lfw-reversed": {"Ann", "Cy"}}
    assert acquaintance(record, lfw, lfw.identities, root).met == met[data]
    folder = FolderFaces(people_folder(tmp_path / "mine", ["Ann", "Zoe"]))
    assert acquaintance(record, folder, folder.identities, root).met == met[data] & {"Ann"}
    unknown = acquaintance(record, folder, folder.identities, None)
    assert not unknown.known
    assert "does not say whom" in next(unknown.notes(2))


def test_a_folder_is_compared_by_its_people_not_by_its_split(tmp_path: Path) -> None:
    record: dict[str, Any] = {}
    remember_people(record, LfwFaces(small_lfw(tmp_path)))
    strangers = FolderFaces(people_folder(tmp_path / "mine", ["Xia", "Yan", "Zoe"]))
    assert not list(acquaintance(record, strangers, strangers.identities, None).notes(3))
    same = FolderFaces(people_folder(tmp_path / "theirs", ["Bob", "Yan", "Zoe"]))
    assert acquaintance(record, same, same.identities, None).met == {"Bob"}


def test_the_networks_a_student_started_from_count_too(tmp_path: Path) -> None:
    lfw = LfwFaces(small_lfw(tmp_path))
    first: dict[str, Any] = {}
    remember_people(first, lfw)
    record: dict[str, Any] = {"start": first}
    remember_people(record, LfwFaces(tmp_path, reverse=True))
    assert acquaintance(record, lfw, lfw.identities, None).met == {"Ann", "Bob", "Cy"}


def test_a_record_names_nobody_and_two_records_are_not_linked(tmp_path: Path) -> None:
    lfw = LfwFaces(small_lfw(tmp_path))
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    remember_people(one, lfw)
    remember_people(other, lfw)
    assert "Bob" not in repr(one)
    assert one["people_digests"] != other["people_digests"]
    assert public_record({"start": one, **one}) == {
        "data": "lfw", "people": 1, "start": {"data": "lfw", "people": 1},
    }  # fmt: skip


@pytest.mark.parametrize("broken", [{"people_salt": "zz"}, {"people_digests": "abc"}, {}])
def test_a_malformed_record_says_that_it_cannot_tell(tmp_path: Path, broken: Any) -> None:
    lfw = LfwFaces(small_lfw(tmp_path))
    record = {"data": "elsewhere", "people_salt": "00" * 16, "people_digests": "0" * 12, **broken}
    assert acquaintance(record, lfw, lfw.identities, None).known == (not broken)


def test_a_run_names_the_people_its_network_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = people_folder(tmp_path / "mine", [f"person-{index:02d}" for index in range(20)])
    student = read_student(SHIPPED_STUDENT)
    student.record.clear()
    remember_people(student.record, FolderFaces(folder))
    save_student(student, tmp_path / "student.npz")
    monkeypatch.setattr("parties.model_provider.shipped.SHIPPED_STUDENT", tmp_path / "student.npz")
    settings = (
        "runtime=memory", "data.kind=folder", f"data.path={folder}", "data.entries=8",
        "data.mated=6", "data.unmated=6", "search.threshold=0.5",
    )  # fmt: skip

    def notes(*more: str) -> list[str]:
        scenario = load_scenario("embedded", (*settings, *more))
        path = run_job(
            scenario, data_root=None, out_root=tmp_path / "runs", on_progress=lambda _: None
        )
        record = msgspec.json.decode((path / "run.json").read_bytes())
        return [text for text in record["warnings"] if "adapted on" in text]

    (note,) = notes("data.people=all", "data.entries=14")
    seen = len(FolderFaces(folder).training_identities())
    assert note.startswith(f"{seen} of the 20 people of this run")
    assert notes() == []
