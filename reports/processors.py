"""What a private search costs beside FAISS, processor by processor, from committed result files.

A ratio to FAISS is a property of a processor as much as of a protocol: how wide its vectors are,
and how fast one core reads memory. So no document may quote one without the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

__all__ = ["Measured", "measured", "processors_markdown", "ratio_range"]

PROTOCOL: Final = "dealer"
DIMENSION: Final = 512
_NAMES: Final = {
    "avx512_vnni": "AVX-512", "avx512bw": "AVX-512", "avx2": "AVX2", "asimd": "NEON",
}  # fmt: skip


class Measured(NamedTuple):
    """One cell: a search of the dealer protocol in one runtime on one processor.

    Attributes:
        file: name of the result file.
        day: when it was begun.
        processor: its name, with its vectors where the file tells them.
        entries: gallery rows.
        batch: probes at once.
        runtime: `memory` or `ray`.
        online_s: from probe to decision, median.
        ratio: that by the time of FAISS's fastest call in the same run.
    """

    file: str
    day: str
    processor: str
    entries: int
    batch: int
    runtime: str
    online_s: float
    ratio: float


def measured(results: Mapping[str, Mapping[str, Any]]) -> list[Measured]:
    """Return all cells of rows of 512 elements in a 16-bit ring, file by file.

    Args:
        results: what result files hold, by their names.
    """
    return [cell for file, result in results.items() for cell in _cells(file, result)]


def ratio_range(cells: Sequence[Measured], entries: int, runtime: str) -> tuple[float, float]:
    """Return the lowest and the highest ratio to FAISS of one probe, over processors."""
    ratios = [
        cell.ratio
        for cell in cells
        if (cell.entries, cell.batch, cell.runtime) == (entries, 1, runtime)
    ]
    return min(ratios), max(ratios)


def processors_markdown(cells: Sequence[Measured]) -> str:
    """Return one line for each processor, gallery and batch: both runtimes side by side."""
    head = (
        "| processor | measured | N | B | memory, ms | × FAISS | Ray, ms | × FAISS | file |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    lines: dict[tuple[str, int, int], dict[str, Measured]] = {}
    for cell in cells:
        lines.setdefault((cell.file, cell.entries, cell.batch), {})[cell.runtime] = cell
    return head + "".join(_line(by_runtime) for by_runtime in lines.values())


def _line(by_runtime: Mapping[str, Measured]) -> str:
    some = next(iter(by_runtime.values()))
    columns = [some.processor, some.day, f"{some.entries:,}", str(some.batch)]
    for runtime in ("memory", "ray"):
        cell = by_runtime.get(runtime)
        columns += ["–", "–"] if cell is None else [f"{cell.online_s * 1e3:.1f}", _bold(cell.ratio)]
    return f"| {' | '.join([*columns, f'[`{some.file}`]({some.file})'])} |\n"


def _bold(ratio: float) -> str:
    return f"**{ratio:.2f}**"


def _cells(file: str, result: Mapping[str, Any]) -> Iterator[Measured]:
    for row in result["rows"]:
        told = (row["name"], row["dim"], row["ring"])
        if told != (PROTOCOL, DIMENSION, 16) or row["entries"] < 100_000:
            continue
        yield Measured(
            file,
            str(result["started_utc"])[:10],
            _processor(result["environment"]),
            row["entries"],
            row["batch"],
            row["runtime"],
            row["online_s_median"],
            row["ratio_to_faiss"],
        )


def _processor(environment: Mapping[str, Any]) -> str:
    """Return a processor's name and its widest vectors; older files tell only the name."""
    told = environment.get("instructions", [])
    widest = next((text for name, text in _NAMES.items() if name in told), None)
    return f"{environment['processor']}, {widest}" if widest else str(environment["processor"])
