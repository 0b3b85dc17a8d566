"""Rates under light: thresholds as taken, differences paired."""

from __future__ import annotations

import numpy as np
import pytest

from reports.illumination import illumination_lines, judge_light, searched

LIGHTS = [("as taken", "none", 110.0), ("night", "exposure", 12.0)]
PEOPLE, STRANGERS = 40, 60


def units(rows: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((rows, 64))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def trial(collapse: int) -> tuple[dict[str, object], np.ndarray]:
    """Return what a network finds that sends `collapse` of every kind to one point at night."""
    gallery, strangers = units(PEOPLE, 1), units(STRANGERS, 2)
    night = np.concatenate([gallery, strangers])
    night[:collapse] = night[PEOPLE : PEOPLE + collapse] = gallery[-1]
    day = np.concatenate([gallery, strangers])
    calibration = (units(100, 3) @ gallery.T).max(axis=1).astype(np.float64)
    return {"as taken": searched(gallery, day), "night": searched(gallery, night)}, calibration


def test_faces_that_fall_together_are_false_alarms_and_not_found() -> None:
    found, calibration = trial(collapse=10)
    result = judge_light("student", found, calibration, LIGHTS)  # type: ignore[arg-type]
    day, night = result.rows
    assert (result.gallery, result.strangers, result.calibration) == (PEOPLE, STRANGERS, 100)
    assert day.rank_1.value == day.tpir.value == 1.0
    assert day.fpir.value < 0.1
    assert night.rank_1.value == pytest.approx(30 / 40)
    assert night.tpir.value == pytest.approx(30 / 40)
    assert night.fpir.value >= 10 / 60
    assert night.rank_1.low is not None
    assert night.rank_1.low < 0.75
    assert day.rank_1_difference is None


def test_differences_are_paired_and_vanish_between_a_network_and_itself() -> None:
    found, calibration = trial(collapse=0)
    other, _ = trial(collapse=10)
    same = judge_light("b", found, calibration, LIGHTS, (found, calibration))  # type: ignore[arg-type]
    gap = same.rows[1].rank_1_difference
    assert gap is not None
    assert (gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0)
    worse = judge_light("b", other, calibration, LIGHTS, (found, calibration))  # type: ignore[arg-type]
    gap = worse.rows[1].rank_1_difference
    assert gap is not None
    assert gap.value == pytest.approx(-0.25)
    assert gap.high is not None
    assert gap.high < 0
    text = "\n".join(illumination_lines(["a note"], [same, worse]))
    assert "a note" in text
    assert "-25.0 (" in text
    assert "threshold" in text
