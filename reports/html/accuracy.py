"""The accuracy table: one row per measure, the secure search beside what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from reports.html.cells import Cell, missing, points_cell, rate_cell
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
_UNBOUNDED: Final = " †"


class MeasureRow(NamedTuple):
    """One measure over all columns, and the secure search minus the unprotected baseline."""

    name: str
    note: str
    cells: tuple[Cell, ...]
    difference: Cell | None


class AccuracyTable(NamedTuple):
    """Headings with their meaning, rows, whether there are differences, which marks are used."""

    headings: tuple[tuple[str, str], ...]
    rows: tuple[MeasureRow, ...]
    compared: bool
    unresolved: bool
    unbounded: bool


def accuracy_table(summary: Mapping[str, Any]) -> AccuracyTable:
    """Return the accuracy table of a summary; what was not measured says why."""
    columns = {name: summary["accuracy"].get(name) for name in COLUMNS}
    opened = any((column or {}).get("tpir_at_fpir") for column in columns.values())
    reasons = {name: _why_none(name, summary) for name in COLUMNS}
    differences = summary.get("secure_minus_unprotected")
    rows = tuple(
        MeasureRow(
            measure.name,
            measure.note,
            tuple(_cell(columns[key], reasons[key], measure.read) for key in COLUMNS),
            None if differences is None else _difference(differences, measure.difference),
        )
        for measure in _measures(columns, summary["run"]["answer"])
    )
    cells = [cell for row in rows for cell in row.cells] if opened else []
    return AccuracyTable(
        tuple(COLUMNS.values()),
        rows,
        compared=differences is not None,
        unresolved=any(_UNRESOLVED in cell.value for cell in cells),
        unbounded=any(_UNBOUNDED in cell.note for cell in cells),
    )


def open_set_rate(column: Column | None, target: float) -> Mapping[str, Any] | None:
    """Return a column's TPIR entry at a target FPIR; None if it has none."""
    return _at((column or {}).get("tpir_at_fpir"), "fpir_target", target)


def tpir_label(target: float) -> str:
    """Return the name of TPIR at a target FPIR, as `TPIR at FPIR 1 %`."""
    return f"TPIR at FPIR {target_name(target)}"


class Measure(NamedTuple):
    """A row to be: how to read a column, and where its difference is (at a target, if any)."""

    name: str
    note: str
    read: Callable[[Column], Cell]
    difference: tuple[str, float | None] | None = None


def _measures(columns: Mapping[str, Column | None], level: str) -> Iterator[Measure]:
    """Yield the measures that make sense where the client learns this much of a probe."""
    if level == "verified":
        yield from _claim_measures(columns)
        return
    note = "mated probes whose best entry is their own"
    yield Measure("Rank-1", note, _plain("rank_1"), ("rank_1", None))
    note = "own entry among the five best"
    yield Measure("Rank-5", note, _plain("rank_5"), ("rank_5", None))
    for target in _targets(columns, "tpir_at_fpir", "fpir_target", (0.1, 0.01)):
        note = "open set: found, at that rate of false alarms"
        yield Measure(tpir_label(target), note, _tpir(target), ("tpir_at_fpir", target))
    for target in _targets(columns, "tar_at_far", "far_target", (1e-3,)):
        name, note = f"TAR at FAR {target_name(target)}", "over all pairs of probe and entry"
        yield Measure(name, note, _tar(target), ("tar_at_far", target))
    if level in ("any", "count"):
        yield from _detection_measures(level)
    else:
        yield from _decision_measures(level)


def _decision_measures(level: str) -> Iterator[Measure]:
    named = level == "identity"
    found = "mated probes whose own row is named" if named else "from the decisions alone"
    verb = "is named too" if named else "matches too"
    right = "own row and no other, or none" if named else "every bit of the bitmap as it should be"
    yield Measure("TPIR at the threshold used", found, _operating("tpir"))
    note = "unmated probes with any match"
    yield Measure("FPIR at the threshold used", note, _operating("fpir"))
    note = "mated probes that also match someone else"
    yield Measure(f"Another entry {verb}", note, _operating("wrong_entry"))
    yield Measure("Whole answer right", right, _operating("exact"))


def _detection_measures(level: str) -> Iterator[Measure]:
    note = "mated probes that match some row, whosever"
    yield Measure("Detected at the threshold used", note, _operating("detected", "detection"))
    note = "unmated probes with any match"
    yield Measure("FPIR at the threshold used", note, _operating("fpir", "detection"))
    if level == "count":
        note = "as many matches as the person has rows"
        yield Measure("Count right", note, _operating("exact", "detection"))


def _claim_measures(columns: Mapping[str, Column | None]) -> Iterator[Measure]:
    for target in _targets(columns, "tar_at_far", "far_target", (1e-3,)):
        name, note = f"TAR at FAR {target_name(target)}", "over the claims of this run"
        yield Measure(name, note, _tar(target), ("tar_at_far", target))
    note = "genuine claims accepted"
    yield Measure("TAR at the threshold used", note, _operating("tar", "verification"))
    note = "impostors' claims accepted"
    yield Measure("FAR at the threshold used", note, _operating("far", "verification"))


def _difference(
    differences: Mapping[str, Any], place: tuple[str, float | None] | None
) -> Cell | None:
    """Return a paired difference in points; None where both columns have no such rate."""
    if place is None:
        return None
    name, target = place
    found = differences[name]
    if target is not None:
        at_target = _at(found, "target", target)
        found = None if at_target is None else at_target["difference"]
    return None if found is None else points_cell(found)


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
        cell = rate_cell(found["tpir"], _NO_PROBES, "" if found["resolved"] else _UNRESOLVED)
        mark = "" if found["bounded"] or not cell.note else _UNBOUNDED
        return cell._replace(note=cell.note + mark)

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
