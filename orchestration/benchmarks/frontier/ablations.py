"""Inputs side by side: every fusion, every colour descriptor, and two peers' channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestration.benchmarks.frontier.ladders import Ladder
from orchestration.benchmarks.frontier.released import ReleasedLadder
from protocol.features import FeatureSpec

__all__ = ["ABLATIONS", "noisy_variants"]


def _quiet(name: str, title: str, spec: FeatureSpec) -> Ladder:
    return Ladder(name, title, spec, ())


_DCTDP: Final = _quiet("dctdp", "189 (DCTDP)", FeatureSpec(fusion="none", colour="none"))
_RELEASED: Final = ReleasedLadder(_DCTDP.name, _DCTDP.title, _DCTDP.quiet, ())
_FUSIONS: Final = (
    _quiet("maxabs", "63 maxabs (HFCF)", FeatureSpec(fusion="maxabs", colour="none")),
    _quiet("y_only", "63 of Y", FeatureSpec(fusion="y_only", colour="none")),
    _quiet("mean", "63 of the planes' mean", FeatureSpec(fusion="mean", colour="none")),
    _quiet("sum", "63 of the planes' sum", FeatureSpec(fusion="sum", colour="none")),
    _DCTDP,
)
_COLOURS: Final = (
    _quiet("lbp_y", "63 maxabs + lbp_y", FeatureSpec(colour="lbp_y")),
    _quiet("lbp_rgb", "63 maxabs + lbp_rgb", FeatureSpec(colour="lbp_rgb")),
    _quiet("malbp", "63 maxabs + malbp", FeatureSpec(colour="malbp")),
    _quiet("dlbp", "63 maxabs + dlbp", FeatureSpec(colour="dlbp")),
)
_PEERS: Final = (
    _quiet(
        "duetface",
        "162 high (DuetFace-style)",
        FeatureSpec(fusion="none", selection="high", colour="none"),
    ),
    _quiet(
        "partialface",
        "27 of 162, drawn (PartialFace-style)",
        FeatureSpec(fusion="none", selection="random", colour="none"),
    ),
)

ABLATIONS: Final[Mapping[str, Ladder]] = {
    ladder.name: ladder for ladder in (*_FUSIONS, *_COLOURS, *_PEERS)
} | {"dctdp_released": _RELEASED}
"""Inputs by a short name, in the order of the table."""


def noisy_variants(ladder: Ladder, epsilons: Sequence[float], allocation: str) -> list[Ladder]:
    """Return an input with noise of these epsilons per element, and with learned shares.

    Args:
        ladder: the input.
        epsilons: of each coefficient; none for the quiet input alone.
        allocation: `uniform`, `learned` or `both`.
    """
    budgets = tuple(epsilon * ladder.values for epsilon in epsilons)
    noisy = replace(ladder, epsilons=budgets)
    wanted = ladder.can_learn and allocation != "uniform"
    learned = [replace(noisy, learned=True)] if wanted else []
    return learned if allocation == "learned" and learned else [noisy, *learned]
