"""Lines of the table of trained and linear recovery, between its floors and its ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reports.input_rates import recognised_share

__all__ = ["recovery_lines"]

_VERDICTS: Final = {
    "counts": "A3",
    "not converged": "A3, not converged: at least",
    "weaker than linear": "A3, weaker than linear: does not count",
}


def recovery_lines(floors: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return floors and ceiling, then the lines of each kind of input: A3 trained, A1 linear.

    SSIM with the 95 % interval of its mean, PSNR in dB, correlation with the true luminance, and
    recovered faces that match the attacked picture, or another of the person, at FMR 1 % in per
    cent with 95 % intervals, a line for each judge. `false` is the share of comparisons with other
    people that match.
    """
    head = (
        f"{'input':<46}{'picture eps':>12} {'attack':<39}{'SSIM':>20}{'PSNR':>7}{'corr.':>7}"
        f"{'judge':>7}{'same picture %':>17}{'other picture %':>17}{'false %':>9}"
    )
    names = {
        "blank": "mid grey",
        "mean_face": "mean training face",
        "unprotected": "luminance, unprotected",
    }
    lines = [head]
    for key, text in names.items():
        lines += _lines(text, "-", "", floors[key])
    for row in rows:
        epsilon = "none" if row["epsilon"] is None else f"{row['epsilon']:.3g}"
        lines += _lines(row["title"], epsilon, _VERDICTS[row["verdict"]], row["trained"])
        lines += _lines("", "", "A1", row["linear"])
    return lines


def _lines(title: str, epsilon: str, attack: str, found: Mapping[str, Any]) -> Iterator[str]:
    low, high = found["ssim_range"]
    first = (
        f"{title:<46}{epsilon:>12} {attack:<39}"
        f"{found['ssim']:>6.3f} ({low:.3f}-{high:.3f})"
        f"{_number(found['psnr_db'], 1):>7}{_number(found['correlation'], 2):>7}"
    )
    for number, said in enumerate(found["judged"]):
        yield (
            f"{first if number == 0 else '':<{len(first)}}{said['judge']:>7}"
            f"{recognised_share(said['same_picture'], said['faces']):>17}"
            f"{recognised_share(said['other_picture'], said['faces']):>17}"
            f"{100 * said['false_matches'] / max(1, said['comparisons']):>9.1f}"
        )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
