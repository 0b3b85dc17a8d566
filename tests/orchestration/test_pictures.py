"""A run looks at a user's own pictures first, and its record says what it did to them."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from orchestration.job import run_job
from orchestration.record import epsilons
from protocol.errors import DataError
from protocol.features import PrivacyBudget
from scenarios.schema import load_scenario

SETTINGS = (
    "runtime=memory", "data.kind=folder", "data.entries=4", "data.mated=4", "data.unmated=4",
    "search.threshold=0.5",
)  # fmt: skip


def faces(root: Path) -> Path:
    rng = np.random.default_rng(3)
    for person in range(12):
        (root / f"p{person:02d}").mkdir(parents=True)
        for index in range(2):
            grey = rng.integers(0, 65536, (112, 112), dtype=np.uint16)
            Image.fromarray(grey).save(root / f"p{person:02d}" / f"{index}.png")
    return root


def run(root: Path, out: Path, *more: str) -> Path:
    scenario = load_scenario("embedded", (*SETTINGS, f"data.path={root}", *more))
    return run_job(scenario, data_root=None, out_root=out, on_progress=lambda _: None)


def test_conversions_are_said_once_in_a_run(tmp_path: Path) -> None:
    path = run(faces(tmp_path / "faces"), tmp_path / "runs")
    warnings = msgspec.json.decode((path / "run.json").read_bytes())["warnings"]
    text = "of 24 pictures were converted to upright 8-bit RGB: 24 16-bit, 24 grey"
    assert warnings.count(text) == 1


def test_every_bad_picture_is_named_before_anything_starts(tmp_path: Path) -> None:
    root = faces(tmp_path / "faces")
    (root / "p03/1.png").write_bytes(b"no picture")
    (root / "p07/0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 24 pictures cannot be used") as caught:
        run(root, tmp_path / "runs")
    assert "p07/0.png" in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("colour", "total"), [(math.inf, "no noise"), (4.0, "infinite"), (0.0, "no noise")]
)
def test_no_noise_and_infinite_epsilon_are_told_apart(colour: float, total: str) -> None:
    budget = PrivacyBudget(
        element_epsilon=math.inf,
        image_epsilon=math.inf,
        colour_bit_epsilon=colour,
        colour_image_epsilon=colour,
        total=math.inf,
        person_total=math.inf,
        statement="",
    )
    found = epsilons(budget)
    assert found["element_epsilon"] == found["image_epsilon"] == "no noise"
    assert found["colour_bit_epsilon"] == ("no noise" if math.isinf(colour) else colour)
    assert found["total_epsilon"] == found["person_epsilon"] == total
    assert set(epsilons(None).values()) == {None}
