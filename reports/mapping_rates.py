"""What a mapping costs: strict 1:N rates and claimed-identity rates, and a table of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import Estimate
from reports.mapping_draws import Difference, DrawnRate, DrawnRates
from reports.mapping_recovery import RecoveryRates, strongest
from reports.metrics import Proportion, TarAtFar, rank_k, rank_probes, tar_at_far

__all__ = ["ClaimRates", "claim_rates", "mapping_lines"]

Scores = NDArray[Any]

FAR = 1e-3


class ClaimRates(msgspec.Struct, frozen=True, kw_only=True):
    """The four protocols of one mapping.

    Attributes:
        normal: TAR at FAR 0.1 %, impostors under their own keys.
        stolen: the same, impostors under the key of the person they claim to be.
        strict: rank-1, every probe under every row's key.
        oracle: rank-1 with the probe under its own person's key: invalid as an identification,
            because the key gives away who the probe is.
    """

    normal: TarAtFar | None
    stolen: TarAtFar | None
    strict: Proportion
    oracle: Proportion


def claim_rates(strict: Scores, own_key: Scores) -> ClaimRates:
    """Return the rates of two square matrices: probes under the row's and under their own key."""
    people = np.arange(len(own_key))
    square = strict[: len(own_key)]
    return ClaimRates(
        normal=tar_at_far(own_key, people, people, FAR),
        stolen=tar_at_far(square, people, people, FAR),
        strict=rank_k(rank_probes(square, people, people)),
        oracle=rank_k(rank_probes(own_key, people, people)),
    )


def mapping_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the tables as lines, rates in per cent; `-` where something was not measured."""
    head = (
        f"{'mapping':<52}{'D':>6}{'rank-1':>8}{'TPIR':>7}{'row-z':>13}{'ring 32':>13}"
        f"{'ring 16':>13}{'normal':>8}{'stolen':>8}{'oracle*':>8}"
        "  strongest attack: cosine, accepted, other picture"
    )
    lines = [head, *(_line(row) for row in rows)]
    lines.append("* invalid as an identification: the probe's key gives away who it is.")
    return [*lines, "", *_spreads(rows), "", *_differences(rows)]


def _line(row: dict[str, Any]) -> str:
    claims: ClaimRates | None = row["claims"]
    cells = [
        f"{row['name']:<52}{row['row_length']:>6,}",
        f"{_mean(row['strict'].rank_1):>8}{_mean(row['strict'].tpir):>7}",
        *(f"{_both(row[column]):>13}" for column in ("normalised", "ring_32", "ring_16")),
        f"{_tar(claims.normal if claims else None):>8}{_tar(claims.stolen if claims else None):>8}",
        f"{_percent(claims.oracle if claims else None):>8}  {_strongest(row['attacks'])}",
    ]
    return "".join(cells)


def _spreads(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield each mapping's mean rates with their intervals and their range over draws."""
    yield f"{'mean over draws (95 % over people; range over draws)':<54}{'rank-1':>34}{'TPIR':>36}"
    for row in rows:
        for column, suffix in (("strict", ""), ("ring_32", ", ring 32"), ("ring_16", ", ring 16")):
            if row[column] is not None:
                rates: DrawnRates = row[column]
                cells = f"{_spread(rates.rank_1):>34}{_spread(rates.tpir):>36}"
                yield f"{row['name'] + suffix:<54}{cells}"


def _differences(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield paired differences in points."""
    yield f"{'difference in points (95 % over people, paired)':<88}{'rank-1':>26}{'TPIR':>26}"
    for row in rows:
        for found in row["differences"]:
            apart: Difference = found
            cells = f"{_points(apart.rank_1):>26}{_points(apart.tpir):>26}"
            yield f"{row['name'] + ' minus ' + apart.against:<88}{cells}"


def _strongest(attacks: Sequence[RecoveryRates]) -> str:
    single = [found for found in attacks if "records" not in found.attack]
    if not single:
        return "-"
    best = strongest(single)
    shares = f"{_percent(best.accepted)} %, {_percent(best.other_picture)} %"
    return f"{best.cosine.value:.2f}, {shares} ({best.attack})"


def _both(rates: DrawnRates | None) -> str:
    return "-" if rates is None else f"{_mean(rates.rank_1)}/{_mean(rates.tpir)}"


def _mean(rate: DrawnRate) -> str:
    return f"{100 * rate.mean.value:.1f}"


def _spread(rate: DrawnRate) -> str:
    low, high = min(rate.draws), max(rate.draws)
    return f"{_mean(rate)} {_interval(rate.mean)}; {100 * low:.1f}–{100 * high:.1f}"


def _points(value: Estimate) -> str:
    return f"{100 * value.value:+.2f} {_interval(value, '+.2f')}"


def _interval(value: Estimate, form: str = ".1f") -> str:
    if value.low is None or value.high is None:
        return "(-)"
    return f"({100 * value.low:{form}} to {100 * value.high:{form}})"


def _tar(rate: TarAtFar | None) -> str:
    return _percent(rate.tar if rate else None)


def _percent(rate: Proportion | None) -> str:
    return "-" if rate is None or rate.value is None else f"{100 * rate.value:.1f}"
