"""A run says when its probes are darker or brighter than the people its threshold stands on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from orchestration.brightness import Brightness, brightness_notes, calibration_brightness
from orchestration.job import run_job
from orchestration.remembered import Memory
from protocol.features.luminance import median_luminance
from scenarios.datasets import FolderFaces, SyntheticFaces
from scenarios.schema import load_scenario

USUAL = Brightness(200, 60.0, 110.0, 180.0)
SETTINGS = (
    "runtime=memory", "data.kind=folder", "data.entries=6", "data.mated=6", "data.unmated=6",
    "search.fpir=0.3", "report=false",
)  # fmt: skip


def test_luminance_is_that_of_the_face_not_of_its_surroundings() -> None:
    pictures = np.full((2, 112, 112, 3), 255, np.uint8)
    pictures[:, 15:97, 15:97] = (200, 100, 0)
    pictures[1] //= 2
    expected = (77 * 200 + 150 * 100) / 256
    assert median_luminance(pictures).tolist() == pytest.approx([expected, expected / 2])


@pytest.mark.parametrize(
    ("probes", "word"),
    [
        ([20.0] * 20, "darker"),
        ([20.0] * 6 + [110.0] * 24, "darker"),
        ([220.0] * 20, "brighter"),
        ([110.0] * 20, None),
        ([20.0] * 2 + [220.0] * 2 + [110.0] * 36, None),
        ([20.0] * 4, None),  # too few to say
        ([], None),
    ],
)
def test_a_share_beyond_the_bounds_is_said(probes: list[float], word: str | None) -> None:
    notes = list(brightness_notes(USUAL, np.array(probes)))
    assert len(notes) == (word is not None)
    assert all(f"Probes are {word} than" in note for note in notes)


def test_nothing_is_said_where_nothing_was_calibrated_or_seen() -> None:
    assert list(brightness_notes(None, np.zeros(50))) == []
    assert list(brightness_notes(USUAL, None)) == []
    faces = SyntheticFaces(3, training_people=3, test_people=2, pictures=2)
    ids = [faces.pictures_of(person)[0] for person in faces.training_identities()]
    assert calibration_brightness(faces, ids, Memory(active=False)) is None


def _folder(root: Path, darker: float) -> Path:
    """Faces in grey of random brightness, those of the test people `darker` times darker."""
    rng = np.random.default_rng(3)
    for person in range(90):
        (root / f"p{person:02d}").mkdir(parents=True)
    names = [path.name for path in root.iterdir()]
    for name in names:
        for index in range(2):
            face = np.clip(rng.integers(60, 220) + rng.normal(0, 12, (112, 112)), 0, 255)
            Image.fromarray(face.astype(np.uint8)).save(root / name / f"{index}.png")
    for dark in FolderFaces(root).test_identities():
        for path in (root / dark).iterdir():
            Image.open(path).point(lambda value: value / darker).save(path)
    return root


@pytest.mark.parametrize("darker", [1.0, 6.0])
def test_dark_probes_are_said_in_the_record_and_usual_ones_are_not(
    tmp_path: Path, darker: float
) -> None:
    root = _folder(tmp_path / "faces", darker)
    scenario = load_scenario("embedded", (*SETTINGS, f"data.path={root}"))
    path = run_job(scenario, data_root=None, out_root=tmp_path, on_progress=lambda _: None)
    warnings = msgspec.json.decode((path / "run.json").read_bytes())["warnings"]
    said = [text for text in warnings if text.startswith("Probes are darker")]
    assert len(said) == (darker > 1)
    assert all("12 of 12 are darker" in text for text in said)
