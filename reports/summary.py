"""The summary of a run: everything that is measured and checked, as `summary.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from protocol.errors import DataError
from reports.accuracy import Column, accuracy_columns, accuracy_differences
from reports.answers import answer_bits, answer_of, score_bits
from reports.audit.record import read_audit
from reports.checks import run_checks
from reports.html import render
from reports.latency import latency_summary
from reports.metrics import UNMATED
from reports.records import RunFiles, read_run
from reports.traffic import traffic_summary

__all__ = ["REPORT", "SUMMARY", "Summary", "build", "summarise"]

SUMMARY: Final = "summary.json"
OPEN_SCORES: Final = "open_scores"
REPORT: Final = "report.html"


@dataclass(frozen=True)
class Summary(Mapping[str, Any]):
    """The content of `summary.json`, and the directory it was written to."""

    path: Path
    content: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check["passed"] for check in self.content["checks"])

    @property
    def report(self) -> Path | None:
        """Where the report is; None if the scenario asks for none."""
        page = self.path / REPORT
        return page if page.exists() else None

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - JSON
        return self.content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)


def build(run_dir: Path, *, report: bool | None = None) -> Summary:
    """Write `summary.json` and `report.html` into a finished run directory.

    Args:
        run_dir: what a run left; its other files stay as they are.
        report: whether to write the page; by default as the scenario says.

    Raises:
        DataError: the directory is no finished run, or cannot be written.
    """
    run = read_run(run_dir)
    content = summarise(run)
    _write(run_dir / SUMMARY, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    if run.scenario.get("report", True) if report is None else report:
        page = render(run, content, read_audit(run_dir, run.record.run))
        _write(run_dir / REPORT, page.encode())
    return Summary(run_dir, content)


def summarise(run: RunFiles) -> dict[str, Any]:
    """Return the content of `summary.json` as plain values."""
    columns = accuracy_columns(run.observations)
    content = {
        "scenario": run.record.scenario,
        "description": run.record.description,
        "run": _run(run),
        "checks": run_checks(run),
        "accuracy": columns,
        "secure_minus_unprotected": accuracy_differences(run.observations),
        "latency": latency_summary(run.events, run.record),
        "traffic": traffic_summary(run.events, run.probes, run.entries),
        "protection": run.record.protection,
        "queries": run.record.queries,
        "environment": run.record.environment,
        "warnings": [*run.record.warnings, *_warnings(run, columns)],
    }
    plain: dict[str, Any] = msgspec.to_builtins(content)
    return plain


def _run(run: RunFiles) -> dict[str, Any]:
    record, answer = run.record, answer_of(run.observations)
    opened = OPEN_SCORES in record.protection.insecure
    bits = (
        score_bits(answer, run.entries, record.scale)
        if opened
        else answer_bits(answer, run.entries)
    )
    mated = int(np.count_nonzero(run.observations["probe_identity"] != UNMATED))
    return {
        "id": record.run,
        "runtime": record.runtime,
        "started_utc": record.started_utc,
        "wall_s": record.wall_s,
        "entries": run.entries,
        "probes": run.probes,
        "mated": mated,
        "unmated": run.probes - mated,
        "batch": record.batch,
        "changes": record.changes,
        "answer": answer.level,
        "answer_bits_per_probe": round(bits, 2),
        "scores_opened": opened,
        "dimension": record.dimension,
        "ring_bits": record.ring_bits,
        "scale": record.scale,
        "threshold_cosine": record.threshold_cosine,
        "threshold_ring": record.threshold_ring,
        "peak_rss_bytes": record.peak_rss_bytes,
        "audit_hash": record.audit_hash,
    }


def _warnings(run: RunFiles, columns: Mapping[str, Column | None]) -> Iterator[str]:
    """Yield what a reader must know before quoting an open-set rate."""
    unmated = int(np.count_nonzero(run.observations["probe_identity"] == UNMATED))
    secure = columns["secure"]
    rates = [] if secure is None or unmated == 0 else secure.tpir_at_fpir
    coarse = [rate.fpir_target for rate in rates if not rate.resolved]
    if coarse:
        yield f"{unmated} unmated probes are too few to resolve FPIR {_listed(coarse)}."
    unbounded = [rate.fpir_target for rate in rates if not rate.bounded]
    if unbounded:
        yield (
            f"At FPIR {_listed(unbounded)} the strangers are too few to bound TPIR from below: the "
            "low end of its interval is no bound."
        )


def _listed(targets: list[float]) -> str:
    return ", ".join(f"{100 * target:g} %" for target in targets)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(path)) from error
