"""The scaling figure of a search benchmark: seconds per query against gallery size.

Reads a result file of `bauta bench search`; knows nothing of how it was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from protocol.errors import DataError
from reports.charts import chart_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_scaling_figure"]

Row = Mapping[str, Any]

_COLOURS: Final = ("#3b7dd8", "#2f9e6e", "#d69e2e", "#8b5cf6", "#0f766e")
_PLAIN: Final = {
    "faiss": ("#64748b", (0, (4, 2))),
    "plaintext": ("#94a3b8", (0, (1, 1.5))),
    "plaintext integers": ("#94a3b8", (0, (6, 1.5))),
    "crypten by itself": ("#d9534f", (0, (4, 2))),
    "crypten as written": ("#d9534f", (0, (1, 1.5))),
}
_DOTS_PER_INCH: Final = 140


def write_scaling_figure(result: Path) -> tuple[Path, Path]:
    """Draw a result file's rows as SVG and PNG beside it, and return where.

    One panel per batch size and dimension; each line a contender, each point a median.

    Raises:
        DataError: the file is no result file, or holds nothing to draw.
    """
    rows = _rows(result)
    panels = sorted({(row["batch"], row["dim"]) for row in rows})
    if not panels:
        raise DataError("holds no measured row to draw", where=str(result))
    with chart_style("scaling"):
        figure = _figure(rows, panels)
        svg, png = result.with_name("scaling.svg"), result.with_name("scaling.png")
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(svg, metadata=nothing)  # type: ignore[no-untyped-call]
        FigureCanvasAgg(figure).print_png(png)  # type: ignore[no-untyped-call]
    return svg, png


def _figure(rows: Sequence[Row], panels: Sequence[tuple[int, int]]) -> Figure:
    columns = len({dim for _, dim in panels})
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.3 * lines + 0.6), dpi=_DOTS_PER_INCH)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey="row").reshape(-1)
    names = _contenders(rows)
    for axes, (batch, dim) in zip(grid, panels, strict=False):
        here = [row for row in rows if (row["batch"], row["dim"]) == (batch, dim)]
        _panel(axes, here, names)
        axes.set_title(f"batch {batch}, d = {dim}", fontsize=9)
    for axes in grid[-columns:]:
        axes.set_xlabel("gallery entries N")
    for axes in grid[::columns]:
        axes.set_ylabel("ms per query, online")
    handles = {line.get_label(): line for axes in grid for line in axes.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="upper center", ncols=4, fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.6 / (3.3 * lines + 0.6)))
    return figure


def _panel(axes: Axes, rows: Sequence[Row], names: Sequence[tuple[str, str]]) -> None:
    for index, (name, runtime) in enumerate(names):
        points = sorted(
            (row["entries"], 1e3 * row["online_s_median"] / row["batch"])
            for row in rows
            if (row["name"], row["runtime"]) == (name, runtime)
        )
        if points:
            colour, dash = _PLAIN.get(name, (_COLOURS[index % len(_COLOURS)], "solid"))
            label = name if runtime == "plain" else f"{name} ({runtime})"
            axes.plot(
                *zip(*points, strict=True), label=label, color=colour, linestyle=dash,
                marker="o", markersize=3.5, linewidth=1.6,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")


def _contenders(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Return protocols first, then what they are compared with."""
    found = dict.fromkeys((row["name"], row["runtime"]) for row in rows)
    return sorted(found, key=lambda contender: contender[1] == "plain")


def _rows(result: Path) -> list[Row]:
    """Return the measured rows; of FAISS's calls only the faster at each point."""
    try:
        content = msgspec.json.decode(result.read_bytes())
        rows = [row for row in content["rows"] if row["online_s_median"] is not None]
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        text = "is no result file of a search benchmark"
        raise DataError(text, where=str(result)) from error
    return _fastest_faiss(rows)


def _fastest_faiss(rows: Iterable[Row]) -> list[Row]:
    kept: dict[Any, Row] = {}
    for row in rows:
        name = "faiss" if row["name"].startswith("faiss") else row["name"]
        key = (name, row["runtime"], row["entries"], row["dim"], row["batch"], row["ring"])
        if key not in kept or row["online_s_median"] < kept[key]["online_s_median"]:
            kept[key] = {**row, "name": name}
    return list(kept.values())
