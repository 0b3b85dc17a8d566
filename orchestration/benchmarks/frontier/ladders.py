"""Mechanisms whose noise is turned up step by step, at equal budgets of the whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.inputs.mechanisms import Mechanism, Sent, at_budget
from parties.model_provider import ClientMaker
from protocol.features import Calibration, FeatureExtractor, FeatureSpec, calibrate

__all__ = ["LADDERS", "Ladder", "bounds"]

Pictures = NDArray[np.uint8]
BATCH: Final = 64


@dataclass(frozen=True)
class Ladder:
    """One mechanism.

    Attributes:
        anew: whether every rung starts from the network without noise, not from the rung before.
        name: short, for options and files; the same for all ladders of the same quiet features.
        title: for tables and figures.
        quiet: its features without noise.
        epsilons: budgets of the picture between which its networks go from good to useless.
        learned: whether shares of the budget are learned with the network.
    """

    anew: ClassVar[bool] = False

    name: str
    title: str
    quiet: FeatureSpec
    epsilons: tuple[float, ...]
    learned: bool = False

    @property
    def values(self) -> int:
        """How many numbers of a picture noise is drawn for."""
        return self.quiet.noise_values

    @property
    def can_learn(self) -> bool:
        """Whether its budget can be divided by learned shares."""
        return self.quiet.selection != "random"

    def at(self, epsilon: float | None) -> FeatureSpec | None:
        """Return the features at a budget of the picture; None where they cannot be had."""
        return at_budget(self.quiet, epsilon, learned=self.learned)

    @property
    def variant(self) -> str:
        """What is special about its noise; nothing where shares are equal."""
        return "learned" if self.learned else ""

    def title_at(self, epsilon: float | None) -> str:
        """Return how tables call a rung; the quiet one is the same in every variant."""
        special = self.variant if epsilon is not None else ""
        return f"{self.title}, {special}" if special else self.title

    def spent(self, epsilon: float | None) -> float | None:
        """Return what a rung costs of a picture's privacy; None for no bound."""
        return epsilon

    def calibrated(self, calibration: Calibration, epsilon: float | None) -> Calibration:  # noqa: ARG002
        """Return what a rung's parties know of the coefficients, from bounds without noise."""
        return calibration

    def client(self, epsilon: float | None) -> ClientMaker:  # noqa: ARG002 - a specification has it
        """Return who protects a rung's pictures."""
        return FeatureExtractor

    def attacked(self, calibration: Calibration, epsilon: float | None) -> Mechanism:  # noqa: ARG002
        """Return the mechanism as the linear attack knows it."""
        return Sent(self.title, self.quiet, calibration)


def _plane(block: int) -> FeatureSpec:
    fields = {"fusion": "plane", "colour": "none", "pixel_block": block}
    return msgspec.convert(fields, FeatureSpec)


_UNIFORM: Final = (
    Ladder(
        "dctdp",
        "189 coefficients (DCTDP)",
        FeatureSpec(fusion="none", colour="none"),
        (3.2e6, 1.6e6),
    ),
    Ladder(
        "hfcf", "63 maxabs (HFCF)", FeatureSpec(fusion="maxabs", colour="none"), (3.2e6, 1.6e6, 8e5)
    ),
    Ladder("pixels", "luminance pixels", _plane(1), (1e5, 5e4)),
    Ladder("means2", "2x2 means", _plane(2), (5e4, 2.5e4)),
    Ladder("means4", "4x4 means", _plane(4), (5e4, 2.5e4, 1.2e4)),
    Ladder("means8", "8x8 means", _plane(8), (5e4, 2.5e4, 1.2e4)),
)
_LEARNED: Final = {
    "dctdp": (3.2e6, 8e5),
    "hfcf": (3.2e6, 1.6e6, 8e5, 4e5, 2e5, 1e5, 5e4),
    "pixels": (1e5, 5e4),
    "means2": (5e4, 2.5e4),
    "means4": (5e4, 2.5e4, 1.2e4, 6e3),
}

LADDERS: Final = {ladder.name: ladder for ladder in _UNIFORM} | {
    f"{ladder.name}-learned": replace(ladder, learned=True, epsilons=_LEARNED[ladder.name])
    for ladder in _UNIFORM
    if ladder.name in _LEARNED
}
"""Mechanisms by the name an option gives them."""


def bounds(ladder: Ladder, pictures: Pictures) -> Calibration:
    """Return clip bounds and scales from training pictures."""
    starts: Sequence[int] = range(0, len(pictures), BATCH)
    batches = (pictures[i : i + BATCH] for i in starts)
    return calibrate(batches, ladder.quiet.fusion, ladder.quiet.selection)
