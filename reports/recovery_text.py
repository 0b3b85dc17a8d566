"""Lines of the table of trained and linear recovery, between its floors and its ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports.intervals import wilson_interval

__all__ = ["recovery_lines"]


def recovery_lines(floors: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return floors and ceiling, then two lines per kind of input: A3 trained, A1 linear.

    SSIM with the 95 % interval of its mean, PSNR in dB, correlation with the true luminance, and
    recovered faces that match the attacked picture, or another of the person, at FMR 1 % in per
    cent with 95 % intervals.
    """
    head = (
        f"{'input':<46}{'picture eps':>12} {'attack':<10}{'SSIM':>20}{'PSNR':>7}{'corr.':>7}"
        f"{'same picture %':>17}{'other picture %':>17}"
    )
    names = {
        "blank": "mid grey",
        "mean_face": "mean training face",
        "unprotected": "luminance, unprotected",
    }
    lines = [head, *(_line(text, "-", "", floors[key]) for key, text in names.items())]
    for row in rows:
        lines += _pair(row)
    return lines


def _pair(row: Mapping[str, Any]) -> Iterator[str]:
    epsilon = "none" if row["epsilon"] is None else f"{row['epsilon']:.3g}"
    yield _line(row["title"], epsilon, "A3", row["trained"])
    yield _line("", "", "A1", row["linear"])


def _line(title: str, epsilon: str, attack: str, found: Mapping[str, Any]) -> str:
    low, high = found["ssim_range"]
    return (
        f"{title:<46}{epsilon:>12} {attack:<10}"
        f"{found['ssim']:>6.3f} ({low:.3f}-{high:.3f})"
        f"{_number(found['psnr_db'], 1):>7}{_number(found['correlation'], 2):>7}"
        f"{_share(found['same_picture'], found['faces']):>17}"
        f"{_share(found['other_picture'], found['faces']):>17}"
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _share(count: int, total: int) -> str:
    low, high = wilson_interval(count, total)
    return f"{100 * count / max(1, total):.0f} ({100 * low:.0f} to {100 * high:.0f})"
