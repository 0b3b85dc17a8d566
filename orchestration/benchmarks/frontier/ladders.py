"""Mechanisms whose noise is turned up step by step, at equal budgets of the whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.mechanisms import ChannelNoise, Mechanism, PixelNoise
from protocol.errors import ScenarioError
from protocol.features import Calibration, FeatureSpec, calibrate
from protocol.features.spec import EDGE

__all__ = ["LADDERS", "Ladder", "bounds"]

Pictures = NDArray[np.uint8]
BATCH: Final = 64


class Ladder(NamedTuple):
    """One mechanism.

    Attributes:
        name: short, for options and files.
        title: for tables and figures.
        quiet: its features without noise; nothing without noise is sent beside the noisy part.
        epsilons: budgets of the picture between which its networks go from good to useless.
    """

    name: str
    title: str
    quiet: FeatureSpec
    epsilons: tuple[float, ...]

    @property
    def values(self) -> int:
        """How many numbers of a picture noise is drawn for."""
        if self.quiet.fusion == "plane":
            return self.quiet.pixel_values
        return self.quiet.frequency_channels * EDGE**2

    def at(self, epsilon: float | None) -> FeatureSpec | None:
        """Return the features at a budget of the picture; None where they cannot be had."""
        if epsilon is None:
            return self.quiet
        field = "pixel_epsilon" if self.quiet.fusion == "plane" else "epsilon"
        try:
            return msgspec.structs.replace(self.quiet, **{field: epsilon / self.values})
        except ScenarioError:
            return None

    def attacked(self, calibration: Calibration) -> Mechanism:
        """Return the mechanism as the linear attack knows it."""
        if self.quiet.fusion == "plane":
            return PixelNoise(self.title, self.quiet.pixel_block, gaussian=False)
        return ChannelNoise(self.title, calibration)


def _plane(block: int) -> FeatureSpec:
    fields = {"fusion": "plane", "colour": "none", "pixel_block": block}
    return msgspec.convert(fields, FeatureSpec)


LADDERS: Final = {
    ladder.name: ladder
    for ladder in (
        Ladder(
            "dctdp",
            "189 coefficients (DCTDP)",
            FeatureSpec(fusion="none", colour="none"),
            (3.2e6,),
        ),
        Ladder(
            "hfcf",
            "63 maxabs (HFCF)",
            FeatureSpec(fusion="maxabs", colour="none"),
            (3.2e6, 1.6e6, 8e5),
        ),
        Ladder("pixels", "luminance pixels", _plane(1), (1e5, 5e4)),
        Ladder("means2", "2x2 means", _plane(2), (5e4, 2.5e4)),
        Ladder("means4", "4x4 means", _plane(4), (5e4, 2.5e4, 1.2e4)),
    )
}


def bounds(ladder: Ladder, pictures: Pictures) -> Calibration:
    """Return clip bounds and scales from training pictures."""
    starts: Sequence[int] = range(0, len(pictures), BATCH)
    batches = (pictures[i : i + BATCH] for i in starts)
    return calibrate(batches, ladder.quiet.fusion, ladder.quiet.selection)
