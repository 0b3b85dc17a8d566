"""Which networks a scenario runs: found, or adapted on first use."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orchestration.progress import OnProgress
from typing import Any as RgbEmbedder
from protocol.features import Calibration
from scenarios.datasets import DataSet
from scenarios.specs import Scenario

__all__ = ["Networks", "find_networks"]


class Networks(NamedTuple):
    """The provider's network and the unprotected network beside it.

    Attributes:
        name: what the report calls the provider's network.
        student_path: its file; None where templates pass through.
        calibration: the feature calibration it was trained with.
        rgb: the unprotected baseline, where there is one.
    """

    name: str
    student_path: str | None
    calibration: Calibration | None
    rgb: RgbEmbedder | None


def find_networks(
    scenario: Scenario, data_root: Path | None, dataset: DataSet, on_progress: OnProgress
) -> Networks:
    if scenario.network.kind == "identity":
        return Networks("none: templates pass through", None, None, None)
    raise NotImplementedError
