"""The page: one self-contained HTML file, without scripts and without references."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from protocol.parties import PHASES
from reports.audit.record import AuditRecord
from reports.audit.verdicts import MARKS, State
from reports.disclosure import coalitions, matrix, openings, party_views, undeclared
from reports.exports.dataflow import dataflow_svg
from reports.exports.linddun import THREATS, ThreatTable
from reports.figures import compute_figure, curves_figure, scores_figure
from reports.html import tables
from reports.html.accuracy import accuracy_table, target_name
from reports.html.answers import leak_rows
from reports.html.audit import audit_view, subject_name
from reports.html.headline import banners, check_name, target_fpir, tiles, verdict
from reports.records import RunFiles
from reports.sequence import mermaid
from reports.sequence_svg import FORMS, legend_svg, sequence_svg
from reports.what_ran import what_ran
from reports.wording import count, counted, duration, party_name, size

__all__ = ["render"]

TEMPLATE: Final = "report.html.j2"
_SHADES: Final[Mapping[State, str]] = {
    "good": "ok", "failed": "wrong", "not judged": "open", "breaks, as declared": "open",
    "stated": "open",
}  # fmt: skip


def render(run: RunFiles, summary: Mapping[str, Any], audit: AuditRecord | None = None) -> str:
    """Return the report of a run as one HTML page; equal inputs give equal pages.

    Args:
        run: the files of the run.
        summary: the content of its `summary.json`.
        audit: the content of its `audit.json`, if it was audited.
    """
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            **_headline(run, summary),
            **_numbers(run, summary),
            **_disclosure(run, summary),
            **_review(run, audit),
            **_figures(run, summary),
        )
    )


def _headline(run: RunFiles, summary: Mapping[str, Any]) -> dict[str, Any]:
    passed, sentence = verdict(summary)
    return {
        "record": run.record,
        "started": _moment(run.record.started_utc),
        "summary": summary,
        "passed": passed,
        "verdict": sentence,
        "banners": list(banners(summary)),
        "tiles": tiles(summary, run.scenario),
        "ran": what_ran(run.scenario, summary["run"], summary["protection"]),
        "scenario_yaml": run.scenario_yaml,
    }


def _numbers(run: RunFiles, summary: Mapping[str, Any]) -> dict[str, Any]:
    traffic, latency = summary["traffic"], summary["latency"]
    return {
        "accuracy": accuracy_table(summary),
        "probe_rows": tables.probe_rows(latency),
        "busy_rows": tables.busy_rows(latency),
        "phase_rows": tables.phase_rows(latency),
        "phases": PHASES,
        "link_rows": tables.link_rows(traffic, run.record.costs),
        "party_rows": tables.party_rows(traffic),
        "probe_bars": tables.byte_bars(traffic["per_probe_bytes"]["kinds"]),
        "entry_bars": tables.byte_bars(traffic["per_entry_bytes"]["kinds"]),
        "leak_rows": leak_rows(run.record),
        "protection_rows": list(tables.protection_rows(run.record, summary["run"])),
        "run_rows": list(tables.run_rows(summary["run"])),
        "environment_rows": list(tables.environment_rows(summary["environment"])),
    }


def _disclosure(run: RunFiles, summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "views": party_views(
            run.events,
            run.policy,
            summary["run"]["answer"],
            mapped=run.record.protection.mapping.get("kind", "none") != "none",
            insecure=run.record.protection.insecure,
        ),
        "answer": tables.answer_text(summary["run"]),
        "metadata_rows": list(tables.metadata_rows(summary["run"])),
        "matrix": matrix(run.events, run.policy),
        "openings": openings(run.events, run.policy),
        "coalitions": coalitions(run.policy),
        "undeclared": undeclared(run.events, run.policy),
        "forms": FORMS,
        "mermaid": mermaid(run.events, run.policy),
        # Built from fixed markup and escaped texts only.
        "sequence_svg": Markup(sequence_svg(run.events, run.policy)),  # noqa: S704
        "legend_svg": Markup(legend_svg()),  # noqa: S704
    }


def _review(run: RunFiles, audit: AuditRecord | None) -> dict[str, Any]:
    return {
        "audit": audit_view(audit, run.policy),
        "threats": ThreatTable.of(run.policy),
        "threat_names": THREATS,
        "flows_used": {(e.kind, e.sender, e.receiver, e.phase) for e in run.events},
        # Built from fixed markup and escaped texts only.
        "dataflow_svg": Markup(dataflow_svg(run.events, run.policy)),  # noqa: S704
    }


def _figures(run: RunFiles, summary: Mapping[str, Any]) -> dict[str, Any]:
    record = run.record
    fpir = target_fpir(run.scenario)
    unit = _score_unit(record.threshold_ring, record.threshold_cosine, record.scale)
    figures = {
        "curves": curves_figure(run.observations, fpir),
        "scores": scores_figure(run.observations, record.threshold_cosine, unit),
        "compute": compute_figure(summary["latency"]["per_party"], run.probes),
    }
    # Drawn by matplotlib from numbers and fixed labels.
    drawn = {name: svg and Markup(svg) for name, svg in figures.items()}  # noqa: S704
    return {"figures": drawn, "fpir_target": target_name(fpir)}


def _score_unit(threshold_ring: int, threshold_cosine: float, scale: int) -> float:
    """Return the ring score of a cosine of one; mapped rows have a unit of their own."""
    return threshold_ring / threshold_cosine if threshold_cosine else float(scale**2)


def _moment(started_utc: str) -> str:
    """Return an ISO moment for people; what is none stays as it is."""
    try:
        moment = datetime.fromisoformat(started_utc)
    except ValueError:
        return started_utc
    return moment.strftime("%d %B %Y, %H:%M UTC")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        size=size,
        duration=duration,
        count=count,
        party=party_name,
        counted=counted,
        check=check_name,
        subject=subject_name,
        mark=MARKS.__getitem__,
        shade=_SHADES.__getitem__,
    )
    return environment
