"""On real faces: noise of one epsilon a coefficient, which smoothness cannot undo, hides few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from orchestration.benchmarks.inputs.judges import attack_faces
from orchestration.benchmarks.inputs.measure import (
    Campaign,
    attack_point,
    hidden,
    linear_attack,
)
from orchestration.benchmarks.inputs.mechanisms import mechanisms
from orchestration.cli.training import open_faces
from orchestration.training import calibrating_pictures
from scenarios.datasets import DataSet

pytestmark = [pytest.mark.slow, pytest.mark.data]

FACES = 24
HFCF, MEANS = "63 maxabs, Laplace (HFCF)", "4x4 means, Laplace"


class Fewer:
    """A data set of which fewer people are tested, so that a judge has less to look at."""

    def __init__(self, whole: DataSet, people: int) -> None:
        several = [name for name in whole.test_identities() if len(whole.pictures_of(name)) > 1]
        self._whole, self._people = whole, several[:people]

    def test_identities(self) -> Sequence[str]:
        return self._people

    def __getattr__(self, name: str) -> object:
        return getattr(self._whole, name)


def test_faces_under_an_epsilon_of_one_are_recognised_and_smoothness_recognises_nobody() -> None:
    _, dataset, network = open_faces("accuracy-inputs")
    few: DataSet = Fewer(dataset, 240)  # type: ignore[assignment]
    faces = attack_faces(few, {"ms1m": network}, FACES)
    known = Campaign(faces, linear_attack(dataset, 1200), 7)
    bounds = calibrating_pictures(dataset, 300)
    coefficients, means = mechanisms([bounds], [HFCF, MEANS])
    for mechanism, epsilon in ((coefficients, 63 * 112.0**2), (means, 1.2e4)):
        point = attack_point(mechanism, epsilon, known)
        (said,) = point.judged
        assert said.same_picture >= FACES // 4, mechanism.name
        assert said.false_matches is not None
        assert said.false_matches < 0.02 * said.comparisons
        assert not hidden(point)
    smooth = attack_point(means, 1.2e4, known._replace(attack=linear_attack(dataset, 0, "smooth")))
    assert smooth.judged[0].same_picture <= 1
    nothing = attack_point(coefficients, 63 * 112.0**2 / 16, known)
    assert nothing.judged[0].same_picture <= 2
    assert np.isfinite(nothing.correlation)
