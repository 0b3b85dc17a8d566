"""Lines of the table of what galleries would need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

__all__ = ["need_lines"]

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def need_lines(needs: Sequence[Any], rates: Any, machine: Any) -> list[str]:  # noqa: ANN401 - of any source
    """Return one line per gallery, and under them what the figures rest on.

    Args:
        needs: by size of gallery.
        rates: what was measured.
        machine: what each machine has.
    """
    head = (
        f"{'entries':>15}{'machines':>10}{'each holds':>12}{'latency ms':>12}{'searches/s':>12}"
        f"{'enrolment':>11}{'online':>10}{'offline':>10}{'rounds':>8}  more machines relieve"
    )
    return [
        head,
        *(_line(need) for need in needs),
        "",
        *_memory(needs),
        "",
        *_basis(rates, machine),
    ]


def _line(need: Any) -> str:  # noqa: ANN401 - a need of any source
    if need.machines is None:
        figures = f"{'none':>10}{'-':>12}{'-':>12}{'-':>12}"
    else:
        figures = (
            f"{need.machines:>10,}{_size(need.machine_bytes):>12}{1e3 * need.latency_s:>12,.1f}"
            f"{need.searches_per_s:>12,.3g}"
        )
    found = need.traffic
    return (
        f"{need.entries:>15,}{figures}{_size(found.enrol_bytes):>11}{_size(found.online_bytes):>10}"
        f"{_size(found.offline_bytes):>10}{found.rounds:>8}  {need.bound_by}"
    )


def _memory(needs: Sequence[Any]) -> list[str]:
    return [
        f"{need.entries:>15,} rows: "
        + ", ".join(f"{party} {_size(size)}" for party, size in need.memory_bytes.items())
        for need in needs
    ]


def _basis(rates: Any, machine: Any) -> list[str]:  # noqa: ANN401 - of any source
    galleries = " and ".join(f"{size:,}" for size in rates.entries)
    has = (
        f"{machine.memory_gib:g} GiB (80 % of it planned with), {machine.cores} cores, "
        f"{machine.link_gbps:g} Gbit/s and {machine.round_trip_ms:g} ms round trip to the others"
    )
    took = (
        f"{1e9 * rates.server_row_s:,.1f} ns a row and server online, "
        f"{1e3 * rates.server_fixed_s:,.2f} ms besides; {1e9 * rates.offline_row_s:,.1f} ns a row "
        "offline, all parties"
    )
    evenly = "rows and work divide evenly among machines and cores; a party here is one process"
    return [
        f"machines    of each server, with {has}",
        f"measured    here, one core, {galleries} rows: {took}",
        f"assumed     {evenly}",
        "latency     without the network that makes embeddings; offline work is done before",
    ]


def _size(size_bytes: float) -> str:
    """Return a size with three digits and a decimal unit."""
    for unit in _UNITS:
        if size_bytes < 1000 or unit == _UNITS[-1]:
            break
        size_bytes /= 1000
    return f"{size_bytes:.3g} {unit}"
