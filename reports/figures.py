"""Figures of a run as inline SVG: open-set curves, scores, where the time went.

Text takes the page's colour and the background is transparent, so that a figure fits a light
and a dark page. Equal inputs give equal bytes: fixed hash salt, no dates, no host fonts.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from protocol.parties import PHASES, Phase
from reports.accuracy import COLUMNS, curves
from reports.metrics import UNMATED, rank_probes
from reports.operating import genuine_claims
from reports.records import CLAIMS, Arrays
from reports.wording import party_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Canvas = tuple[Figure, list[Axes]]

__all__ = ["compute_figure", "curves_figure", "scores_figure"]

# Stands for the page's own text colour until the SVG is written.
_INK: Final = "#010203"
_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#8a94a6",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}
_LINES: Final = {
    "secure": ("#3b7dd8", "solid", 4.5),
    "protected_plain": ("#d08b1d", (0, (5, 2)), 1.8),
    "baseline": ("#8592a6", (0, (1, 1.2)), 2.0),
}
_PHASE_COLOURS: Final = dict(
    zip(PHASES, ("#94a3b8", "#3b7dd8", "#8b5cf6", "#2f9e6e", "#d69e2e"), strict=True)
)
_SEARCH_PHASES: Final[tuple[Phase, ...]] = ("offline", "online", "evaluation")
_MATED: Final = "#2f9e6e"
_UNMATED: Final = "#d9534f"
_WIDTH: Final = 7.4
_NOTHING_BELOW: Final = 1e-4


def curves_figure(observations: Arrays, fpir_target: float | None = None) -> str | None:
    """Return TPIR against FPIR of secure search, protected floats and baseline.

    None where the run opened no scores or searched no mated or no unmated probe.
    """
    found = {name: curve for name, curve in curves(observations).items() if name in _LINES}
    if not found:
        return None
    with _style("curves"):
        figure, (axes,) = _canvas(3.5)
        for name in (name for name in _LINES if name in found):
            colour, dash, width = _LINES[name]
            axes.step(
                found[name].fpir, found[name].tpir, where="post", color=colour, linestyle=dash,
                linewidth=width, label=COLUMNS[name][0],
            )  # fmt: skip
        if fpir_target:
            axes.axvline(fpir_target, color=_INK, linewidth=0.8, linestyle=(0, (2, 3)))
        unmated = int(np.count_nonzero(observations["probe_identity"] == UNMATED))
        axes.set_xscale("log")
        axes.set_xlim(0.8 * min(fpir_target or 1, 1 / max(1, unmated)), 1.05)
        axes.set_ylim(_floor([min(curve.tpir) for curve in found.values()]), 1.005)
        _name_rates(axes)
        axes.legend(loc="lower right")
        return _svg(figure, "TPIR against FPIR of secure search, protected floats and baseline")


def scores_figure(observations: Arrays, threshold: float, score_unit: float) -> str | None:
    """Return histograms of the best score per probe, mated and unmated, as cosines.

    In a verification they are of the claims, genuine ones and impostors' ones.

    Args:
        observations: the evaluator's arrays; None is returned where no scores are open.
        threshold: the operating threshold as a cosine.
        score_unit: ring score of a cosine of one.
    """
    scores = observations.get("secure_scores")
    if scores is None or not scores.size or score_unit <= 0:
        return None
    (mated, mated_label), (unmated, unmated_label) = _scored(observations, scores)
    series = [
        (mated / score_unit, _MATED, mated_label), (unmated / score_unit, _UNMATED, unmated_label),
    ]  # fmt: skip
    with _style("scores"):
        figure, (axes,) = _canvas(2.9, top=0.38)
        _histograms(axes, series, threshold)
        axes.set_xlabel("score as a cosine")
        axes.set_ylabel("share of probes")
        axes.yaxis.set_major_formatter(FuncFormatter(_as_percent))
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.19), ncols=2, borderaxespad=0)
        return _svg(figure, "Best scores of mated and unmated probes, with the threshold")


def _scored(observations: Arrays, scores: NDArray[Any]) -> list[tuple[NDArray[Any], str]]:
    """Return the scores that should be high and those that should be low, with their names."""
    if CLAIMS in observations:
        genuine = genuine_claims(observations)
        return [(scores[genuine], "genuine claims"), (scores[~genuine], "impostors' claims")]
    ranking = rank_probes(scores, observations["probe_identity"], observations["gallery_identity"])
    mated = ranking.mated
    return [
        (ranking.mate[mated], "mated: score of the own entry"),
        (ranking.impostor[~mated], "unmated: best score of any entry"),
    ]


def compute_figure(compute: Sequence[Mapping[str, Any]], probes: int) -> str | None:
    """Return each party's busy time as bars stacked by phase: the whole run, and per probe.

    Args:
        compute: rows of `reports.latency.compute_table`, in seconds.
        probes: how many probes were searched; per-probe bars are left out when it is 0.
    """
    if not any(row["total"] > 0 for row in compute):
        return None
    rows = list(reversed(compute))
    with _style("compute"):
        figure, panels = _canvas(2.5, panels=2 if probes else 1, left=1.1, top=0.38)
        _stack(panels[0], rows, PHASES, 1.0)
        panels[0].set_xlabel("whole run: busy seconds")
        if probes:
            _stack(panels[1], rows, _SEARCH_PHASES, 1e3 / probes)
            panels[1].set_xlabel("searching: busy ms per probe")
        panels[0].set_yticks(range(len(rows)), [party_name(row["party"]) for row in rows])
        keys = [Patch(color=_PHASE_COLOURS[phase], label=phase) for phase in PHASES]
        figure.legend(handles=keys, loc="upper center", ncols=len(keys))
        return _svg(figure, "Busy time of each party by phase")


def _stack(
    axes: Axes, rows: Sequence[Mapping[str, Any]], phases: Sequence[Phase], factor: float
) -> None:
    left = np.zeros(len(rows))
    for phase in phases:
        widths = factor * np.array([float(row[phase]) for row in rows])
        axes.barh(range(len(rows)), widths, left=left, color=_PHASE_COLOURS[phase], height=0.62)
        left += widths
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _histograms(
    axes: Axes, series: Sequence[tuple[NDArray[np.float64], str, str]], threshold: float
) -> None:
    finite = [(values[np.isfinite(values)], colour, label) for values, colour, label in series]
    together = np.concatenate([values for values, _, _ in finite])
    low, high = min(together.min(), threshold), max(together.max(), threshold)
    margin = max(0.02, 0.04 * (high - low))
    bins = np.linspace(low - margin, high + margin, 48)
    for values, colour, label in finite:
        if values.size:
            weights = np.full(values.size, 1 / values.size)
            shares, edges = np.histogram(values, bins=bins, weights=weights)
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.62, label=label)
    axes.axvline(threshold, color=_INK, linewidth=1.1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"threshold {threshold:.3f}", (threshold, 1), xycoords=("data", "axes fraction"),
        xytext=(5, -1), textcoords="offset points", va="top", fontsize=9,
    )  # fmt: skip


def _name_rates(axes: Axes) -> None:
    axes.set_xlabel("FPIR: unmated probes with any match")
    axes.set_ylabel("TPIR: mated probes found")
    axes.xaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.yaxis.set_major_formatter(FuncFormatter(_as_percent))


def _style(salt: str) -> AbstractContextManager[None]:
    """Return the drawing style; figures of one page need different salts for their ids."""
    settings: Any = {**_STYLE, "svg.hashsalt": salt}
    return mpl.rc_context(settings)


def _canvas(height: float, *, panels: int = 1, left: float = 0.85, top: float = 0.1) -> Canvas:
    """Return a figure and its panels, with margins in inches (no layout engine: it costs time)."""
    figure = Figure(figsize=(_WIDTH, height))
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=left / _WIDTH, right=1 - 0.2 / _WIDTH, bottom=0.5 / height, top=1 - top / height,
        wspace=0.06,
    )  # fmt: skip
    return figure, list(axes)


def _floor(lowest: Sequence[float]) -> float:
    """Return where the TPIR axis begins: near the lowest value, but never a hair above it."""
    return max(0.0, math.floor(min(lowest) * 10 - 0.5) / 10)


def _as_percent(value: float, _position: int | None = None) -> str:
    return f"{100 * value:.3g} %" if value >= _NOTHING_BELOW or value == 0 else f"{value:.0e}"


def _svg(figure: Figure, title: str) -> str:
    """Return a figure as an `svg` element without prolog, ids of groups, metadata or dates."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(out, metadata=nothing)  # type: ignore[no-untyped-call]
    text = out.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", "", text)
    text = re.sub(r"font-family: [^;]*;", "", text)
    text = text.replace(_INK, "currentColor")
    return text.replace("<svg ", f'<svg class="figure" role="img" aria-label="{title}" ', 1)
