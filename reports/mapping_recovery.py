"""What attacks on mapped templates recover, each share and mean with its interval over targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import Estimate, estimate
from reports.metrics import Proportion, proportion

__all__ = ["RecoveryRates", "cohort_lines", "recovery_rates", "strongest"]

Floats = NDArray[np.float64]


class RecoveryRates(msgspec.Struct, frozen=True, kw_only=True):
    """One attack on one mapping.

    Attributes:
        attack: its name.
        cosine: mean cosine of recovered and enrolled embedding, resampled over targets.
        accepted: share of the recovered embeddings that the unprotected network accepts for the
            enrolled picture, at an FMR of 0.1 %.
        other_picture: the same for another picture of the person.
    """

    attack: str
    cosine: Estimate
    accepted: Proportion
    other_picture: Proportion


@dataclass(frozen=True)
class _Mean:
    """The mean of one number per person."""

    values: Floats

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people there are."""
        return (len(self.values),)

    @property
    def width(self) -> int:
        """Numbers per resample."""
        return len(self.values)

    def at(self, counts: Floats) -> Floats:
        """Return the mean of each resample."""
        return np.asarray(counts @ self.values / counts.sum(axis=1))


def recovery_rates(attack: str, cosines: Floats, others: Floats, threshold: float) -> RecoveryRates:
    """Rate recovered embeddings by their cosines with the enrolled and with other pictures."""
    return RecoveryRates(
        attack=attack,
        cosine=estimate(_Mean(cosines)),
        accepted=proportion(cosines > threshold),
        other_picture=proportion(others > threshold),
    )


def strongest(attacks: Sequence[RecoveryRates]) -> RecoveryRates:
    """Return the adversary's choice: most accepted, then the highest cosine."""
    return max(attacks, key=lambda found: (found.accepted.value or 0.0, found.cosine.value))


def cohort_lines(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the curve as lines; each cell has a mapping, sizes and its strongest attack."""
    lines = [f"{'mapping':<40}{'records':>8}{'known':>8}{'cosine':>22}{'accepted %':>24}  attack"]
    for cell in cells:
        best: RecoveryRates = cell["strongest"]
        cosine, accepted = best.cosine, best.accepted
        lines.append(
            f"{cell['name']:<40}{cell['records']:>8}{cell['known']:>8,}"
            f"{cosine.value:>8.2f} ({_bound(cosine.low)}–{_bound(cosine.high)})"
            f"{100 * (accepted.value or 0):>10.1f} ({100 * (accepted.low or 0):.1f}–"
            f"{100 * (accepted.high or 0):.1f})  {best.attack}"
        )
    return lines


def _bound(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
