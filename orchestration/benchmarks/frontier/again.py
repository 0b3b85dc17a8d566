"""Attack the inputs of a finished table anew, without training its networks again.

Of equal shares everything the attack needs follows from the specification and the training
pictures. Learned shares were in the networks; where those are gone the attack of the file stays
and is named after its prior. An attack with a weaker prior is a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from orchestration.benchmarks.frontier.ablations import ABLATIONS, noisy_variants
from orchestration.benchmarks.frontier.ladders import LADDERS, Ladder, bounds
from orchestration.benchmarks.inputs.judges import Recognised
from orchestration.benchmarks.inputs.kept import KeptAttacks
from orchestration.benchmarks.inputs.measure import AttackPoint
from protocol.errors import DataError
from protocol.features import Calibration

__all__ = ["ROWS", "attacked_again"]

Pictures = NDArray[np.uint8]
Row = dict[str, Any]

ROWS: Final = {"evaluate frontier": "points", "evaluate ablations": "rows"}
"""Under which name a command's file holds its rows."""


def attacked_again(
    rows: Sequence[Row], judge: str, pictures: Pictures, kept: KeptAttacks
) -> Iterator[Row]:
    """Yield the rows with their attack replaced; of learned shares, with the old one renamed.

    Args:
        rows: of a result file.
        judge: the network that judged the file's own attack.
        pictures: that clip bounds come from.
        kept: attacks inputs, if it has not before.

    Raises:
        DataError: a row is of no known mechanism.
    """
    attacks = _Attacks(pictures, kept)
    for row in rows:
        again = _renamed(row["attack"], judge) if row["learned"] else attacks.on(row)
        linked = row.get("linked_faces", row["attack"]["faces"])
        yield {**row, "attack": msgspec.to_builtins(again), "linked_faces": linked}


class _Attacks:
    """Attacks by what is attacked: inputs that differ in colours alone share one."""

    def __init__(self, pictures: Pictures, kept: KeptAttacks) -> None:
        self._pictures, self._kept = pictures, kept
        self._bounds: dict[tuple[str, str], Calibration] = {}
        self._done: dict[tuple[Any, ...], AttackPoint] = {}

    def on(self, row: Mapping[str, Any]) -> AttackPoint:
        ladder = _ladder(row)
        value, quiet = row["element_epsilon"], ladder.quiet
        key = (quiet.fusion, quiet.selection, quiet.pixel_block, ladder.variant, value)
        if value is None:
            key = (*key[:3], "", None)
        if key not in self._done:
            epsilon = None if value is None else value * ladder.values
            calibration = ladder.calibrated(self._bounds_of(ladder), epsilon)
            mechanism = ladder.attacked(calibration, epsilon)
            self._done[key] = self._kept.point(mechanism, ladder.spent(epsilon))
        return msgspec.structs.replace(self._done[key], mechanism=row["title"])

    def _bounds_of(self, ladder: Ladder) -> Calibration:
        key = (ladder.quiet.fusion, ladder.quiet.selection)
        if key not in self._bounds:
            self._bounds[key] = bounds(ladder, self._pictures)
        return self._bounds[key]


def _ladder(row: Mapping[str, Any]) -> Ladder:
    """Return the mechanism of a row; its noise is told by the title."""
    every = [*LADDERS.values(), *ABLATIONS.values()]
    for ladder in every:
        for variant in noisy_variants(ladder, (), "uniform"):
            if (ladder.name, variant.title_at(row["element_epsilon"])) == (
                row["ladder"],
                row["title"],
            ):
                return variant
    raise DataError(f"no mechanism is called {row['title']!r}", where="title")


def _renamed(attack: Mapping[str, Any], judge: str) -> AttackPoint:
    """Return an attack of an earlier file, which had the smoothness prior and one judge."""
    if "judged" in attack:
        return msgspec.convert(attack, AttackPoint)
    counts = ("same_picture", "other_picture", "other_picture_strict", "faces")
    said = Recognised(
        judge=judge,
        false_matches=None,
        false_matches_strict=None,
        comparisons=0,
        **{name: attack[name] for name in counts},
    )
    kept = ("mechanism", "epsilon", "element_epsilon", "correlation", "faces")
    return AttackPoint(
        attack="smooth", uploads=1, judged=(said,), **{name: attack[name] for name in kept}
    )
