"""`bauta bench`: how long single steps take on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from orchestration.cli.bench_search import search
from orchestration.cli.options import overrides_option

if TYPE_CHECKING:
    from orchestration.benchmarks.features import FeatureTiming
    from orchestration.benchmarks.kernels import KernelTiming

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
@overrides_option
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


@bench.command()
@click.option("--entries", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--dim", type=click.IntRange(min=1), default=512, show_default=True)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(min=1),
    multiple=True,
    default=(1, 8, 32),
    show_default=True,
    help="Probes at once; may be repeated.",
)
@click.option("--ring", type=click.Choice(["16", "32"]), default="16", show_default=True)
@click.option("--radix", type=click.IntRange(min=1, max=4), default=2, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=9, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the products as JSON instead.")
def kernels(  # noqa: PLR0913 - one argument per option
    *,
    entries: int,
    dim: int,
    batches: tuple[int, ...],
    ring: str,
    radix: int,
    threads: int,
    repeats: int,
    device: str,
    as_json: bool,
) -> None:
    """Time the search kernels: the local work of one server, piece by piece.

    GB/s counts the bytes of the large operand, GMAC/s ring multiplications; ms is the median. The
    last column is the share a product reaches of what one core reads from memory in sequence.
    """
    from orchestration.benchmarks.kernels import KernelSizes, kernel_report, measure_kernels
    from orchestration.cli.console import output
    from orchestration.environment import processor

    sizes = KernelSizes(
        entries=entries,
        dimension=dim,
        batches=batches,
        ring_bits=int(ring),
        radix=radix,
        threads=threads,
        cuda=device == "cuda",
    )
    console = output()
    if as_json:
        report = kernel_report(measure_kernels(sizes, repeats=repeats, products_only=True))
        click.echo(msgspec.json.encode(report))
        return
    head = (
        f"{'batch':>5}  {'ms':>9}  {'best':>9}  {'GB/s':>6}  {'GMAC/s':>7}  {'ns/entry':>8}  "
        f"{'of read':>7}  kernel"
    )
    console.print(head, style="bold")
    timings = measure_kernels(
        sizes, repeats=repeats, on_result=lambda timing: console.print(_kernel_line(timing))
    )
    limit = kernel_report(timings).read_gb_s
    console.print(f"one core of {processor()} reads {limit:.1f} GB/s in sequence")


def _kernel_line(timing: KernelTiming) -> str:
    rate = timing.multiplications / timing.median_s / 1e9
    share = "" if timing.share_of_read is None else f"{timing.share_of_read:.2f}"
    return (
        f"{timing.batch:>5}  {timing.median_s * 1e3:>9.3f}  {timing.best_s * 1e3:>9.3f}  "
        f"{timing.gb_s:>6.2f}  {rate:>7.1f}  "
        f"{timing.median_s * 1e9 / timing.comparisons:>8.3f}  {share:>7}  {timing.name}"
    )


def _line(timing: FeatureTiming) -> str:
    return (
        f"{timing.protect_cpu_ms:>11.2f}  {timing.network_input_cpu_ms:>8.2f}  "
        f"{timing.picture_bytes:>9,}  {timing.name}"
    )
