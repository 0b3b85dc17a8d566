"""Whether probes are as bright as the people the threshold was calibrated on.

A threshold keeps its false alarms on pictures like those it was calibrated on. Dark faces of
different people look alike to a network, and nothing in a run's answers says so. The calibration
people are public; how bright a client's own pictures are is known to the client, who observes it
and sends it to nobody: the evaluator compares the two after the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestration.remembered import Memory, pictures_digest
from protocol.features.luminance import median_luminance
from scenarios.datasets import DataSet

__all__ = ["Brightness", "brightness_notes", "calibration_brightness"]

LOOKED_AT: Final = 200
BATCH: Final = 50
TAIL: Final = 0.05
"""Share of calibration pictures beyond each bound."""
UNLIKE: Final = 3 * TAIL
"""Share of probes beyond a bound that is no accident of a small calibration."""
LEAST: Final = 5
BRIGHTNESS: Final = "brightness"


class Brightness(NamedTuple):
    """Median luminance of calibration pictures, 0 to 255.

    Attributes:
        pictures: how many were looked at.
        low: one in twenty is darker.
        median: of all.
        high: one in twenty is brighter.
    """

    pictures: int
    low: float
    median: float
    high: float


def calibration_brightness(
    dataset: DataSet, pictures: Sequence[str], memory: Memory
) -> Brightness | None:
    """Return how bright the calibration pictures are; None where there are too few to tell.

    `memory` has it from an earlier run, where generating faces would take longer than a run may.
    """
    ids = list(pictures[:: max(1, -(-len(pictures) // LOOKED_AT))])
    if len(ids) * TAIL < 1:
        return None

    def depends() -> dict[str, Any]:
        return {"pictures": pictures_digest(dataset, ids), "tail": TAIL}

    def work() -> npt.NDArray[Any]:
        parts = [dataset.load(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
        found = np.concatenate([median_luminance(part) for part in parts])
        return np.asarray(np.quantile(found, [TAIL, 0.5, 1 - TAIL]))

    known = memory.recall(BRIGHTNESS, depends, work, lambda array: array.shape == (3,))
    low, median, high = (float(value) for value in known)
    return Brightness(len(ids), low, median, high)


def brightness_notes(
    calibration: Brightness | None, probes: npt.NDArray[Any] | None
) -> Iterator[str]:
    """Yield what must be said of probes whose median luminances [P] the client observed."""
    if calibration is None or probes is None or not probes.size:
        return
    beyond = {
        "darker": int(np.count_nonzero(probes < calibration.low)),
        "brighter": int(np.count_nonzero(probes > calibration.high)),
    }
    for word, count in beyond.items():
        if count >= max(LEAST, UNLIKE * probes.size):
            yield (
                f"Probes are {word} than the people the threshold was calibrated on: {count} of "
                f"{probes.size} are {word} than all but {100 * TAIL:g} % of those (median "
                f"luminance {np.median(probes):.0f} against {calibration.median:.0f}). False "
                "alarms may be far more than the threshold was set for."
            )
