"""A table cell: a value for people, a note below it, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reports.wording import NOT_MEASURED, percent

__all__ = ["Cell", "missing", "points_cell", "rate_cell"]


class Cell(NamedTuple):
    """What a cell shows; `why` stands where nothing was measured.

    `absent` marks a cell of a column of which nothing at all was measured.
    """

    value: str
    note: str = ""
    why: str = ""
    absent: bool = False


def missing(why: str) -> Cell:
    """Return a cell for what was not measured, with the reason."""
    return Cell(NOT_MEASURED, why=why)


def rate_cell(rate: Mapping[str, Any] | None, why: str, mark: str = "") -> Cell:
    """Return a proportion as per cent over its confidence interval."""
    if rate is None or rate.get("value") is None:
        return missing(why)
    low, high = rate.get("low"), rate.get("high")
    interval = "" if low is None or high is None else f"{_bare(low)} to {_bare(high)}"
    return Cell(f"{percent(rate['value'])}{mark}", interval)


def points_cell(found: Mapping[str, Any]) -> Cell:
    """Return a difference of rates in points over its confidence interval."""
    low, high = found.get("low"), found.get("high")
    interval = "" if low is None or high is None else f"{_points(low)} to {_points(high)}"
    return Cell(_points(found["value"]), interval)


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "\u2212").replace("+0.0", "0.0")


def _bare(share: float) -> str:
    return percent(share).removesuffix("%").strip()
