"""What light costs: recognition of the same people's pictures under lamps, in the dark, in stripes.

The threshold of each network is the loosest that keeps FPIR over the calibration strangers, whose
pictures are as taken, within the target. TPIR asks the mate to be first and above it; FPIR is
measured on other strangers under each light. Every interval resamples people, and the threshold is
found again in each resample; differences are paired.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from reports.intervals import Estimate, OpenSearch, Share, difference, estimate, fpir_cutoff
from reports.metrics import UNMATED, rank_probes

__all__ = ["LightResult", "LightRow", "Searched", "illumination_lines", "judge_light", "searched"]

FPIR: Final = 0.01


class Searched(NamedTuple):
    """Best scores of one network: all that its rates under a light are made of.

    Attributes:
        mate: of each mated probe with its own row, [M].
        impostor: of each mated probe with any other row, [M].
        stranger: of each stranger with any row, [S].
    """

    mate: NDArray[np.float64]
    impostor: NDArray[np.float64]
    stranger: NDArray[np.float64]


class LightRow(msgspec.Struct, frozen=True, kw_only=True):
    """One network under one light.

    Attributes:
        light: the condition.
        family: lamp, exposure, unseen, or none as taken.
        luminance: median of the probes' median luminance, 0 to 255.
        rank_1: mated probes whose mate is first.
        tpir: those whose mate is first and above the threshold.
        fpir: strangers of whom some row is above the threshold, which was set to 1 % as taken.
        rank_1_difference: to the first network, paired; None for the first.
        tpir_difference: the same of `tpir`.
    """

    light: str
    family: str
    luminance: float
    rank_1: Estimate
    tpir: Estimate
    fpir: Estimate
    rank_1_difference: Estimate | None = None
    tpir_difference: Estimate | None = None


class LightResult(msgspec.Struct, frozen=True, kw_only=True):
    """One network under all lights.

    Attributes:
        network: its name.
        threshold: cosine set on the calibration strangers; None where every score passes.
        calibration: how many set it.
        gallery: rows; there are as many mated probes.
        strangers: unmated probes.
        rows: one for each light.
    """

    network: str
    threshold: float | None
    calibration: int
    gallery: int
    strangers: int
    rows: list[LightRow]


def searched(gallery: NDArray[np.float32], probes: NDArray[np.float32]) -> Searched:
    """Search unit probes [M + S, d] in a gallery [M, d] whose rows are the first M's people."""
    mated = len(gallery)
    identity = np.full(len(probes), UNMATED, np.int64)
    identity[:mated] = np.arange(mated)
    ranking = rank_probes(probes @ gallery.T, identity, np.arange(mated))
    return Searched(ranking.mate[:mated], ranking.impostor[:mated], ranking.impostor[mated:])


def judge_light(
    name: str,
    found: Mapping[str, Searched],
    calibration: NDArray[np.float64],
    lights: Sequence[tuple[str, str, float]],
    reference: tuple[Mapping[str, Searched], NDArray[np.float64]] | None = None,
) -> LightResult:
    """Return the rates of a network under each light.

    Args:
        name: of the network.
        found: what it found, by light.
        calibration: best scores of the strangers who set the threshold, as taken.
        lights: name, family and median luminance of each light.
        reference: the same two of the network it is compared with, on the same pictures.
    """
    cutoff = fpir_cutoff(calibration, FPIR)
    any_row = next(iter(found.values()))
    return LightResult(
        network=name,
        threshold=cutoff if math.isfinite(cutoff) else None,
        calibration=int(calibration.size),
        gallery=int(any_row.mate.size),
        strangers=int(any_row.stranger.size),
        rows=[
            _row(light, (found[light[0]], calibration), _under(reference, light[0]))
            for light in lights
        ],
    )


Judged = tuple[Searched, NDArray[np.float64]]


def _under(
    reference: tuple[Mapping[str, Searched], NDArray[np.float64]] | None, light: str
) -> Judged | None:
    return None if reference is None else (reference[0][light], reference[1])


def _row(light: tuple[str, str, float], own: Judged, other: Judged | None) -> LightRow:
    name, family, luminance = light
    paired = None if other is None else difference(_first(own[0]), _first(other[0]))
    detected = None if other is None else difference(_detected(*own), _detected(*other))
    return LightRow(
        light=name,
        family=family,
        luminance=round(luminance, 1),
        rank_1=estimate(_first(own[0])),
        tpir=estimate(_detected(*own)),
        fpir=estimate(_alarmed(*own)),
        rank_1_difference=paired,
        tpir_difference=detected,
    )


def _first(found: Searched) -> Share:
    return Share(np.arange(found.mate.size), found.mate > found.impostor)


def _detected(found: Searched, calibration: NDArray[np.float64]) -> OpenSearch:
    mate = np.where(found.mate > found.impostor, found.mate, -np.inf)
    return OpenSearch(
        np.arange(mate.size), mate, np.arange(calibration.size), calibration, fpir=FPIR
    )


def _alarmed(found: Searched, calibration: NDArray[np.float64]) -> OpenSearch:
    """Return the strangers above the threshold of others: the search of a second trial."""
    people = np.arange(found.stranger.size)
    others = np.arange(calibration.size)
    return OpenSearch(people, found.stranger, others, calibration, fpir=FPIR)


def illumination_lines(notes: Sequence[str], results: Sequence[LightResult]) -> list[str]:
    """Return the table of a terminal, in per cent with 95 % intervals."""
    lines = [*notes]
    for result in results:
        lines += ["", *_result_lines(result)]
    return lines


def _result_lines(result: LightResult) -> Iterator[str]:
    bound = "none" if result.threshold is None else f"{result.threshold:.3f}"
    yield (
        f"{result.network}: {result.gallery} enrolled as taken, {result.gallery} mated probes, "
        f"{result.strangers} strangers; threshold {bound} from {result.calibration} others as taken"
    )
    yield (
        f"{'light':<22}{'luminance':>9}  {'rank-1':<22}{'TPIR':<22}{'FPIR, meant to be 1':<22}"
        f"{'rank-1 less first network':<26}"
    )
    for row in result.rows:
        gap = "" if row.rank_1_difference is None else _text(row.rank_1_difference)
        yield (
            f"{row.light:<22}{row.luminance:>9.0f}  {_text(row.rank_1):<22}{_text(row.tpir):<22}"
            f"{_text(row.fpir):<22}{gap:<26}".rstrip()
        )


def _text(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{100 * found.value:.1f}"
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"
