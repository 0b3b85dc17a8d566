"""How much better one network recognises people than another, paired over the same pictures.

Every difference is of the same measure on the same pictures and people, and its interval resamples
those people for both networks at once, each at its own threshold (`reports.intervals`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.all_pairs import pairs_at
from reports.intervals import Estimate, difference
from reports.metrics import Ranking, rank_k_difference, tpir_difference
from reports.recognition import (
    FPIRS,
    PairList,
    closed_ranking,
    folded_pairs,
    list_rate,
    open_ranking,
)

__all__ = ["Difference", "compare_pairs", "compare_people"]

Units = NDArray[np.float32]
Identities = NDArray[np.int64]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One network's rate minus the other's; `per_person` with every person weighing one."""

    measure: str
    difference: Estimate
    per_person: Estimate | None = None


def compare_pairs(one: Sequence[PairList], other: Sequence[PairList]) -> list[Difference]:
    """Return differences on the same lists of pairs."""
    found = []
    for first, second in zip(one, other, strict=True):
        judged = difference(folded_pairs(first), folded_pairs(second))
        found.append(Difference(measure=f"accuracy, {first.name}", difference=judged))
        rates = list_rate(first), list_rate(second)
        if rates[0] is not None and rates[1] is not None:
            tar = difference(rates[0], rates[1])
            found.append(Difference(measure=f"TAR at FAR 1e-3, {first.name}", difference=tar))
    return found


def compare_people(one: Units, other: Units, person: Identities) -> list[Difference]:
    """Return differences of everything that embeddings [N, d] of the same pictures measure."""
    return [
        *_all_pairs(one, other, person),
        *_ranks(closed_ranking(one, person), closed_ranking(other, person)),
        *_open_sets(open_ranking(one, person), open_ranking(other, person)),
    ]


def _all_pairs(one: Units, other: Units, person: Identities) -> Iterator[Difference]:
    for first, second in zip(pairs_at(one, person), pairs_at(other, person), strict=True):
        means = (replace(rate, per_person=True) for rate in (first, second))
        yield Difference(
            measure=f"TAR at all-pairs FAR {first.far:g}",
            difference=difference(first, second),
            per_person=difference(*means),
        )


def _ranks(one: Ranking | None, other: Ranking | None) -> Iterator[Difference]:
    if one is None or other is None:
        return
    for k in (1, 5):
        whole, mean = (rank_k_difference(one, other, k, per_person=each) for each in (False, True))
        if whole is not None:
            yield Difference(measure=f"rank-{k}", difference=whole, per_person=mean)


def _open_sets(one: Ranking | None, other: Ranking | None) -> Iterator[Difference]:
    if one is None or other is None:
        return
    for fpir in FPIRS:
        whole, mean = (
            tpir_difference(one, other, fpir, first_rank_only=True, per_person=each)
            for each in (False, True)
        )
        if whole is not None:
            measure = f"TPIR at FPIR {100 * fpir:g} %"
            yield Difference(measure=measure, difference=whole, per_person=mean)
