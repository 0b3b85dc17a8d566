"""How charts beside result files look, and that equal results give equal files."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final

import matplotlib as mpl

__all__ = ["chart_style"]

_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#8a94a6",
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


def chart_style(name: str) -> AbstractContextManager[None]:
    """Return a context in which figures are drawn alike; `name` seeds the identifiers in an SVG."""
    style: Any = {**_STYLE, "svg.hashsalt": name}
    return mpl.rc_context(style)
