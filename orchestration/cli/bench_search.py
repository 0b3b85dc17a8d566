"""`bauta bench search`: private search beside plain search and CrypTen, in one run."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from orchestration.cli.options import POSITIVE

if TYPE_CHECKING:
    from orchestration.benchmarks.search.cells import Options
    from orchestration.benchmarks.search.results import ResultFile
    from orchestration.benchmarks.search.rows import Row

__all__ = ["search"]

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
SWEEP: Final[dict[str, tuple[int, ...]]] = {
    "entries": (1_000, 10_000, 100_000, 1_000_000),
    "dim": (128, 512),
    "batch": (1, 32),
}
MINUTE_S: Final = 60.0


class _Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers, separated by commas, each within limits."""

    name = "n,n,…"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._one: click.ParamType[Any] = click.IntRange(least, most)

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:  # noqa: ANN401
        """Return the numbers, each once."""
        if isinstance(value, tuple):
            return value
        found = (self._one.convert(part.strip(), param, ctx) for part in str(value).split(","))
        return tuple(dict.fromkeys(found))


class _Names(click.ParamType[tuple[str, ...]]):
    """Names, separated by commas; of a choice, where there is one."""

    name = "name,name,…"

    def __init__(self, *choice: str) -> None:
        self._choice = choice

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:  # noqa: ANN401
        """Return the names, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part.strip() for part in str(value).split(",") if part.strip()))
        for name in names:
            if self._choice and name not in self._choice:
                self.fail(f"{name!r} is none of {', '.join(self._choice)}", param, ctx)
        return names


@click.command(short_help="Time private search beside FAISS, CrypTen and plaintext.")
@click.option("--entries", type=_Numbers(1), default="1000,100000", show_default=True)
@click.option("--dim", type=_Numbers(8, 4096), default="512", show_default=True)
@click.option("--batch", type=_Numbers(1, 4096), default="1,32", show_default=True)
@click.option("--ring", type=_Numbers(16, 32), default="16", show_default=True)
@click.option("--protocol", type=_Names(), default="dealer", show_default=True)
@click.option(
    "--against",
    type=_Names("faiss", "crypten", "plaintext"),
    default="faiss,crypten,plaintext",
    show_default=True,
)
@click.option("--runtime", type=_Names("memory", "ray"), default="memory,ray", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=9, show_default=True)
@click.option("--warmups", type=click.IntRange(min=0), default=2, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--sweep", is_flag=True, help="N = 1e3 … 1e6, d = 128 and 512, with a figure.")
@click.option("--minutes", type=POSITIVE, default=120.0)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Result file.")
@click.option("--json", "as_json", is_flag=True, help="Print environment and rows as JSON.")
@click.pass_context
def search(context: click.Context, /, **asked: Any) -> None:  # noqa: ANN401 - see the options
    """Time private search beside FAISS, CrypTen and plaintext, turn by turn on the same cores.

    Decisions of every search are compared with the plaintext oracle; exit code 1 says that one was
    wrong. The result file is continued if it exists, so an interrupted sweep can be run again.
    No gallery is begun after --minutes.
    """
    with _limited_threads(asked["threads"]), _interrupted_by_termination():
        options = _options(context, asked)
        result = _result(options, asked["out"])
        _measure(options, result, asked["minutes"] * MINUTE_S)
    if asked["sweep"]:
        _draw(result)
    if asked["as_json"]:
        click.echo(result.summary)
    else:
        _print(result)
    context.exit(1 if any(row.failed for row in result.rows) else 0)


def _options(context: click.Context, asked: dict[str, Any]) -> Options:
    """Return the benchmark that was asked for; a sweep fills in what was not asked for.

    Raises:
        ScenarioError: there is no such protocol or ring.
    """
    from orchestration.benchmarks.search.cells import Options, refuse_unknown

    grid = {name: asked[name] for name in SWEEP}
    if asked["sweep"]:
        left = [n for n in SWEEP if context.get_parameter_source(n) == ParameterSource.DEFAULT]
        grid |= {name: SWEEP[name] for name in left}
    options = Options(
        entries=grid["entries"],
        dimensions=grid["dim"],
        rings=asked["ring"],
        batches=grid["batch"],
        protocols=asked["protocol"],
        peers=asked["against"],
        runtimes=asked["runtime"],
        threads=asked["threads"],
        repeats=asked["repeats"],
        warmups=asked["warmups"],
        seed=asked["seed"],
    )
    refuse_unknown(options)
    return options


def _result(options: Options, out: Path | None) -> ResultFile:
    """Return the result file, with what an earlier run left in it."""
    from orchestration.benchmarks.search.results import ResultFile, default_path

    result = ResultFile(out or default_path(), options, shlex.join(["bauta", *sys.argv[1:]]))
    result.resume()
    return result


def _measure(options: Options, result: ResultFile, budget_s: float) -> None:
    """Measure every gallery the file does not hold yet, as long as there is time."""
    from orchestration.benchmarks.search.measure import measure_gallery, runtimes
    from orchestration.benchmarks.search.memory import refuse_too_large
    from orchestration.cli.console import errors
    from orchestration.cli.progress import progress_view

    missing = [gallery for gallery in options.galleries if not result.has(gallery)]
    refuse_too_large(options, missing)
    begun = monotonic()
    with progress_view(errors()) as on_progress, runtimes(options) as actor:
        for gallery in missing:
            if monotonic() - begun > budget_s:
                break
            result.add(measure_gallery(options, gallery, actor, on_progress))


def _draw(result: ResultFile) -> None:
    """Draw the scaling figure beside the result file."""
    from reports.scaling import write_scaling_figure

    for path in write_scaling_figure(result.path):
        click.echo(f"wrote {path}", err=True)


def _print(result: ResultFile) -> None:
    from orchestration.cli.console import output

    console = output()
    console.print(_HEADER, style="bold")
    for row in result.rows:
        console.print(_line(row), style="red" if row.failed else None, markup=False)
    console.print(_LEGEND, markup=False)
    console.print(f"processor: {result.processor}", markup=False)
    console.print(f"result file: {result.path}", markup=False)


_COLUMNS: Final = (
    ("contender", 19), ("runtime", -7), ("N", 9), ("d", 4), ("B", 3), ("k", 3), ("online ms", 10),
    ("servers ms", 10), ("offline ms", 10), ("B/entry on", 10), ("off", 6), ("rounds", 6),
    ("x FAISS", 8), ("servers x", 9), ("CrypTen/", 9), ("written/", 9),
    ("oracle", 6),
)  # fmt: skip
_HEADER: Final = "  ".join(f"{name:<{-w}}" if w < 0 else f"{name:>{w}}" for name, w in _COLUMNS)
_LEGEND: Final = """
online      probe embeddings known until decisions at the client, wall time for all B probes:
            messages, encoding, checking and journal included; median of the repeats
servers     busy time of all compute servers online, added up, from the journal: kernels and local
            steps, without messages in between; what the first target compares with FAISS
offline     making the material of one search before its probes are known, wall time
B/entry     payload bytes over N B: sent online by the busiest server; sent offline by all
x FAISS     online / FAISS's fastest call in this run;  servers x: servers / the same
CrypTen/    CrypTen's fastest way in this run / online;  written/: CrypTen as its interface has it
oracle      every decision of every repeat equals the plaintext oracle"""


def _line(row: Row) -> str:
    """Return a row as a line of the table."""
    values = (
        row.name,
        row.runtime,
        f"{row.entries:,}",
        str(row.dim),
        str(row.batch),
        str(row.ring),
        _ms(row.online_s_median),
        _ms(row.servers_online_s_median),
        _ms(row.offline_s_median),
        _short(row.online_bytes_per_entry_per_party),
        _short(row.offline_bytes_per_entry),
        "-" if row.rounds is None else str(row.rounds),
        _short(row.ratio_to_faiss),
        _short(row.servers_ratio_to_faiss),
        _short(row.ratio_to_crypten),
        _short(row.ratio_to_crypten_as_written),
        {True: "equal", False: "WRONG", None: "-"}[row.equals_oracle],
    )
    cells = zip(values, (width for _, width in _COLUMNS), strict=True)
    line = "  ".join(f"{v:<{-width}}" if width < 0 else f"{v:>{width}}" for v, width in cells)
    return f"{line}  {row.skipped}" if row.skipped else line


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:,.2f}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


@contextmanager
def _limited_threads(threads: int) -> Iterator[None]:
    """Limit the libraries that read their limit when they are loaded, here and in actors."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    import torch

    from protocol.sharing.kernels_blocks import computing_with

    torch_threads = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with computing_with(threads):
            yield
    finally:
        torch.set_num_threads(torch_threads)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Let SIGTERM unwind the benchmark as Ctrl-C does, so that Ray and its actors are stopped."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
