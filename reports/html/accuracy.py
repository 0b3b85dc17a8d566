"""The accuracy table: one row per measure, the secure search beside what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from reports.html.cells import Cell, missing, rate_cell
from reports.wording import percent

__all__ = [
    "AccuracyTable",
    "MeasureRow",
    "accuracy_table",
    "open_set_rate",
    "target_name",
    "tpir_label",
]

Column = Mapping[str, Any]
COLUMNS: Final = {
    "baseline": ("Unprotected baseline", "RGB network, cosine, no protection at all"),
    "protected_plain": ("Protected, in the clear", "same protected embeddings, float cosine"),
    "quantised": ("Quantised oracle", "same integers, searched in plaintext"),
    "secure": ("Secure search", "what the parties computed on shares"),
}
_NO_PROBES: Final = "needs mated and unmated probes"
_NO_SCORES: Final = "scores stayed closed"
_NO_THRESHOLD: Final = "has no threshold of its own"
_UNRESOLVED: Final = " *"


class MeasureRow(NamedTuple):
    """One measure over all columns."""

    name: str
    note: str
    cells: tuple[Cell, ...]


class AccuracyTable(NamedTuple):
    """Headings with their meaning, rows, and whether a mark needs its footnote."""

    headings: tuple[tuple[str, str], ...]
    rows: tuple[MeasureRow, ...]
    unresolved: bool


def accuracy_table(summary: Mapping[str, Any]) -> AccuracyTable:
    """Return the accuracy table of a summary; what was not measured says why."""
    columns = {name: summary["accuracy"].get(name) for name in COLUMNS}
    opened = any((column or {}).get("tpir_at_fpir") for column in columns.values())
    reasons = {name: _why_none(name, summary) for name in COLUMNS}
    rows = tuple(
        MeasureRow(name, note, tuple(_cell(columns[key], reasons[key], read) for key in COLUMNS))
        for name, note, read in _measures(columns, summary["run"]["answer"])
    )
    unresolved = opened and any(_UNRESOLVED in cell.value for row in rows for cell in row.cells)
    return AccuracyTable(tuple(COLUMNS.values()), rows, unresolved)


def open_set_rate(column: Column | None, target: float) -> Mapping[str, Any] | None:
    """Return a column's TPIR entry at a target FPIR; None if it has none."""
    return _at((column or {}).get("tpir_at_fpir"), "fpir_target", target)


def tpir_label(target: float) -> str:
    """Return the name of TPIR at a target FPIR, as `TPIR at FPIR 1 %`."""
    return f"TPIR at FPIR {target_name(target)}"


Measure = tuple[str, str, Callable[[Column], Cell]]


def _measures(columns: Mapping[str, Column | None], level: str) -> Iterator[Measure]:
    """Yield the measures that make sense where the client learns this much of a probe."""
    if level == "verified":
        yield from _claim_measures(columns)
        return
    yield "Rank-1", "mated probes whose best entry is their own", _plain("rank_1")
    yield "Rank-5", "own entry among the five best", _plain("rank_5")
    for target in _targets(columns, "tpir_at_fpir", "fpir_target", (0.1, 0.01)):
        yield tpir_label(target), "open set: found, at that rate of false alarms", _tpir(target)
    for target in _targets(columns, "tar_at_far", "far_target", (1e-3,)):
        yield f"TAR at FAR {target_name(target)}", "over all pairs of probe and entry", _tar(target)
    if level in ("any", "count"):
        yield from _detection_measures(level)
    else:
        yield from _decision_measures(level)


def _decision_measures(level: str) -> Iterator[Measure]:
    named = level == "identity"
    found = "mated probes whose own row is named" if named else "from the decisions alone"
    verb = "is named too" if named else "matches too"
    right = "own row and no other, or none" if named else "every bit of the bitmap as it should be"
    yield "TPIR at the threshold used", found, _operating("tpir")
    yield "FPIR at the threshold used", "unmated probes with any match", _operating("fpir")
    yield (
        f"Another entry {verb}",
        "mated probes that also match someone else",
        _operating("wrong_entry"),
    )
    yield "Whole answer right", right, _operating("exact")


def _detection_measures(level: str) -> Iterator[Measure]:
    note = "mated probes that match some row, whosever"
    yield "Detected at the threshold used", note, _operating("detected", "detection")
    note = "unmated probes with any match"
    yield "FPIR at the threshold used", note, _operating("fpir", "detection")
    if level == "count":
        note = "as many matches as the person has rows"
        yield "Count right", note, _operating("exact", "detection")


def _claim_measures(columns: Mapping[str, Column | None]) -> Iterator[Measure]:
    for target in _targets(columns, "tar_at_far", "far_target", (1e-3,)):
        yield f"TAR at FAR {target_name(target)}", "over the claims of this run", _tar(target)
    yield "TAR at the threshold used", "genuine claims accepted", _operating("tar", "verification")
    yield (
        "FAR at the threshold used",
        "impostors' claims accepted",
        _operating("far", "verification"),
    )


def _cell(column: Column | None, why: str, read: Callable[[Column], Cell]) -> Cell:
    return missing(why)._replace(absent=True) if column is None else read(column)


def _plain(name: str) -> Callable[[Column], Cell]:
    return lambda column: rate_cell(column.get(name), _why_no_rate(column))


def _operating(name: str, rates: str = "operating") -> Callable[[Column], Cell]:
    def read(column: Column) -> Cell:
        operating = column.get(rates)
        if operating is None:
            return missing(_NO_THRESHOLD)
        return rate_cell(operating.get(name), "no such probes in this run")

    return read


def _tpir(target: float) -> Callable[[Column], Cell]:
    def read(column: Column) -> Cell:
        found = open_set_rate(column, target)
        if found is None:
            return missing(_why_no_rate(column))
        return rate_cell(found["tpir"], _NO_PROBES, "" if found["resolved"] else _UNRESOLVED)

    return read


def _tar(target: float) -> Callable[[Column], Cell]:
    def read(column: Column) -> Cell:
        found = _at(column.get("tar_at_far"), "far_target", target)
        return missing(_why_no_rate(column)) if found is None else rate_cell(found["tar"], "")

    return read


def _why_no_rate(column: Column) -> str:
    """Tell a column without scores from one with scores but without the probes it takes."""
    scored = any(column.get(name) for name in ("rank_1", "tpir_at_fpir", "tar_at_far"))
    return _NO_PROBES if scored else _NO_SCORES


def _why_none(name: str, summary: Mapping[str, Any]) -> str:
    if "open_scores" not in summary["protection"]["insecure"]:
        return _NO_SCORES
    return "no RGB network for these data" if name == "baseline" else "not recorded by this run"


def _targets(
    columns: Mapping[str, Column | None], rates: str, field: str, default: tuple[float, ...]
) -> list[float]:
    found = {rate[field] for column in columns.values() for rate in (column or {}).get(rates) or ()}
    return sorted(found or default, reverse=True)


def _at(
    rates: list[Mapping[str, Any]] | None, field: str, target: float
) -> Mapping[str, Any] | None:
    return next((rate for rate in rates or () if abs(rate[field] - target) < 1e-12), None)


def target_name(target: float) -> str:
    """Return a target rate as per cent without needless digits: `1 %`, `0.1 %`."""
    digits = 0 if target >= 0.01 else 1 if target >= 1e-3 else 2
    return percent(target, digits)
