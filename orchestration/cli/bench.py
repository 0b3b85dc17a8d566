"""`bauta bench`: how long single steps take on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.bench_search import search

if TYPE_CHECKING:
    from orchestration.benchmarks.features import FeatureTiming

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Measure single steps on this machine."""


bench.add_command(search)


@bench.command()
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True)
def features(batch: int, repeats: int) -> None:
    """Time the client's protected features, in milliseconds per face on one core."""
    from orchestration.benchmarks.features import measure_features
    from orchestration.cli.console import output

    console = output()
    console.print(f"{'ms per face':>11}  {'provider':>8}  {'bytes':>9}  input", style="bold")
    measure_features(
        batch=batch, repeats=repeats, on_result=lambda timing: console.print(_line(timing))
    )


@bench.command()
@click.argument("scenario", default="lfw")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a field.")
@click.option("--pictures", type=click.IntRange(min=2), default=128, show_default=True)
def parts(scenario: str, overrides: tuple[str, ...], pictures: int) -> None:
    """Tell which part of the input a scenario's network recognises by: frequency or colour.

    Prints the mean cosine to the unprotected embedding, with one part of another person.
    """
    from orchestration.benchmarks.parts import measure_parts
    from orchestration.cli.console import errors, output
    from orchestration.cli.progress import progress_view
    from scenarios.resources import check_runnable, data_root
    from scenarios.schema import load_scenario

    loaded = load_scenario(scenario, overrides)
    check_runnable(loaded, data_root())
    with progress_view(errors()) as on_progress:
        found = measure_parts(loaded, data_root(), pictures, on_progress)
    output().print(
        f"intact {found.intact:.3f}   frequency swapped {found.frequency_swapped:.3f}   "
        f"colour swapped {found.colour_swapped:.3f}"
    )


def _line(timing: FeatureTiming) -> str:
    return (
        f"{timing.protect_cpu_ms:>11.2f}  {timing.network_input_cpu_ms:>8.2f}  "
        f"{timing.picture_bytes:>9,}  {timing.name}"
    )
