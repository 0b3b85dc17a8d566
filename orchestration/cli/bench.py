"""`bauta bench`: how long single steps take on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from orchestration.benchmarks.features import FeatureTiming

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Measure single steps on this machine."""


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


def _line(timing: FeatureTiming) -> str:
    return (
        f"{timing.protect_cpu_ms:>11.2f}  {timing.network_input_cpu_ms:>8.2f}  "
        f"{timing.picture_bytes:>9,}  {timing.name}"
    )
