"""`bauta plan`: what a gallery of any size would need, before anybody builds it."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.options import POSITIVE, FiniteRange, overrides_option, result_options

__all__ = ["plan"]

ENTRIES = (100_000, 1_000_000, 1_000_000_000)


@click.command(short_help="Say what a million or a billion identities would need.")
@click.argument("scenario", default="templates-100k")
@overrides_option
@click.option(
    "--entries",
    type=click.IntRange(min=1),
    multiple=True,
    default=ENTRIES,
    show_default=True,
    help="Rows of the gallery; may be repeated.",
)
@click.option(
    "--probes",
    type=click.IntRange(1, 4096),
    default=1,
    show_default=True,
    help="Probes of a search.",
)
@click.option(
    "--within-ms", type=POSITIVE, default=500.0, show_default=True, help="Time a search may take."
)
@click.option(
    "--memory-gib", type=POSITIVE, default=64.0, show_default=True, help="Memory of a machine."
)
@click.option(
    "--cores",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Cores of a machine, each as fast as one here.",
)
@click.option(
    "--link-gbps",
    type=POSITIVE,
    default=10.0,
    show_default=True,
    help="Bandwidth between machines of two parties.",
)
@click.option(
    "--round-trip-ms",
    type=FiniteRange(min=0),
    default=0.5,
    show_default=True,
    help="Between parties.",
)
@result_options()
def plan(  # noqa: PLR0913 - one parameter per option
    *,
    scenario: str,
    overrides: tuple[str, ...],
    entries: tuple[int, ...],
    probes: int,
    within_ms: float,
    memory_gib: float,
    cores: int,
    link_gbps: float,
    round_trip_ms: float,
    as_json: bool,
    out: Path | None,
) -> None:
    """Say how many machines, how much memory and which traffic a search of SCENARIO's kind takes.

    Bytes and rounds are the formulas that every run is checked against. Time is measured here
    first, on two galleries and one core, and scaled. Nothing of the scenario is run.
    """
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view
    from orchestration.cli.results import finish
    from orchestration.planning.needs import Machine, need
    from orchestration.planning.rates import measure_rates
    from reports.planning import need_lines
    from scenarios.schema import load_scenario

    loaded = load_scenario(scenario, overrides)
    machine = Machine(
        memory_gib=memory_gib, cores=cores, link_gbps=link_gbps, round_trip_ms=round_trip_ms
    )
    with progress_view(errors()) as on_progress:
        rates = measure_rates(loaded, probes, on_progress)
    needs = [need(loaded, count, rates, machine, within_ms / 1e3) for count in sorted(entries)]
    content = {
        "scenario": loaded.name,
        "protocol": loaded.search.protocol,
        "row_length": loaded.row_length,
        "ring_bits": loaded.search.ring_bits,
        "output": loaded.search.output,
        "within_ms": within_ms,
        "machine": machine,
        "rates": rates,
        "needs": needs,
    }
    finish("plan", content, need_lines(needs, rates, machine), as_json=as_json, out=out)
