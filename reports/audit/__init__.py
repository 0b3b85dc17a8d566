"""The leakage audit: pure functions from recorded views to verdicts."""

from __future__ import annotations

from reports.audit.aborted import judge_aborted
from reports.audit.judge import CHECKS, judge
from reports.audit.record import AuditRecord, keep_audit, read_audit
from reports.audit.recorded import judge_run
from reports.audit.rules import Rules
from reports.audit.verdicts import ALPHA, MARKS, ORDER, Experiment, Verdict, Worlds

__all__ = [
    "ALPHA",
    "CHECKS",
    "MARKS",
    "ORDER",
    "AuditRecord",
    "Experiment",
    "Rules",
    "Verdict",
    "Worlds",
    "judge",
    "judge_aborted",
    "judge_run",
    "keep_audit",
    "read_audit",
]
