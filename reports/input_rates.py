"""Lines of the table of input mechanisms under attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reports.intervals import wilson_interval

__all__ = ["epsilon_text", "false_matches", "input_lines", "mixing_lines", "recognised_share"]

_JUDGED = (
    f"{'judge':>7}{'same picture %':>18}{'other picture %':>18}{'FMR 0.1 %':>11}{'false %':>9}"
)


def input_lines(points: Sequence[Any]) -> list[str]:
    """Return a line per mechanism, budget and judge: recognised faces in per cent, with intervals.

    `false` is the share of comparisons of recovered faces with other people that match at the
    threshold of FMR 1 %.
    """
    columns = f"{'picture eps':>12}{'element eps':>13}{'uploads':>9}{'corr.':>7}"
    head = f"{'mechanism':<44}{columns}{_JUDGED}"
    return [head, *(line for point in points for line in _lines(point))]


def mixing_lines(points: Sequence[Any], embedding_cosine: float | None) -> list[str]:
    """Return lines per state of an eavesdropper's knowledge, and what the mixing costs."""
    names = {0: "mixing unknown, ignored", None: "mixing known"}
    lines = [f"{'adversary':<36}{'corr.':>7}{_JUDGED}"]
    for point in points:
        name = names.get(point.uploads, "mixing estimated from one upload")
        first = f"{name:<36}{point.correlation:>7.2f}"
        lines += _beside(first, point.judged)
    if embedding_cosine is not None:
        lines.append(f"cosine of embeddings with and without mixing: {embedding_cosine:.4f}")
    return lines


def recognised_share(count: int, total: int) -> str:
    """Return recognised faces in per cent with their 95 % interval: `20 (13 to 29)`."""
    low, high = wilson_interval(count, total)
    return f"{100 * count / max(1, total):.0f} ({100 * low:.0f} to {100 * high:.0f})"


def false_matches(judged: Any) -> str:  # noqa: ANN401 - a judge's word of any source
    """Return the share of comparisons with other people that match, in per cent."""
    if judged.false_matches is None or not judged.comparisons:
        return "-"
    return f"{100 * judged.false_matches / judged.comparisons:.1f}"


def _lines(point: Any) -> Iterator[str]:  # noqa: ANN401 - an attack point of any source
    first = (
        f"{point.mechanism:<44}{epsilon_text(point.epsilon):>12}{epsilon_text(point.element_epsilon):>13}"
        f"{point.uploads:>9}{point.correlation:>7.2f}"
    )
    return _beside(first, point.judged)


def _beside(first: str, judged: Sequence[Any]) -> Iterator[str]:
    """Write what judges say beside a line's beginning, and below it."""
    for number, each in enumerate(judged):
        yield (
            f"{first if number == 0 else '':<{len(first)}}{each.judge:>7}"
            f"{recognised_share(each.same_picture, each.faces):>18}"
            f"{recognised_share(each.other_picture, each.faces):>18}"
            f"{100 * each.other_picture_strict / max(1, each.faces):>11.0f}"
            f"{false_matches(each):>9}"
        )


def epsilon_text(value: float | None) -> str:
    """Return a budget with three significant digits; `none` where there is no noise."""
    return "none" if value is None else f"{value:.3g}"
