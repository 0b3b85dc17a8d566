"""What follows a run: summary and report are built, the gist is printed, checks are judged."""

from __future__ import annotations

from pathlib import Path

__all__ = ["judge"]


def judge(directory: Path) -> int:
    """Build summary and report of a run directory, print the gist, return the exit code.

    Raises:
        DataError: the directory is not one of a finished run.
    """
    from orchestration.cli.console import output
    from reports import build
    from reports.console import render

    summary = build(directory)
    output().print(render(summary))
    return 0 if all(check["passed"] for check in summary["checks"]) else 1
