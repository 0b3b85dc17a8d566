"""How linkable protected rows are: D_sys, equal error rate and rank-1 of comparing two records.

Scores are cosines [N, N]: row i of one set against record j of another, i and j of one person on
the diagonal. D_sys is the global measure of Gomez-Barrero, Galbally, Rathgeb and Busch ("General
Framework to Evaluate Unlinkability in Biometric Template Protection Systems", 2018) with equal
priors: the mean over mated scores s of max(0, (p(s) - q(s)) / (p(s) + q(s))), p and q the
densities of mated and non-mated scores. It is 0 where they are the same and 1 where they do not
overlap. Densities are histograms of `BINS` equal bins over [-1, 1], whatever the data; equal error
rates are read from `FINE_BINS`. Intervals resample the people whose rows are linked; the records
they are looked for among stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import Estimate, estimate
from reports.metrics import Proportion, rank_k, rank_probes

__all__ = [
    "BINS",
    "FINE_BINS",
    "Linkability",
    "d_sys",
    "equal_error_rate",
    "linkability",
    "linkage_lines",
]

Floats = NDArray[np.float64]
Counts = NDArray[Any]
Measure = Callable[[Counts, Counts], Floats]

BINS: Final = 100
FINE_BINS: Final = 400


class Linkability(msgspec.Struct, frozen=True, kw_only=True):
    """How well records of one person are found among those of others.

    Attributes:
        d_sys: 0 for unlinkable, 1 for always linkable.
        eer: equal error rate of deciding whether two records are of one person.
        rank_1: how often a record's nearest record of the other set is its own person's.
    """

    d_sys: Estimate
    eer: Estimate
    rank_1: Proportion


def d_sys(mated: Floats, others: Floats) -> float:
    """Return the linkability of two sets of scores in [-1, 1]."""
    return float(_d_sys(_histogram(mated, BINS), _histogram(others, BINS)))


def equal_error_rate(mated: Floats, others: Floats) -> float:
    """Return the error rate where both kinds of error are most nearly equal."""
    return float(_eer(_histogram(mated, FINE_BINS), _histogram(others, FINE_BINS)))


def linkability(scores: Floats) -> Linkability:
    """Return the rates of cosines [N, N] with the same people on the diagonal."""
    people = np.arange(len(scores))
    return Linkability(
        d_sys=estimate(_Linking.of(scores, BINS, _d_sys)),
        eer=estimate(_Linking.of(scores, FINE_BINS, _eer)),
        rank_1=rank_k(rank_probes(scores, people, people)),
    )


@dataclass(frozen=True)
class _Linking:
    """A measure of two histograms, to which every row's person adds their own scores.

    Attributes:
        mated: each person's histogram of mated scores, [N, bins].
        others: and of all others, [N, bins].
        measure: what two histograms [B, bins] say.
    """

    mated: Floats
    others: Floats
    measure: Measure

    @classmethod
    def of(cls, scores: Floats, bins: int, measure: Measure) -> _Linking:
        """Take the histograms of a matrix of scores."""
        every = np.stack([_histogram(row, bins) for row in scores]).astype(np.float64)
        own = np.stack([_histogram(score[None], bins) for score in scores.diagonal()])
        return cls(own.astype(np.float64), every - own, measure)

    @property
    def strata(self) -> tuple[int, ...]:
        """How many people there are."""
        return (len(self.mated),)

    @property
    def width(self) -> int:
        """Numbers per resample."""
        return int(max(self.mated.shape))

    def at(self, counts: Floats) -> Floats:
        """Return the measure in each resample."""
        return self.measure(counts @ self.mated, counts @ self.others)


def linkage_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the tables as lines: means over draws of keys, with their range in brackets."""
    lines = [f"{'mapping':<40}{'row against':<16}{'D_sys':>22}{'EER %':>18}{'rank-1 %':>20}"]
    for row in rows:
        for kind, draws in row["linkage"].items():
            cells = [
                _spread([draw.d_sys.value for draw in draws], ".3f"),
                _spread([100 * draw.eer.value for draw in draws], ".1f"),
                _spread([100 * (draw.rank_1.value or 0.0) for draw in draws], ".1f"),
            ]
            widths = zip(cells, (22, 18, 20), strict=True)
            text = "".join(f"{cell:>{width}}" for cell, width in widths)
            lines.append(f"{row['name']:<40}{kind:<16}{text}")
    return [*lines, "", *(line for row in rows for line in _row_alone(row))]


def _row_alone(row: Mapping[str, Any]) -> list[str]:
    best = max(row["without_key"], key=lambda found: (found.accepted.count, found.cosine.value))
    share = best.accepted
    inverted = f"cosine {best.cosine.value:.2f}, accepted {100 * (share.value or 0):.0f} %"
    lines = [f"{row['name']}, a row without its key: {inverted} of {share.total} ({best.attack})"]
    if row["keys"] is not None:
        keys = row["keys"]
        lines.append(
            f"{row['name']}, a row without its key: exponents of {keys['exponents']}, exact "
            f"coefficients up to a factor of {keys['exact']} of {keys['rows']} rows"
        )
    return lines


def _spread(values: Sequence[float], form: str) -> str:
    mean = format(float(np.mean(values)), form)
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}}–{max(values):{form}})"


def _histogram(values: Floats, bins: int) -> NDArray[np.int64]:
    places = ((np.clip(values, -1.0, 1.0) + 1.0) * (bins / 2)).astype(np.int64)
    return np.bincount(np.minimum(places, bins - 1).ravel(), minlength=bins)


def _d_sys(mated: Counts, others: Counts) -> Floats:
    p, q = (_density(counts) for counts in (mated, others))
    local = np.maximum(p - q, 0.0) / np.maximum(p + q, np.finfo(np.float64).tiny)
    return np.asarray((p * local).sum(axis=-1))


def _eer(mated: Counts, others: Counts) -> Floats:
    missed = np.cumsum(_density(mated), axis=-1)
    # A sum of shares may exceed one by rounding.
    accepted = np.maximum(1.0 - np.cumsum(_density(others), axis=-1), 0.0)
    best = np.abs(missed - accepted).argmin(axis=-1)[..., None]
    return np.asarray(np.take_along_axis((missed + accepted) / 2, best, axis=-1)[..., 0])


def _density(counts: Counts) -> Floats:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))
