"""Lines of the table of input mechanisms under attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.intervals import wilson_interval

__all__ = ["input_lines", "mixing_lines"]


def input_lines(points: Sequence[Any]) -> list[str]:
    """Return one line per mechanism and budget: recognised faces in per cent, with intervals."""
    head = (
        f"{'mechanism':<44}{'picture eps':>12}{'element eps':>13}{'corr.':>7}"
        f"{'same picture %':>18}{'other picture %':>18}{'other, FMR 0.1 %':>18}"
    )
    return [head, *(_line(point) for point in points)]


def mixing_lines(points: Sequence[Any], embedding_cosine: float | None) -> list[str]:
    """Return one line per state of an eavesdropper's knowledge, and what the mixing costs."""
    names = {0: "mixing unknown, ignored", None: "mixing known"}
    lines = [f"{'adversary':<36}{'corr.':>7}{'same picture %':>18}{'other picture %':>18}"]
    for point in points:
        name = names.get(point.uploads, "mixing estimated from one upload")
        same = _share(point.same_picture, point.faces)
        other = _share(point.other_picture, point.faces)
        lines.append(f"{name:<36}{point.correlation:>7.2f}{same:>18}{other:>18}")
    if embedding_cosine is not None:
        lines.append(f"cosine of embeddings with and without mixing: {embedding_cosine:.4f}")
    return lines


def _line(point: Any) -> str:  # noqa: ANN401 - an attack point of any source
    return (
        f"{point.mechanism:<44}{_number(point.epsilon):>12}{_number(point.element_epsilon):>13}"
        f"{point.correlation:>7.2f}{_share(point.same_picture, point.faces):>18}"
        f"{_share(point.other_picture, point.faces):>18}"
        f"{_share(point.other_picture_strict, point.faces):>18}"
    )


def _share(count: int, total: int) -> str:
    low, high = wilson_interval(count, total)
    return f"{100 * count / max(1, total):.0f} ({100 * low:.0f} to {100 * high:.0f})"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"
