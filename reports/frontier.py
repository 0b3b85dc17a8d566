"""Accuracy under noise against the budget of a picture, and against what an attack reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from protocol.errors import DataError
from reports.charts import chart_style
from reports.input_rates import epsilon_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ablation_lines", "frontier_lines", "write_frontier_figure"]

Point = Mapping[str, Any]

_COLOURS: Final = ("#d9534f", "#d69e2e", "#3b7dd8", "#2f9e6e", "#8b5cf6", "#0f766e")
_DOTS_PER_INCH: Final = 140
_WANTED_PAIRS: Final = 95.0
_WANTED_RECOVERED: Final = 5.0


def frontier_lines(points: Sequence[Any]) -> list[str]:
    """Return one line per mechanism and budget, in per cent with 95 % intervals."""
    head = (
        f"{'mechanism':<28}{'picture eps':>12}{'value eps':>11}{'steps':>7}{'pairs':>20}"
        f"{'TAR 1e-3':>10}{'rank-1':>20}{'A1 other':>18}{'A4 linked':>11}"
    )
    return [head, *(_line(point) for point in points)]


def _line(point: Any) -> str:  # noqa: ANN401 - a point of any source
    rates, attack = point.rates, point.attack
    return (
        f"{point.title:<28}{epsilon_text(point.epsilon):>12}{epsilon_text(point.element_epsilon):>11}"
        f"{point.all_steps:>7}{_with_range(rates.pairs, rates.pairs_range):>20}"
        f"{'-' if rates.tar is None else f'{100 * rates.tar:.1f}':>10}"
        f"{_with_range(rates.rank_1, rates.rank_1_range):>20}"
        f"{_said(attack, 'other_picture'):>18}"
        f"{100 * point.linked / point.linked_faces:>11.0f}"
    )


def ablation_lines(points: Sequence[Any]) -> list[str]:
    """Return one line per kind of input, in per cent with 95 % intervals."""
    head = (
        f"{'input':<46}{'element eps':>12}{'channels':>9}{'bytes':>11}{'ms':>6}{'pairs':>20}"
        f"{'TAR 1e-3':>10}{'rank-1':>20}{'A1 same':>18}{'A1 other':>18}{'A4 linked':>11}"
    )
    return [head, *(_ablation(point) for point in points)]


def _ablation(point: Any) -> str:  # noqa: ANN401 - a point of any source
    rates, attack = point.rates, point.attack
    tar = "-" if rates.tar is None else f"{100 * rates.tar:.1f}"
    return (
        f"{point.title:<46}{epsilon_text(point.element_epsilon):>12}{point.channels:>9}"
        f"{point.picture_bytes:>11,}{point.client_ms:>6.2f}"
        f"{_with_range(rates.pairs, rates.pairs_range):>20}{tar:>10}"
        f"{_with_range(rates.rank_1, rates.rank_1_range):>20}"
        f"{_said(attack, 'same_picture'):>18}{_said(attack, 'other_picture'):>18}"
        f"{100 * point.linked / point.linked_faces:>11.0f}"
    )


def _said(attack: Any, count: str) -> str:  # noqa: ANN401 - an attack of any source
    """Return what each judge says in per cent: `90 ms1m, 84 casia`; a weak prior is marked."""
    said = " ".join(
        f"{100 * getattr(each, count) / each.faces:.0f} {each.judge}" for each in attack.judged
    )
    return said if attack.attack == "face" else f"{said} >="


def _with_range(value: float, bounds: tuple[float, float]) -> str:
    return f"{100 * value:.1f} ({100 * bounds[0]:.1f}-{100 * bounds[1]:.1f})"


def write_frontier_figure(result: Path) -> tuple[Path, Path]:
    """Draw a result file's points as SVG and PNG beside it, and return where.

    Left: TAR at all-pairs FAR 1e-3 of each mechanism's trained network, against the budget of the
    picture. Right: its accuracy on pairs against the share of faces the linear attack recovers,
    as the judge who recognises most of them says. Curves of learned shares are dashed, in the
    colour of their mechanism; where their attack had a weaker prior, marks are hollow.

    Raises:
        DataError: the file is no result of `evaluate frontier`.
    """
    points = _points(result)
    with chart_style("frontier"):
        figure = Figure(figsize=(9.2, 4.4), dpi=_DOTS_PER_INCH)
        left, right = figure.subplots(1, 2)
        names = list(dict.fromkeys(p["ladder"] for p in points))
        for title in dict.fromkeys(p["title"] for p in points):
            curve = [p for p in points if p["title"] == title]
            _draw(left, right, curve, _COLOURS[names.index(curve[0]["ladder"]) % len(_COLOURS)])
        _label(left, right)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=4, fontsize=7)
        figure.tight_layout(rect=(0, 0, 1, 0.85))
        svg, png = result.with_suffix(".svg"), result.with_suffix(".png")
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(svg, metadata=nothing)  # type: ignore[no-untyped-call]
        FigureCanvasAgg(figure).print_png(png)  # type: ignore[no-untyped-call]
    return svg, png


def _draw(left: Axes, right: Axes, points: Sequence[Point], colour: str) -> None:
    noisy = [p for p in points if p["epsilon"] is not None]
    if not noisy:
        return
    style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 3.5, "linewidth": 1.6}
    if noisy[0]["learned"]:
        style |= {"linestyle": (0, (4, 1.5)), "marker": "D"}
    rated = [p for p in noisy if p["rates"]["tar"] is not None]
    left.plot(
        [p["epsilon"] for p in rated],
        [100 * p["rates"]["tar"] for p in rated],
        label=noisy[0]["title"],
        **style,
    )
    right.plot(*_places(noisy), **style)
    weak = [p for p in noisy if p["attack"]["attack"] != "face"]
    right.plot(*_places(weak), **style | {"linestyle": "none", "markerfacecolor": "white"})


def _places(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Return what the attack recovers and how well pairs are judged, in per cent."""
    recovered = [100 * _recovered(p["attack"]) for p in points]
    return recovered, [100 * float(p["rates"]["pairs"]) for p in points]


def _recovered(attack: Mapping[str, Any]) -> float:
    return max(float(each["other_picture"] / each["faces"]) for each in attack["judged"])


def _label(left: Axes, right: Axes) -> None:
    left.set_xscale("log")
    left.set_xlabel("ε of the picture")
    left.set_ylabel("TAR at all-pairs FAR 1e-3, %")
    left.set_ylim(0, 100)
    right.axvspan(0, _WANTED_RECOVERED, ymin=0.9, color="#2f9e6e", alpha=0.15, linewidth=0)
    right.set_ylim(50, 100)
    right.set_xlim(0, 100)
    right.axhline(_WANTED_PAIRS, color="#64748b", linewidth=0.8, linestyle=(0, (4, 2)))
    right.axvline(_WANTED_RECOVERED, color="#64748b", linewidth=0.8, linestyle=(0, (4, 2)))
    right.set_xlabel("recovered faces that match the person at FMR 1 %, % (hollow: at least)")
    right.set_ylabel("accuracy on pairs, %")


def _points(result: Path) -> list[Point]:
    try:
        content = msgspec.json.decode(result.read_bytes())
        points: list[Point] = [
            {
                key: point[key]
                for key in ("ladder", "title", "learned", "epsilon", "rates", "attack")
            }
            for point in content["points"]
        ]
        old = any("judged" not in point["attack"] for point in points)
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        text = "is no result file of evaluate frontier"
        raise DataError(text, where=str(result)) from error
    if old:
        hint = "`bauta evaluate again FILE` attacks its inputs anew"
        raise DataError("holds attacks of an earlier version", where=str(result), hint=hint)
    if not points:
        raise DataError("holds no point to draw", where=str(result))
    return points
