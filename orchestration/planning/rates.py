"""How fast this machine searches, measured on galleries small enough to be searched here."""

from __future__ import annotations

from typing import Final

import msgspec

from orchestration.benchmarks.search.cells import Gallery, Options
from orchestration.benchmarks.search.measure import measure_gallery
from orchestration.benchmarks.search.samples import HELPERS
from orchestration.progress import OnProgress
from protocol.errors import InfrastructureError
from protocol.search.policies import policy_named
from scenarios.specs import Scenario

__all__ = ["Rates", "line", "measure_rates"]

MEASURED: Final = (20_000, 100_000)
REPEATS: Final = 5


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Time of one search on one core, as a constant and a part that grows with the gallery.

    Attributes:
        entries: sizes of the galleries it was measured on.
        probes: of a search.
        server_fixed_s: of one server online, whatever the gallery.
        server_row_s: of one server online, for each row.
        offline_row_s: making the material of one search, all parties together, for each row.
    """

    entries: tuple[int, ...]
    probes: int
    server_fixed_s: float
    server_row_s: float
    offline_row_s: float


def measure_rates(scenario: Scenario, probes: int, on_progress: OnProgress) -> Rates:
    """Search two galleries of the scenario's rows in this process, on one thread.

    The answer is one bit for every row, whatever the scenario's output.

    Raises:
        InfrastructureError: a decision was wrong, so its time means nothing.
    """
    name = scenario.search.protocol
    options = Options(
        entries=MEASURED,
        dimensions=(scenario.row_length,),
        rings=(scenario.search.ring_bits,),
        batches=(probes,),
        protocols=(name,),
        peers=(),
        runtimes=("memory",),
        threads=1,
        repeats=REPEATS,
        warmups=1,
        seed=scenario.seed,
    )
    online, offline = [], []
    for entries in MEASURED:
        gallery = Gallery(entries, scenario.row_length, scenario.search.ring_bits)
        (row,) = measure_gallery(options, gallery, None, on_progress)
        if row.failed or row.servers_online_s_median is None:
            raise InfrastructureError(
                "a search did not decide as the oracle", where=f"protocol {name}"
            )
        online.append(row.servers_online_s_median / _servers(name))
        offline.append(row.offline_compute_s_median or 0.0)
    fixed, slope = line(MEASURED, online)
    return Rates(
        entries=MEASURED,
        probes=probes,
        server_fixed_s=fixed,
        server_row_s=slope,
        offline_row_s=line(MEASURED, offline)[1],
    )


def line(sizes: tuple[int, ...], seconds: list[float]) -> tuple[float, float]:
    """Return constant and slope through the first and the last point, neither below zero.

    A constant below zero is noise of the measurement: all time is then taken to grow with size.
    """
    slope = max(0.0, (seconds[-1] - seconds[0]) / (sizes[-1] - sizes[0]))
    fixed = seconds[0] - slope * sizes[0]
    return (fixed, slope) if fixed >= 0 else (0.0, seconds[-1] / sizes[-1])


def _servers(protocol: str) -> int:
    """Return how many parties compute on shares online."""
    return len(set(policy_named(protocol).parties) - HELPERS)
