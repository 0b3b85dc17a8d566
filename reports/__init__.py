"""What is read: metrics, tables, figures and the report of a run."""

from __future__ import annotations

from reports.summary import Summary, build

__all__ = ["Summary", "build"]
