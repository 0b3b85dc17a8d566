"""What a mapping costs: strict 1:N rates and claimed-identity rates, and a table of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.metrics import (
    OpenSetRate,
    Proportion,
    TarAtFar,
    rank_k,
    rank_probes,
    tar_at_far,
    tpir_at_fpir,
)

__all__ = ["ClaimRates", "StrictRates", "claim_rates", "mapping_lines", "strict_rates"]

Scores = NDArray[Any]

FPIR = 0.01
FAR = 1e-3


class StrictRates(msgspec.Struct, frozen=True, kw_only=True):
    """Identification without a claimed identity: every probe under every row's key."""

    rank_1: Proportion
    tpir: OpenSetRate | None


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


def strict_rates(scores: Scores, mated: int) -> StrictRates:
    """Return the rates of scores [P, N] whose first `mated` probes belong to the rows in order."""
    identity = np.full(len(scores), -1)
    identity[:mated] = np.arange(mated)
    ranking = rank_probes(scores, identity, np.arange(scores.shape[1]))
    return StrictRates(
        rank_1=rank_k(ranking), tpir=tpir_at_fpir(ranking, FPIR, first_rank_only=True)
    )


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
    """Return the table as lines, rates in per cent; `-` where something was not measured."""
    head = (
        f"{'mapping':<52}{'D':>6}{'rank-1':>8}{'TPIR':>7}{'row-z':>13}{'ring 32':>13}"
        f"{'ring 16':>13}{'normal':>8}{'stolen':>8}{'oracle*':>8}"
        "  strongest attack: cosine, accepted, other picture"
    )
    lines = [head, *(_line(row) for row in rows)]
    return [*lines, "* invalid as an identification: the probe's key gives away who it is."]


def _line(row: dict[str, Any]) -> str:
    claims: ClaimRates | None = row["claims"]
    cells = [
        f"{row['name']:<52}{row['row_length']:>6,}",
        f"{_percent(row['strict'].rank_1):>8}{_tpir(row['strict']):>7}",
        *(f"{_both(row[column]):>13}" for column in ("normalised", "ring_32", "ring_16")),
        f"{_tar(claims.normal if claims else None):>8}{_tar(claims.stolen if claims else None):>8}",
        f"{_percent(claims.oracle if claims else None):>8}  {_strongest(row['attacks'])}",
    ]
    return "".join(cells)


def _strongest(attacks: Sequence[Any]) -> str:
    single = [found for found in attacks if "records" not in found.attack]
    if not single:
        return "-"
    best = max(single, key=lambda found: (found.accepted, found.cosine))
    shares = f"{100 * best.accepted:.0f} %, {100 * best.other_picture:.0f} %"
    return f"{best.cosine:.2f}, {shares} ({best.attack})"


def _both(rates: StrictRates | None) -> str:
    return "-" if rates is None else f"{_percent(rates.rank_1)}/{_tpir(rates)}"


def _tpir(rates: StrictRates) -> str:
    return _percent(rates.tpir.tpir if rates.tpir else None)


def _tar(rate: TarAtFar | None) -> str:
    return _percent(rate.tar if rate else None)


def _percent(rate: Proportion | None) -> str:
    return "-" if rate is None or rate.value is None else f"{100 * rate.value:.1f}"
